//! Fleet limits. Some stores grant starts by a clock of their own: the tests' rates leave so much time
//! between two starts that no test takes a hundredth of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::conformance::at;
use crate::id::WorkerId;
use crate::limit::{FleetLimit, LimitScope};
use crate::permit::{LimitRecord, PermitDemand, PermitGrant, PermitGrants, PermitRequest};
use crate::rate::Rate;
use crate::store::Store;
use crate::worker::WorkerInfo;

fn scope() -> LimitScope {
    LimitScope::Callable("Billing::Charge".to_owned())
}

fn at_most(concurrency: u32) -> FleetLimit {
    FleetLimit::new(scope()).concurrency(concurrency)
}

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

async fn worker(store: &Arc<dyn Store>) -> WorkerId {
    let worker = WorkerId::random();
    store.register_worker(worker, WorkerInfo::here(), at(0)).await.unwrap();
    worker
}

async fn ask(store: &Arc<dyn Store>, worker: WorkerId, demand: PermitDemand, now: Timestamp) -> PermitGrant {
    let request = PermitRequest { worker, demands: vec![demand], now };
    let PermitGrants { granted, limits, .. } = store.permits(request).await.unwrap();
    assert_eq!(limits.len(), 1);
    granted.into_iter().next().unwrap()
}

/// Asks for `wanted` permits in all, of which `keep` are in use. Answers how many count as the worker's, and
/// how many attempts it may run.
async fn hold(store: &Arc<dyn Store>, worker: WorkerId, keep: u32, wanted: u32) -> (u32, u32) {
    let granted = ask(store, worker, PermitDemand { scope: scope(), keep, wanted, starts: 0 }, at(0)).await;
    (granted.held, granted.max_running.unwrap())
}

async fn start(store: &Arc<dyn Store>, worker: WorkerId, starts: u32, now: Timestamp) -> (u32, Duration) {
    let granted = ask(store, worker, PermitDemand { scope: scope(), keep: 0, wanted: 1, starts }, now).await;
    (granted.starts, granted.first_in)
}

async fn record(store: &Arc<dyn Store>) -> LimitRecord {
    store.limits().await.unwrap().into_iter().find(|record| record.limit.scope == scope()).unwrap()
}

pub async fn limits_are_kept_and_removed(store: Arc<dyn Store>) {
    assert_eq!(store.limits().await.unwrap(), []);
    let odd = FleetLimit::new(LimitScope::Namespace("it's, {odd}".to_owned())).concurrency(0);
    let both = at_most(3).rate(rate("3/s"));
    store.set_limit(odd.clone()).await.unwrap();
    store.set_limit(at_most(7)).await.unwrap();
    store.set_limit(both.clone()).await.unwrap();
    let known: Vec<FleetLimit> =
        store.limits().await.unwrap().into_iter().map(|record| record.limit).collect();
    assert_eq!(known, [both.clone(), odd.clone()]);
    let nothing = PermitRequest { worker: WorkerId::random(), demands: Vec::new(), now: at(0) };
    assert_eq!(store.permits(nothing.clone()).await.unwrap().limits, [both, odd.clone()]);
    assert!(store.remove_limit(scope()).await.unwrap());
    assert!(!store.remove_limit(scope()).await.unwrap());
    // A namespace of the callable's name is another scope.
    assert!(!store.remove_limit(LimitScope::Namespace("Billing::Charge".to_owned())).await.unwrap());
    assert_eq!(store.permits(nothing).await.unwrap().limits, [odd]);
}

pub async fn permits_are_never_more_than_the_limit(store: Arc<dyn Store>) {
    store.set_limit(at_most(5)).await.unwrap();
    let (one, two, three) = (worker(&store).await, worker(&store).await, worker(&store).await);
    assert_eq!(hold(&store, one, 0, 3).await, (3, 3));
    assert_eq!(hold(&store, two, 0, 4).await, (2, 2));
    assert_eq!(hold(&store, three, 0, 1).await, (0, 0));
    let LimitRecord { held, workers, waiting, .. } = record(&store).await;
    assert_eq!((held, workers, waiting), (5, 2, 1));
    // Asking for less gives back.
    assert_eq!(hold(&store, one, 1, 1).await, (1, 1));
    assert_eq!(hold(&store, three, 0, 1).await, (1, 1));
    assert_eq!(hold(&store, two, 2, 9).await, (3, 3));
    assert_eq!(hold(&store, one, 1, 9).await, (1, 1));
    // A scope without a limit is left out of the answer.
    let other =
        PermitDemand { scope: LimitScope::Callable("other".to_owned()), keep: 0, wanted: 1, starts: 1 };
    let request = PermitRequest { worker: one, demands: vec![other], now: at(0) };
    assert_eq!(store.permits(request).await.unwrap().granted, []);
    for (worker, held) in [(one, 0), (two, 0), (three, 0)] {
        assert_eq!(hold(&store, worker, 0, 0).await, (held, held));
    }
    assert_eq!(record(&store).await.held, 0);
}

