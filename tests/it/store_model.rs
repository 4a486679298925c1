//! Random graphs and random histories: every store answers as the memory store does, also when two
//! processes take turns.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tasker_runtime::TaskId;
use tasker_runtime::operate::{DeadLetterReason, DeadLetterStatus};
use tasker_runtime::store::{MemoryStore, PostgresStore, SqliteStore};
use tasker_runtime::worker::WorkerId;
use tasker_store::conformance::{Shape, at, failed, new, new_task, template};
use tasker_store::{
    Acted, ActionRequest, Claim, ClaimRequest, Claimed, Ending, Finished, FinishedAttempt, Json,
    OperatorAction, StepKey, Store, TaskFilter, WorkerInfo,
};

use crate::postgres::Schema;

#[derive(Clone, Debug)]
enum Operation {
    Create {
        limit: usize,
    },
    Claim {
        limit: usize,
    },
    Complete {
        which: usize,
        limit: usize,
        any: bool,
        /// How many runs a step that waits for it is given.
        runs: Option<u32>,
    },
    Retry {
        which: usize,
        after: i64,
    },
    Fail {
        which: usize,
    },
    Release {
        which: usize,
    },
    /// An answer to a claim that was answered or handed back already.
    Repeat {
        which: usize,
    },
    Wait {
        seconds: i64,
    },
    /// What an operator does to a task, whether it can be done or not.
    Act {
        task: usize,
        step: u32,
        instance: u32,
        kind: usize,
    },
    /// Another process goes on with everything: what the first one knows is soon out of date.
    Swap,
}

fn operation() -> impl Strategy<Value = Operation> {
    let which = 0..100_usize;
    let limit = 0..4_usize;
    prop_oneof![
        1 => limit.clone().prop_map(|limit| Operation::Create { limit }),
        3 => limit.clone().prop_map(|limit| Operation::Claim { limit }),
        6 => (which.clone(), limit, any::<bool>(), prop::option::weighted(0.3, 0..4_u32))
            .prop_map(|(which, limit, any, runs)| Operation::Complete { which, limit, any, runs }),
        2 => (which.clone(), 0..20_i64).prop_map(|(which, after)| Operation::Retry { which, after }),
        1 => which.clone().prop_map(|which| Operation::Fail { which }),
        1 => which.clone().prop_map(|which| Operation::Release { which }),
        1 => which.prop_map(|which| Operation::Repeat { which }),
        1 => (1..10_i64).prop_map(|seconds| Operation::Wait { seconds }),
        2 => (0..9_usize, 0..9_u32, 0..4_u32, 0..9_usize)
            .prop_map(|(task, step, instance, kind)| Operation::Act { task, step, instance, kind }),
        2 => Just(Operation::Swap),
    ]
}

/// Each step waits for some of those before it.
fn graph() -> impl Strategy<Value = Shape> {
    (1..9_usize).prop_flat_map(|steps| {
        let masks: Vec<_> = (0..steps).map(|step| 0..(1_u32 << step)).collect();
        masks.prop_map(|masks| {
            let bits = |mask: u32| (0..u32::BITS).filter(|bit| mask & (1 << bit) != 0).collect();
            Shape::new(masks.into_iter().map(bits).collect())
        })
    })
}

/// The two stores, and what the history has brought so far.
struct Pair {
    stores: [Arc<dyn Store>; 2],
    /// The second one, as another process has it open.
    other: Arc<dyn Store>,
    shape: Shape,
    /// How many runs a step of a task has been given.
    given: BTreeMap<(TaskId, u32), u32>,
    worker: WorkerId,
    now: i64,
    tasks: Vec<TaskId>,
    open: Vec<Claim>,
    closed: Vec<Claim>,
}

impl Pair {
    fn request(&self, limit: usize, any: bool) -> ClaimRequest {
        ClaimRequest {
            worker: self.worker,
            limit,
            any,
            now: at(self.now),
            excluded: Arc::default(),
            namespaces: None,
        }
    }

