//! Limits that hold for all workers of a store together: in virtual time, and with several workers on one
//! database or file.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tasker_runtime::clock::Clock;
use tasker_runtime::limits::{FleetLimit, LimitError, LimitScope};
use tasker_runtime::store::{MemoryStore, PostgresStore, SqliteStore};
use tasker_runtime::worker::{WorkerId, WorkerInfo};
use tasker_runtime::{Builder, Error, StepContext, StepResult, TaskId, Tasker};
use tasker_store::{PermitDemand, PermitRequest, Store as _};
use tokio::time::Instant;

use crate::postgres::Schema;
use crate::support::{new_task, on_store, template};

/// How many attempts run at a time, and when they began.
#[derive(Clone, Debug, Default)]
struct Gauge(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    running: AtomicUsize,
    highest: AtomicUsize,
    begun: Mutex<Vec<Instant>>,
}

impl Gauge {
    /// A builder whose step `a` takes so long.
    fn watch(&self, builder: Builder, takes: Duration) -> Builder {
        let gauge = Arc::clone(&self.0);
        builder.handler_fn("a", move |_: StepContext| {
            let gauge = Arc::clone(&gauge);
            async move {
                let running = gauge.running.fetch_add(1, Ordering::SeqCst) + 1;
                gauge.highest.fetch_max(running, Ordering::SeqCst);
                gauge.begun.lock().unwrap().push(Instant::now());
                tokio::time::sleep(takes).await;
                gauge.running.fetch_sub(1, Ordering::SeqCst);
                StepResult::Ok(())
            }
        })
    }

    fn highest(&self) -> usize {
        self.0.highest.load(Ordering::SeqCst)
    }

    fn count(&self) -> usize {
        self.0.begun.lock().unwrap().len()
    }

    fn begun(&self) -> Vec<Instant> {
        self.0.begun.lock().unwrap().clone()
    }
}

/// Workers on one store in memory, in virtual time.
struct Fleet {
    store: Arc<MemoryStore>,
    clock: Clock,
}

impl Fleet {
    fn new() -> Self {
        let clock = Clock::paused(Timestamp::from_second(1_800_000_000).unwrap(), 7);
        Self { store: Arc::new(MemoryStore::new()), clock }
    }

    fn builder(&self, steps: &str) -> Builder {
        Tasker::builder()
            .only_listed_handlers()
            .template_str("flow.yaml", template(steps))
            .shared_store(Arc::<MemoryStore>::clone(&self.store))
            .clock(self.clock.clone())
    }

    async fn client(&self) -> Tasker {
        self.builder("a").without_worker().build().await.unwrap()
    }

    async fn worker(&self, gauge: &Gauge, takes: Duration) -> Tasker {
        gauge.watch(self.builder("a"), takes).build().await.unwrap()
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn charge() -> FleetLimit {
    FleetLimit::new(LimitScope::Callable("a".to_owned()))
}

async fn create(tasker: &Tasker, count: usize) -> Vec<TaskId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(tasker.create_task(new_task()).await.unwrap());
    }
    ids
}

async fn all_complete(tasker: &Tasker, ids: Vec<TaskId>) {
    for id in ids {
        tasker.wait(id).await.unwrap();
    }
}

async fn held(tasker: &Tasker) -> (u32, u32, u32) {
    let one = tasker.limits().await.unwrap().remove(0);
    (one.held, one.workers, one.waiting)
}