pub async fn who_has_none_is_left_a_part(store: Arc<dyn Store>) {
    store.set_limit(at_most(4)).await.unwrap();
    let (one, two) = (worker(&store).await, worker(&store).await);
    assert_eq!(hold(&store, one, 0, 9).await, (4, 4));
    assert_eq!(hold(&store, two, 0, 9).await, (0, 0));
    // It keeps what runs, and may start no other.
    assert_eq!(hold(&store, one, 4, 9).await, (4, 2));
    assert_eq!(hold(&store, two, 0, 9).await, (0, 0));
    assert_eq!(hold(&store, one, 3, 9).await, (3, 2));
    assert_eq!(hold(&store, two, 0, 9).await, (1, 1));
    assert_eq!(hold(&store, one, 2, 9).await, (2, 2));
    assert_eq!(hold(&store, two, 1, 9).await, (2, 2));
    // Who wants little leaves the rest to others.
    assert_eq!(hold(&store, two, 1, 1).await, (1, 1));
    assert_eq!(hold(&store, one, 2, 9).await, (3, 3));
}

pub async fn the_permits_of_a_dead_worker_are_free(store: Arc<dyn Store>) {
    store.set_limit(at_most(2)).await.unwrap();
    let (dead, leaving, other) = (worker(&store).await, worker(&store).await, worker(&store).await);
    assert_eq!(hold(&store, dead, 0, 1).await, (1, 1));
    assert_eq!(hold(&store, leaving, 0, 1).await, (1, 1));
    assert_eq!(hold(&store, other, 0, 2).await, (0, 0));
    store.worker_died(dead);
    store.orphaned().await.unwrap();
    assert_eq!(hold(&store, other, 0, 2).await, (1, 1));
    store.retire_worker(leaving).await.unwrap();
    assert_eq!(hold(&store, other, 1, 2).await, (2, 2));
    let LimitRecord { held, workers, waiting, .. } = record(&store).await;
    assert_eq!((held, workers, waiting), (2, 1, 0));
}

pub async fn a_lowered_limit_lets_what_runs_end(store: Arc<dyn Store>) {
    store.set_limit(at_most(4)).await.unwrap();
    let (one, two) = (worker(&store).await, worker(&store).await);
    assert_eq!(hold(&store, one, 0, 2).await, (2, 2));
    assert_eq!(hold(&store, two, 0, 2).await, (2, 2));
    store.set_limit(at_most(1)).await.unwrap();
    assert_eq!(hold(&store, one, 2, 2).await, (2, 0));
    assert_eq!(hold(&store, two, 1, 2).await, (1, 0));
    assert_eq!(hold(&store, two, 0, 2).await, (0, 0));
    assert_eq!(hold(&store, one, 1, 2).await, (1, 1));
    store.set_limit(at_most(0)).await.unwrap();
    assert_eq!(hold(&store, one, 1, 2).await, (1, 0));
    assert_eq!(hold(&store, one, 0, 2).await, (0, 0));
    store.set_limit(at_most(2)).await.unwrap();
    assert_eq!(hold(&store, one, 0, 1).await, (1, 1));
}

pub async fn a_limit_that_is_set_again_counts_from_nothing(store: Arc<dyn Store>) {
    store.set_limit(at_most(1)).await.unwrap();
    let (one, two) = (worker(&store).await, worker(&store).await);
    assert_eq!(hold(&store, one, 0, 1).await, (1, 1));
    store.remove_limit(scope()).await.unwrap();
    let demands = vec![PermitDemand { scope: scope(), keep: 1, wanted: 1, starts: 0 }];
    let request = PermitRequest { worker: one, demands, now: at(0) };
    assert_eq!(store.permits(request).await.unwrap().granted, []);
    store.set_limit(at_most(1)).await.unwrap();
    assert_eq!(record(&store).await.held, 0);
    assert_eq!(hold(&store, two, 0, 1).await, (1, 1));
    // What runs already counts once its worker has told the store.
    assert_eq!(hold(&store, one, 1, 1).await, (1, 0));
}

