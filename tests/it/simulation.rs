//! Thousands of random schedules of completions, failures, crashes and operator actions, held after
//! each of them to a model that derives everything anew from what is done.
//!
//! A failure prints its seed; `TASKER_SEED=… cargo test simulation` runs that schedule alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tasker_runtime::operate::{DeadLetterReason, DeadLetterStatus};
use tasker_runtime::store::MemoryStore;
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::worker::WorkerId;
use tasker_runtime::{StepState, TaskId, TaskState};
use tasker_store::conformance::{Graph, at, failed, new, new_task, template};
use tasker_store::{
    Acted, ActionRequest, Claim, ClaimRequest, Ending, Finished, FinishedAttempt, OperatorAction, Store,
    WorkerInfo,
};

const SCHEDULES: u64 = 3_000;
const OPERATIONS: usize = 40;
const MAX_ATTEMPTS: u32 = 3;

/// What is known of a step that nobody can derive.
#[derive(Clone, Debug, Default)]
struct Known {
    done: bool,
    failed: bool,
    retry_at: Option<i64>,
    claim: Option<Claim>,
    attempts: u32,
    attempts_before_reset: u32,
}

/// The naive truth about one task: a step is ready when all its parents are done and nothing else
/// is known of it.
struct Model {
    parents: Vec<Vec<u32>>,
    steps: Vec<Known>,
    ended: Option<TaskState>,
}

impl Model {
    fn state_of(&self, step: u32) -> StepState {
        let known = &self.steps[step as usize];
        match known {
            Known { done: true, .. } => StepState::Complete,
            Known { claim: Some(_), .. } => StepState::InProgress,
            Known { failed: true, .. } => StepState::Error,
            Known { retry_at: Some(_), .. } => StepState::WaitingForRetry,
            _ if self.parents[step as usize].iter().all(|parent| self.steps[*parent as usize].done) => {
                StepState::Ready
            }
            _ => StepState::Pending,
        }
    }

    fn state(&self) -> TaskState {
        let states = (0..).zip(&self.steps).map(|(step, _)| self.state_of(step));
        let states: Vec<_> = states.collect();
        match self.ended {
            Some(state) => state,
            None if states.iter().all(|state| *state == StepState::Complete) => TaskState::Complete,
            None if states.iter().all(|state| {
                matches!(state, StepState::Complete | StepState::Error | StepState::Pending)
            }) =>
            {
                TaskState::BlockedByFailures
            }
            None => TaskState::InProgress,
        }
    }

    /// The steps that are neither done nor untouched, as a store tells them.
    fn told(&self) -> BTreeMap<u32, (StepState, u32)> {
        let steps = (0..).zip(&self.steps).map(|(step, known)| (step, (self.state_of(step), known.attempts)));
        let is_told = |state: StepState| !matches!(state, StepState::Complete | StepState::Pending);
        steps.filter(|(_, (state, _))| self.ended.is_none() && is_told(*state)).collect()
    }
}

struct Simulation {
    store: MemoryStore,
    graph: Graph,
    model: Model,
    task: TaskId,
    worker: WorkerId,
    now: i64,
    random: fastrand::Rng,
    /// Answers that have been given, or whose claims were lost.
    closed: Vec<Claim>,
    log: Vec<String>,
}