    async fn apply(&mut self, operation: &Operation) {
        match *operation {
            Operation::Create { limit } => {
                let task = new_task(&self.shape, self.now);
                self.tasks.push(task.id);
                let request = self.request(limit, false);
                let [one, other] = &self.stores;
                let one = new(one.create_task(task.clone(), request.clone()).await.unwrap());
                let other = new(other.create_task(task, request).await.unwrap());
                self.claimed(one, &other);
            }
            Operation::Claim { limit } => {
                let request = self.request(limit, true);
                let [one, other] = &self.stores;
                let (one, other) =
                    (one.claim(request.clone()).await.unwrap(), other.claim(request).await.unwrap());
                self.claimed(one, &other);
            }
            Operation::Complete { which, limit, any, runs } => {
                let Some(claim) = self.take(which) else { return };
                let ending = self.completed(&claim, runs);
                self.finish(claim, ending, self.request(limit, any)).await;
            }
            Operation::Retry { which, after } => {
                let Some(claim) = self.take(which) else { return };
                self.finish(claim, failed(Some(at(self.now + after))), self.request(0, false)).await;
            }
            Operation::Fail { which } => {
                let Some(claim) = self.take(which) else { return };
                self.finish(claim, failed(None), self.request(1, false)).await;
            }
            Operation::Release { which } => {
                let Some(claim) = self.take(which) else { return };
                for store in &self.stores {
                    store.release(vec![claim], None, at(self.now)).await.unwrap();
                }
                self.closed.push(claim);
            }
            Operation::Repeat { which } => {
                let Some(claim) = self.closed.get(which % self.closed.len().max(1)).copied() else { return };
                // The same attempt may have been claimed again after it was handed back.
                if self.open.contains(&claim) {
                    return;
                }
                let ending = self.shape.complete("null");
                self.finish(claim, ending, self.request(1, false)).await;
            }
            Operation::Wait { seconds } => self.now += seconds,
            Operation::Act { task, step, instance, kind } => {
                let task = self.tasks[task % self.tasks.len()];
                let step = step % u32::try_from(self.shape.graph().len()).unwrap();
                let run = match self.given.get(&(task, step)) {
                    None => step.into(),
                    // There is nothing to steer in a step that has no runs.
                    Some(0) => return,
                    Some(runs) => StepKey::instance(step, 1 + instance % runs),
                };
                self.act(task, run, kind).await;
            }
            Operation::Swap => std::mem::swap(&mut self.stores[1], &mut self.other),
        }
    }

    /// The ending of a completed run; an ordinary one may give the first step that waits for it several.
    fn completed(&mut self, claim: &Claim, runs: Option<u32>) -> Ending {
        let first = self.shape.graph().dependents(claim.key.step).first().copied();
        match (first, runs) {
            (Some(step), Some(runs))
                if claim.key.is_only() && !self.given.contains_key(&(claim.task, step)) =>
            {
                self.given.insert((claim.task, step), runs);
                self.shape.spawn(step, runs)
            }
            _ => self.shape.complete(&claim.key.step.to_string()),
        }
    }

    async fn act(&mut self, task: TaskId, run: StepKey, kind: usize) {
        let [one, other] = &self.stores;
        let record = one.task(task).await.unwrap().unwrap();
        let graph = Arc::clone(self.shape.graph());
        let own = record.attempts.iter().filter(|one| one.key == run);
        let attempts = own.map(|one| one.attempt).max().unwrap_or(0);
        let action = match kind {
            0 => OperatorAction::Cancel,
            1 => OperatorAction::GiveUp { reason: DeadLetterReason::ManualDlq },
            2 => OperatorAction::Retry { runs: vec![(run, attempts)] },
            3 => OperatorAction::RetryNow { run },
            4 => OperatorAction::Complete { run, result: Json::from_value(&9).unwrap(), graph },
            7 => OperatorAction::GiveResult {
                run,
                result: Json::from_value(&7).unwrap(),
                readers: graph.dependents(run.step).to_vec(),
            },
            8 => OperatorAction::Amend { context: Json::from_value(&[self.now]).unwrap() },
            5 => OperatorAction::Investigate { status: DeadLetterStatus::PermanentlyFailed },
            _ => OperatorAction::Resolve { run, graph },
        };
        let (by, reason) = ("ada".to_owned(), "why not".to_owned());
        let request = ActionRequest { task, action, by, reason, at: at(self.now) };
        let acted = one.act(request.clone()).await.unwrap();
        assert_eq!(acted, other.act(request).await.unwrap());
        if let Acted::Done { revoked, .. } = acted {
            self.open.retain(|claim| !revoked.contains(claim));
            self.closed.extend(revoked);
        }
    }

    fn take(&mut self, which: usize) -> Option<Claim> {
        let which = which.checked_rem(self.open.len())?;
        Some(self.open.swap_remove(which))
    }

    async fn finish(&mut self, claim: Claim, ending: Ending, request: ClaimRequest) {
        self.closed.push(claim);
        let attempt =
            FinishedAttempt { claim, started_at: claim.claimed_at, finished_at: at(self.now), ending };
        let [one, other] = &self.stores;
        let one = one.finish(attempt.clone(), request.clone()).await.unwrap();
        let other = other.finish(attempt, request).await.unwrap();
        match (one, other) {
            (Finished::Stale, Finished::Stale) => {}
            (
                Finished::Recorded { claimed, settled },
                Finished::Recorded { claimed: other, settled: other_settled },
            ) => {
                assert_eq!(settled, other_settled);
                self.claimed(claimed, &other);
            }
            (one, other) => panic!("assertion failed: the stores answer {one:?} and {other:?}"),
        }
    }

    fn claimed(&mut self, one: Claimed, other: &Claimed) {
        assert_eq!(one.claims, other.claims);
        assert_eq!((one.more, one.next_due, &one.left), (other.more, other.next_due, &other.left));
        self.open.extend(one.claims);
    }