pub async fn starts_are_spaced_and_granted_once(store: Arc<dyn Store>) {
    const HOUR: Duration = Duration::from_secs(3_600);
    store.set_limit(FleetLimit::new(scope()).rate(rate("1/h"))).await.unwrap();
    let (one, two) = (worker(&store).await, worker(&store).await);
    assert_eq!(start(&store, one, 5, at(0)).await, (1, Duration::ZERO));
    for worker in [two, one, two] {
        let (starts, first_in) = start(&store, worker, 5, at(0)).await;
        assert!(starts == 0 && first_in <= HOUR && first_in > HOUR - HOUR / 10, "{starts} in {first_in:?}");
    }
    // The next start was an hour away by the old rate. By the new one it is not.
    let fast = FleetLimit::new(scope()).rate(rate("1000/s"));
    store.set_limit(fast.clone()).await.unwrap();
    assert_eq!(start(&store, one, 5, at(0)).await, (1, Duration::from_secs(1)));
    store.remove_limit(scope()).await.unwrap();
    store.set_limit(fast).await.unwrap();
    let mut granted = 0;
    let mut last = Duration::ZERO;
    for round in 0..20 {
        let (starts, first_in) = start(&store, [one, two][round % 2], 70, at(0)).await;
        if starts == 0 {
            break;
        }
        assert!(first_in <= Duration::from_millis(1_001), "{first_in:?}");
        // By a clock of the store's own, time goes on meanwhile.
        assert!(first_in + Duration::from_millis(200) > last, "{first_in:?} after {last:?}");
        last = first_in + Duration::from_millis(u64::from(starts));
        granted += starts;
    }
    // As many as fall within a second, and those that become due while the test runs.
    assert!((900..=1_400).contains(&granted), "{granted}");
}

pub async fn a_paused_scope_uses_no_starts(store: Arc<dyn Store>) {
    store.set_limit(at_most(0).rate(rate("1/h"))).await.unwrap();
    let one = worker(&store).await;
    assert_eq!(start(&store, one, 1, at(0)).await.0, 0);
    store.set_limit(at_most(1).rate(rate("1/h"))).await.unwrap();
    assert_eq!(start(&store, one, 1, at(0)).await, (1, Duration::ZERO));
}

/// Workers ask and run at random, as the engine does: together they never run more than the limit.
pub async fn any_history_of_asking_keeps_to_the_limit(store: Arc<dyn Store>) {
    #[derive(Default)]
    struct Known {
        running: u32,
        max_running: u32,
    }
    let mut random = fastrand::Rng::with_seed(7);
    let mut limit = 6;
    store.set_limit(at_most(limit)).await.unwrap();
    let mut workers: HashMap<WorkerId, Known> = HashMap::new();
    // More may run than the limit says while attempts end that began before it was lowered.
    let mut allowed = limit;
    for _ in 0..150 {
        while workers.len() < 3 {
            workers.insert(worker(&store).await, Known::default());
        }
        let mut ids: Vec<WorkerId> = workers.keys().copied().collect();
        ids.sort();
        let id = ids[random.usize(..ids.len())];
        let known = workers.get_mut(&id).unwrap();
        match random.u32(..20) {
            0..8 => {
                let wanted = random.u32(..8).max(known.running);
                known.max_running = known.max_running.min(wanted);
                let (held, max_running) =
                    hold(&store, id, known.running.max(known.max_running), wanted).await;
                assert!(held >= known.running.max(max_running));
                known.max_running = max_running;
            }
            8..13 => known.running = known.running.max(known.max_running),
            13..18 => known.running -= random.u32(..=known.running),
            18 => {
                store.retire_worker(id).await.unwrap();
                workers.remove(&id);
            }
            _ => {
                limit = random.u32(..8);
                store.set_limit(at_most(limit)).await.unwrap();
                allowed = allowed.max(limit);
            }
        }
        let running: u32 = workers.values().map(|known| known.running).sum();
        assert!(running <= allowed, "{running} run under {allowed}");
        // Permits that a worker holds may still be used; no more are granted beyond the limit.
        let in_hand: u32 = workers.values().map(|known| known.running.max(known.max_running)).sum();
        allowed = limit.max(in_hand);
    }
}