impl Simulation {
    async fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let steps = random.u32(1..9);
        let parents: Vec<Vec<u32>> =
            (0..steps).map(|step| (0..step).filter(|_| random.u8(..3) == 0).collect()).collect();
        let graph = Graph::new(parents.clone());
        let (store, worker) = (MemoryStore::new(), WorkerId::random());
        store.register_worker(worker, WorkerInfo::here(), at(0)).await.unwrap();
        store.put_template(template()).await.unwrap();
        let record = new_task(&graph, 0);
        let task = record.id;
        let model = Model { steps: vec![Known::default(); parents.len()], parents, ended: None };
        let mut simulation =
            Self { store, graph, model, task, worker, now: 0, random, closed: Vec::new(), log: Vec::new() };
        let request = simulation.request();
        let claims = new(simulation.store.create_task(record, request).await.unwrap()).claims;
        simulation.claimed(claims);
        simulation
    }

    fn request(&mut self) -> ClaimRequest {
        let limit = self.random.usize(..4);
        ClaimRequest {
            worker: self.worker,
            limit,
            any: self.random.bool(),
            now: at(self.now),
            excluded: Arc::default(),
            namespaces: None,
        }
    }

    fn claimed(&mut self, claims: Vec<Claim>) {
        for claim in claims {
            let state = self.model.state_of(claim.step);
            let known = &mut self.model.steps[claim.step as usize];
            let is_due = state == StepState::Ready || known.retry_at.is_some_and(|due| due <= self.now);
            assert!(is_due, "{claim:?} was claimed while it is {state}");
            known.attempts += 1;
            known.retry_at = None;
            assert_eq!(
                (claim.attempt, claim.attempts_before_reset),
                (known.attempts, known.attempts_before_reset)
            );
            assert!(claim.attempt - claim.attempts_before_reset <= MAX_ATTEMPTS, "{claim:?}");
            known.claim = Some(claim);
        }
    }

    fn open(&self) -> Vec<Claim> {
        self.model.steps.iter().filter_map(|known| known.claim).collect()
    }

    async fn finish(&mut self, claim: Claim, ending: Ending) {
        let holds = self.model.steps[claim.step as usize].claim == Some(claim);
        if holds {
            let known = &mut self.model.steps[claim.step as usize];
            known.claim = None;
            match &ending {
                Ending::Complete { .. } => known.done = true,
                Ending::Failed { retry_at: Some(retry_at), .. } => {
                    known.retry_at = Some(retry_at.as_second() - at(0).as_second());
                }
                Ending::Failed { .. } => known.failed = true,
            }
        }
        let request = self.request();
        let attempt =
            FinishedAttempt { claim, started_at: claim.claimed_at, finished_at: at(self.now), ending };
        match self.store.finish(attempt, request).await.unwrap() {
            Finished::Recorded { claimed, settled } => {
                assert!(holds, "{claim:?} was answered though it did not hold");
                self.claimed(claimed.claims);
                assert_eq!(settled, Some(self.model.state()).filter(|state| state.is_settled()));
            }
            Finished::Stale => assert!(!holds, "{claim:?} held and was refused"),
        }
        self.closed.push(claim);
    }

    fn failed(&mut self, claim: Claim, outcome: AttemptOutcome) -> Ending {
        let may_retry = claim.attempt - claim.attempts_before_reset < MAX_ATTEMPTS && self.random.u8(..4) > 0;
        let retry_at = may_retry.then(|| at(self.now + self.random.i64(0..20)));
        match failed(retry_at) {
            Ending::Failed { error, retry_at, .. } => Ending::Failed { outcome, error, retry_at },
            other => other,
        }
    }

    async fn act(&mut self) {
        let step = self.random.u32(..u32::try_from(self.model.steps.len()).unwrap());
        let Ending::Complete { result, dependents, ends, .. } = self.graph.complete(step, "1") else {
            unreachable!()
        };
        let state = self.model.state();
        let reopens = matches!(state, TaskState::Cancelled | TaskState::Error);
        let (action, may) = match self.random.u8(..13) {
            0 => (OperatorAction::Cancel, !state.is_over()),
            1 => (OperatorAction::GiveUp { reason: DeadLetterReason::ManualDlq }, !state.is_over()),
            2 => {
                (OperatorAction::Investigate { status: DeadLetterStatus::Pending }, state == TaskState::Error)
            }
            3..6 => {
                // As the engine does: a task is reopened as a whole.
                let steps = (0..).zip(&self.model.steps).map(|(step, _)| step).filter(|step| match reopens {
                    true => matches!(self.model.state_of(*step), StepState::Ready | StepState::Error),
                    false => self.model.state_of(*step) == StepState::Error,
                });
                let attempts = |step: u32| self.model.steps[step as usize].attempts;
                let steps: Vec<_> = steps.map(|step| (step, attempts(step))).collect();
                if steps.is_empty() {
                    return;
                }
                (OperatorAction::Retry { steps }, true)
            }
            6..9 => {
                let waits =
                    matches!(self.model.state_of(step), StepState::WaitingForRetry | StepState::Ready);
                (OperatorAction::RetryNow { step }, waits && !state.is_over())
            }
            kind => {
                let open = !matches!(self.model.state_of(step), StepState::Complete | StepState::Pending);
                let action = match kind {
                    9..11 => OperatorAction::Complete { step, result, dependents, ends },
                    _ => OperatorAction::Resolve { step, dependents, ends },
                };
                (action, open && !state.is_over())
            }
        };
        self.log.push(format!("{action:?}"));
        let mut expected = BTreeSet::new();
        if may {
            let model = &mut self.model;
            match &action {
                OperatorAction::Cancel | OperatorAction::GiveUp { .. } => {
                    let state = if action == OperatorAction::Cancel {
                        TaskState::Cancelled
                    } else {
                        TaskState::Error
                    };
                    model.ended = Some(state);
                    for known in &mut model.steps {
                        expected.extend(known.claim.take().map(|claim| claim.step));
                        (known.failed, known.retry_at) = (false, None);
                    }
                }
                OperatorAction::Investigate { .. } => {}
                OperatorAction::Retry { steps } => {
                    model.ended = None;
                    for (step, _) in steps {
                        let known = &mut model.steps[*step as usize];
                        (known.failed, known.attempts_before_reset) = (false, known.attempts);
                    }
                }
                OperatorAction::RetryNow { step } => model.steps[*step as usize].retry_at = None,
                OperatorAction::Complete { step, .. } | OperatorAction::Resolve { step, .. } => {
                    let known = &mut model.steps[*step as usize];
                    expected.extend(known.claim.take().map(|claim| claim.step));
                    (known.done, known.failed, known.retry_at) = (true, false, None);
                }
            }
        }
        let open: Vec<Claim> = self.closed.clone();
        let (by, reason) = ("ada".to_owned(), "a simulation".to_owned());
        let request = ActionRequest { task: self.task, action, by, reason, at: at(self.now) };
        match self.store.act(request).await.unwrap() {
            Acted::Done { state, revoked } => {
                assert!(may, "what cannot be done was done");
                assert_eq!(state, self.model.state());
                assert_eq!(revoked.iter().map(|claim| claim.step).collect::<BTreeSet<_>>(), expected);
                self.closed = open.into_iter().chain(revoked).collect();
            }
            refused => assert!(!may, "{refused:?}"),
        }
    }

    async fn step(&mut self) {
        let open = self.open();
        let any = (!open.is_empty()).then(|| open[self.random.usize(..open.len())]);
        match (self.random.u8(..20), any) {
            (0..3, _) => {
                let request = ClaimRequest { limit: 1 + self.random.usize(..3), ..self.request() };
                let claimed = self.store.claim(request).await.unwrap();
                self.claimed(claimed.claims);
            }
            (3..9, Some(claim)) => {
                let ending = self.graph.complete(claim.step, "0");
                self.finish(claim, ending).await;
            }
            (9..12, Some(claim)) => {
                let ending = self.failed(claim, AttemptOutcome::Failed);
                self.finish(claim, ending).await;
            }
            (12, Some(claim)) => {
                self.store.release(vec![claim], None, at(self.now)).await.unwrap();
                let known = &mut self.model.steps[claim.step as usize];
                (known.claim, known.attempts) = (None, known.attempts - 1);
            }
            (13, _) => {
                // The worker dies; another takes over what it had claimed.
                self.store.worker_died(self.worker);
                let mut gone = self.store.orphaned().await.unwrap();
                gone.sort_by_key(|claim| claim.step);
                assert_eq!(gone, open);
                self.worker = WorkerId::random();
                self.store.register_worker(self.worker, WorkerInfo::here(), at(self.now)).await.unwrap();
                for claim in gone {
                    let ending = self.failed(claim, AttemptOutcome::Crashed);
                    self.finish(claim, ending).await;
                }
                assert!(self.store.orphaned().await.unwrap().is_empty());
            }
            (14, _) if !self.closed.is_empty() => {
                // An answer that comes late, or a second time.
                let claim = self.closed[self.random.usize(..self.closed.len())];
                let ending = self.graph.complete(claim.step, "9");
                self.finish(claim, ending).await;
            }
            (15..17, _) => self.now += self.random.i64(1..10),
            (17.., _) => self.act().await,
            _ => {}
        }
    }

    async fn compare(&self) {
        let record = self.store.task(self.task).await.unwrap().unwrap();
        assert_eq!(record.head.state, self.model.state());
        let told: BTreeMap<u32, (StepState, u32)> = record
            .steps
            .iter()
            .map(|step| {
                // What was handed back or made ready again after failures is ready, and counts them.
                (step.step, (step.state, step.attempts))
            })
            .collect();
        assert_eq!(told, self.model.told());
        let results: Vec<u32> =
            record.attempts.iter().filter(|one| one.outcome.is_done()).map(|one| one.step).collect();
        let distinct: BTreeSet<u32> = results.iter().copied().collect();
        assert_eq!(results.len(), distinct.len(), "a step has two results");
    }
}

#[test]
fn every_schedule_ends_where_the_model_says() {
    let one: Option<u64> = std::env::var("TASKER_SEED").ok().map(|seed| seed.parse().unwrap());
    let first = one.unwrap_or_else(|| fastrand::u64(..1 << 40));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for seed in first..first + one.map_or(SCHEDULES, |_| 1) {
        let _seed = Seed(seed);
        runtime.block_on(async {
            let mut simulation = Simulation::new(seed).await;
            simulation.compare().await;
            for _ in 0..OPERATIONS {
                simulation.step().await;
                simulation.compare().await;
            }
        });
    }
}

/// Tells its schedule's seed when that fails.
struct Seed(u64);

impl Drop for Seed {
    #[allow(clippy::print_stderr, reason = "a failed test tells how to run it again")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the schedule that failed: TASKER_SEED={}", self.0);
        }
    }
}