#[tokio::test(start_paused = true)]
async fn no_more_run_than_the_limit_and_all_are_run() {
    let (fleet, gauge) = (Fleet::new(), Gauge::default());
    let client = fleet.client().await;
    client.set_limit(charge().concurrency(3)).await.unwrap();
    let (one, two) = (fleet.worker(&gauge, ms(50)).await, fleet.worker(&gauge, ms(50)).await);
    let begun = Instant::now();
    let mut ids = create(&one, 50).await;
    ids.extend(create(&two, 50).await);
    all_complete(&client, ids).await;
    assert_eq!((gauge.count(), gauge.highest()), (100, 3));
    // 100 attempts of 50 ms, three at a time, take 1.7 s.
    assert!(begun.elapsed() < ms(3_500), "{:?}", begun.elapsed());
    // What is not used goes back.
    tokio::time::sleep(ms(4_000)).await;
    assert_eq!(held(&client).await, (0, 0, 0));
    one.shutdown().await;
    two.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_fan_out_keeps_to_the_limit_of_its_namespace() {
    let (fleet, gauge) = (Fleet::new(), Gauge::default());
    let steps: String = (0..60).map(|n| format!("b{n}: start\n")).collect();
    let client = fleet.client().await;
    let limit = FleetLimit::new(LimitScope::Namespace("test".to_owned())).concurrency(4);
    client.set_limit(limit).await.unwrap();
    let builder = fleet.builder(&format!("start\n{steps}end: {}", names()));
    let builder = builder.handler_fn("end", |_: StepContext| async { StepResult::Ok(()) });
    let mut builder = builder.handler_fn("start", |_: StepContext| async { StepResult::Ok(()) });
    for n in 0..60 {
        let gauge = gauge.clone();
        builder = builder.handler_fn(&format!("b{n}"), move |_: StepContext| {
            let inner = Arc::clone(&gauge.0);
            async move {
                let running = inner.running.fetch_add(1, Ordering::SeqCst) + 1;
                inner.highest.fetch_max(running, Ordering::SeqCst);
                tokio::time::sleep(ms(20)).await;
                inner.running.fetch_sub(1, Ordering::SeqCst);
                StepResult::Ok(())
            }
        });
    }
    let worker = builder.build().await.unwrap();
    let id = worker.create_task(new_task()).await.unwrap();
    worker.wait(id).await.unwrap();
    assert_eq!(gauge.highest(), 4);
    worker.shutdown().await;
}

fn names() -> String {
    (0..60).map(|n| format!("b{n}")).collect::<Vec<_>>().join(", ")
}

#[tokio::test(start_paused = true)]
async fn starts_are_spaced_over_the_fleet() {
    let (fleet, gauge) = (Fleet::new(), Gauge::default());
    let client = fleet.client().await;
    client.set_limit(charge().rate("10/s".parse().unwrap())).await.unwrap();
    let (one, two) = (fleet.worker(&gauge, ms(1)).await, fleet.worker(&gauge, ms(1)).await);
    let ids = create(&client, 60).await;
    let begun = Instant::now();
    all_complete(&client, ids).await;
    // 60 starts at ten a second take 5.9 s; a worker that has not asked in time loses a little.
    assert!((ms(5_850)..ms(9_000)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    let mut starts = gauge.begun();
    starts.sort();
    // Each has its moment, and may be late by as much as is between two of them.
    for pair in starts.windows(11) {
        assert!(pair[10] - pair[0] >= ms(895), "{:?}", pair[10] - pair[0]);
    }
    one.shutdown().await;
    two.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_fast_rate_is_used_up_by_one_worker() {
    let (fleet, gauge) = (Fleet::new(), Gauge::default());
    let client = fleet.client().await;
    client.set_limit(charge().rate("200/s".parse().unwrap()).concurrency(50)).await.unwrap();
    let one = fleet.worker(&gauge, ms(10)).await;
    let begun = Instant::now();
    let ids = create(&one, 1_000).await;
    all_complete(&one, ids).await;
    let took = begun.elapsed();
    assert!((ms(4_890)..ms(6_500)).contains(&took), "{took:?}");
    let starts = gauge.begun();
    // No burst beyond what fits into 100 ms.
    for pair in starts.windows(42) {
        assert!(pair[41] - pair[0] >= ms(100), "{:?}", pair[41] - pair[0]);
    }
    one.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_scope_goes_on_when_its_limit_is_raised() {
    let (fleet, gauge) = (Fleet::new(), Gauge::default());
    let client = fleet.client().await;
    client.set_limit(charge().concurrency(0)).await.unwrap();
    let worker = fleet.worker(&gauge, ms(10)).await;
    let ids = create(&worker, 20).await;
    tokio::time::sleep(ms(60_000)).await;
    assert_eq!((gauge.count(), held(&client).await), (0, (0, 0, 1)));
    client.set_limit(charge().concurrency(2)).await.unwrap();
    let raised = Instant::now();
    all_complete(&worker, ids).await;
    assert_eq!(gauge.highest(), 2);
    assert!(raised.elapsed() < ms(1_500), "{:?}", raised.elapsed());
    worker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_set_changed_and_removed_while_steps_run_takes_effect() {
    let (fleet, gauge) = (Fleet::new(), Gauge::default());
    let client = fleet.client().await;
    let worker = fleet.worker(&gauge, ms(100)).await;
    let ids = create(&worker, 4_000).await;
    tokio::time::sleep(ms(50)).await;
    assert_eq!(gauge.highest(), 64);
    let highest_after = async |pause: u64| {
        tokio::time::sleep(ms(pause)).await;
        gauge.0.highest.store(0, Ordering::SeqCst);
        tokio::time::sleep(ms(500)).await;
        gauge.highest()
    };
    client.set_limit(charge().concurrency(5)).await.unwrap();
    assert_eq!(highest_after(1_500).await, 5);
    client.set_limit(charge().concurrency(2)).await.unwrap();
    assert_eq!(highest_after(1_500).await, 2);
    client.set_limit(charge().concurrency(10)).await.unwrap();
    assert_eq!(highest_after(2_500).await, 10);
    client.remove_limit(LimitScope::Callable("a".to_owned())).await.unwrap();
    assert_eq!(highest_after(1_500).await, 64);
    all_complete(&worker, ids).await;
    worker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn workers_share_a_limit_that_all_of_them_want() {
    let fleet = Fleet::new();
    let client = fleet.client().await;
    for limit in [1, 4] {
        client.set_limit(charge().concurrency(limit)).await.unwrap();
        let gauges = [Gauge::default(), Gauge::default(), Gauge::default()];
        let mut workers = Vec::new();
        create(&client, 900).await;
        for gauge in &gauges {
            workers.push(fleet.worker(gauge, ms(100)).await);
        }
        tokio::time::sleep(ms(20_000)).await;
        let counts = gauges.each_ref().map(Gauge::count);
        let all: usize = counts.iter().sum();
        // None has less than half of its part, and little is lost by handing on.
        let whole = limit as usize * 20_000 / 100;
        assert!(counts.iter().all(|count| *count > whole / 6), "{counts:?} of {whole}");
        assert!(all <= whole && all > whole * 7 / 10, "{counts:?} of {whole}");
        for worker in workers {
            worker.shutdown().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_scope_without_a_limit_is_not_delayed_by_one_that_has_one() {
    let (fleet, gauge, free) = (Fleet::new(), Gauge::default(), Gauge::default());
    let client = fleet.client().await;
    client.set_limit(charge().concurrency(1)).await.unwrap();
    let other = template("b").replace("name: flow", "name: free");
    let inner = free.clone();
    let worker = gauge
        .watch(fleet.builder("a"), ms(100))
        .template_str("free.yaml", other)
        .handler_fn("b", move |_: StepContext| {
            let inner = Arc::clone(&inner.0);
            async move {
                inner.begun.lock().unwrap().push(Instant::now());
                tokio::time::sleep(ms(100)).await;
                StepResult::Ok(())
            }
        })
        .build()
        .await
        .unwrap();
    create(&worker, 200).await;
    let mut ids = Vec::new();
    for _ in 0..1_000 {
        let task = tasker_runtime::NewTask::new("test", "free", &json!({}));
        ids.push(worker.create_task(task).await.unwrap());
    }
    let begun = Instant::now();
    all_complete(&worker, ids).await;
    // 63 at a time.
    assert!(begun.elapsed() < ms(2_500), "{:?}", begun.elapsed());
    assert!(gauge.count() >= 10 && gauge.highest() == 1, "{}", gauge.count());
    worker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_set_or_removed_says_why() {
    let client = Fleet::new().client().await;
    let error = client.set_limit(charge()).await.unwrap_err();
    assert!(matches!(error, Error::Limit(LimitError::Empty(_))));
    assert_eq!(error.to_string(), "the limit on callable `a` needs a concurrency or a rate");
    let remove = async |name: &str| {
        client.remove_limit(LimitScope::Namespace(name.to_owned())).await.unwrap_err().to_string()
    };
    assert_eq!(remove("n").await, "there is no limit on namespace `n`; there is none at all");
    client.set_limit(charge().concurrency(1)).await.unwrap();
    assert_eq!(remove("a").await, "there is no limit on namespace `a`; there are limits on: callable `a`");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_leaves_gives_back_what_does_not_run() {
    let (fleet, gauge) = (Fleet::new(), Gauge::default());
    let client = fleet.client().await;
    client.set_limit(charge().concurrency(4)).await.unwrap();
    let worker = fleet.worker(&gauge, ms(3_000)).await;
    create(&worker, 3).await;
    tokio::time::sleep(ms(2_900)).await;
    create(&worker, 1).await;
    tokio::time::sleep(ms(200)).await;
    // Three have just ended.
    assert_eq!((gauge.highest(), held(&client).await), (4, (4, 1, 0)));
    let leaving = tokio::spawn(async move { worker.shutdown().await });
    tokio::time::sleep(ms(50)).await;
    assert_eq!(held(&client).await, (1, 1, 0));
    leaving.await.unwrap();
    assert_eq!((gauge.count(), held(&client).await), (4, (0, 0, 0)));
}

/// Three workers, each with a connection of its own, on one store that is shared with other processes.
async fn workers_of_one_store_keep_to_a_limit(url: &str) {
    let gauge = Gauge::default();
    let client = on_store(url, "a").without_worker().build().await.unwrap();
    client.set_limit(charge().concurrency(2)).await.unwrap();
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(gauge.watch(on_store(url, "a"), ms(5)).build().await.unwrap());
    }
    let ids = create(&client, 60).await;
    all_complete(&client, ids).await;
    assert_eq!((gauge.count(), gauge.highest()), (60, 2));
    for worker in workers {
        worker.shutdown().await;
    }
    assert_eq!(held(&client).await, (0, 0, 0));
}

#[tokio::test]
async fn workers_of_one_database_keep_to_a_limit() {
    let schema = Schema::new();
    workers_of_one_store_keep_to_a_limit(&schema.url()).await;
}

#[tokio::test]
async fn workers_of_one_file_keep_to_a_limit() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("t.db").display());
    workers_of_one_store_keep_to_a_limit(&url).await;
}

#[tokio::test]
async fn a_file_that_two_processes_have_open_grants_what_memory_grants() {
    let directory = tempfile::tempdir().unwrap();
    let open = || SqliteStore::open(directory.path().join("t.db")).unwrap();
    let (memory, files) = (MemoryStore::new(), [open(), open()]);
    let mut random = fastrand::Rng::with_seed(11);
    let mut now = Timestamp::from_second(1_800_000_000).unwrap();
    let scopes = [charge().scope, LimitScope::Namespace("a".to_owned())];
    let mut workers = Vec::new();
    for _ in 0..150 {
        while workers.len() < 3 {
            let worker = WorkerId::random();
            memory.register_worker(worker, WorkerInfo::here(), now).await.unwrap();
            files[0].register_worker(worker, WorkerInfo::here(), now).await.unwrap();
            workers.push(worker);
        }
        let (file, index) = (&files[random.usize(..2)], random.usize(..3));
        match random.u32(..20) {
            0 => {
                let mut limit =
                    FleetLimit::new(scopes[random.usize(..2)].clone()).concurrency(random.u32(..6));
                limit.rate = random.bool().then(|| "3/s".parse().unwrap());
                memory.set_limit(limit.clone()).await.unwrap();
                file.set_limit(limit).await.unwrap();
            }
            1 => {
                let scope = scopes[random.usize(..2)].clone();
                let removed = memory.remove_limit(scope.clone()).await.unwrap();
                assert_eq!(removed, file.remove_limit(scope).await.unwrap());
            }
            2 => {
                let worker = workers.swap_remove(index);
                memory.retire_worker(worker).await.unwrap();
                files[0].retire_worker(worker).await.unwrap();
            }
            3..8 => now += ms(random.u64(..900)),
            _ => {
                let demands = scopes.iter().map(|scope| {
                    let (keep, wanted, starts) = (random.u32(..2), random.u32(..5), random.u32(..3));
                    PermitDemand { scope: scope.clone(), keep, wanted: wanted.max(keep), starts }
                });
                let request = PermitRequest { worker: workers[index], demands: demands.collect(), now };
                let expected = memory.permits(request.clone()).await.unwrap();
                assert_eq!(format!("{expected:?}"), format!("{:?}", file.permits(request).await.unwrap()));
            }
        }
        assert_eq!(memory.limits().await.unwrap(), file.limits().await.unwrap());
    }
}

#[tokio::test]
async fn a_worker_that_is_taken_for_dead_starts_nothing_new_until_it_is_heard_of() {
    let schema = Schema::new();
    let store = PostgresStore::open(&schema.url()).await.unwrap();
    store.set_limit(charge().concurrency(2)).await.unwrap();
    let (silent, other) = (WorkerId::random(), WorkerId::random());
    for worker in [silent, other] {
        store.register_worker(worker, WorkerInfo::here(), Timestamp::UNIX_EPOCH).await.unwrap();
    }
    let hold = async |worker, keep, wanted, heard_of| {
        let demands = vec![PermitDemand { scope: charge().scope, keep, wanted, starts: 0 }];
        let request = PermitRequest { worker, demands, now: Timestamp::UNIX_EPOCH };
        let answer = store.permits(request).await.unwrap();
        // For as long as others count what it holds.
        let is_heard_of = answer.lasts.is_some_and(|lasts| !lasts.is_zero());
        assert!(answer.lasts <= Some(Duration::from_secs(15)), "{:?}", answer.lasts);
        assert_eq!(is_heard_of, heard_of);
        (answer.granted[0].held, answer.granted[0].max_running)
    };
    assert_eq!(hold(silent, 0, 2, true).await, (2, Some(2)));
    let silence = format!(
        "UPDATE {}.worker SET beat_at = beat_at - interval '1 minute' WHERE id = '{silent}'",
        schema.name()
    );
    schema.execute(&silence).await;
    assert_eq!(hold(other, 0, 2, true).await, (2, Some(2)));
    assert_eq!(hold(silent, 1, 2, false).await, (1, Some(0)));
    // It is heard of again, and what runs there counts.
    store.workers().await.unwrap();
    assert_eq!(hold(silent, 1, 2, true).await, (1, Some(0)));
    assert_eq!(hold(other, 0, 2, true).await, (1, Some(1)));
}