    /// What runs need is the same, and so are the results of all steps.
    async fn compare_inputs(&self, task: TaskId) {
        let [one, other] = &self.stores;
        let steps: Vec<u32> = (0..u32::try_from(self.shape.graph().len()).unwrap()).collect();
        let given = steps.iter().flat_map(|step| {
            let runs = self.given.get(&(task, *step)).copied().unwrap_or(0);
            (0..=runs).map(|instance| StepKey { step: *step, instance })
        });
        for run in given {
            let inputs = one.inputs(task, run, &steps).await.unwrap();
            assert_eq!(
                format!("{inputs:?}"),
                format!("{:?}", other.inputs(task, run, &steps).await.unwrap())
            );
        }
    }

    async fn compare(&self) {
        for task in &self.tasks {
            let [one, other] = &self.stores;
            let (one, other) = (one.task(*task).await.unwrap(), other.task(*task).await.unwrap());
            assert_eq!(format!("{one:#?}"), format!("{other:#?}"));
            self.compare_inputs(*task).await;
        }
        // What is claimed may be missing in a glance.
        let glance = async |store: &Arc<dyn Store>| {
            let mut all = store.glance(&self.tasks).await.unwrap();
            all.sort_by_key(|one| one.id);
            all.iter_mut().for_each(|one| one.runs.retain(|run| run.claimed_at.is_none()));
            format!("{all:#?}")
        };
        assert_eq!(glance(&self.stores[0]).await, glance(&self.stores[1]).await);
        for given_up in [false, true] {
            let filter = TaskFilter::new().limit(100);
            let filter = if given_up { filter.given_up() } else { filter };
            let [one, other] = &self.stores;
            let (one, other) = (one.tasks(filter.clone()).await.unwrap(), other.tasks(filter).await.unwrap());
            assert_eq!(format!("{one:#?}"), format!("{other:#?}"));
        }
    }
}

/// Runs a history on a store that two processes have open, and on one in memory.
async fn compare_with_memory(stores: [Arc<dyn Store>; 2], shape: Shape, history: &[Operation]) {
    let [one, other] = stores;
    let stores: [Arc<dyn Store>; 2] = [Arc::new(MemoryStore::new()), one];
    let worker = WorkerId::random();
    for store in &stores {
        store.register_worker(worker, WorkerInfo::here(), at(0)).await.unwrap();
        store.put_template(template()).await.unwrap();
    }
    let (tasks, open, closed) = (Vec::new(), Vec::new(), Vec::new());
    let given = BTreeMap::new();
    let mut pair = Pair { stores, other, shape, given, worker, now: 0, tasks, open, closed };
    pair.apply(&Operation::Create { limit: 1 }).await;
    for operation in history {
        pair.apply(operation).await;
    }
    pair.compare().await;
}

fn history() -> impl Strategy<Value = Vec<Operation>> {
    prop::collection::vec(operation(), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_answers_as_memory_does(graph in graph(), history in history()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let open = || Arc::new(SqliteStore::open(directory.path().join("model.db")).unwrap());
            compare_with_memory([open(), open()], graph, &history).await;
        });
    }
}

/// What a store knows of a task may be out of date, and what it claims from the queue is newer.
#[test]
fn a_late_answer_to_a_step_that_an_operator_resolved_changes_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let schema = Schema::new();
    let open = || runtime.block_on(PostgresStore::open(&schema.url())).unwrap();
    let stores: [Arc<dyn Store>; 2] = [Arc::new(open()), Arc::new(open())];
    let claim = || Operation::Claim { limit: 3 };
    let resolve = |step| Operation::Act { task: 0, step, instance: 0, kind: 6 };
    // Steps 0 and 1 are claimed when they are resolved, and step 2, which waited for both, when they answer.
    let late = [0, 1].map(|which| Operation::Repeat { which });
    let history: Vec<_> = [claim(), resolve(0), resolve(1), claim()].into_iter().chain(late).collect();
    let graph = Shape::new(vec![vec![], vec![], vec![0, 1]]);
    runtime.block_on(compare_with_memory(stores, graph, &history));
}

/// On one schema for all histories: making one takes longer than a history does.
#[test]
fn postgres_answers_as_memory_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let schema = Schema::new();
    let open = || runtime.block_on(PostgresStore::open(&schema.url())).unwrap();
    let stores: [Arc<dyn Store>; 2] = [Arc::new(open()), Arc::new(open())];
    let config = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    let tables =
        ["task", "step", "attempt", "action", "worker"].map(|table| format!("{}.{table}", schema.name()));
    let clear = format!("TRUNCATE {}", tables.join(", "));
    proptest!(config, |(graph in graph(), history in history())| {
        runtime.block_on(async {
            schema.execute(&clear).await;
            compare_with_memory(stores.clone(), graph, &history).await;
        });
    });
}
