//! What must be true whenever nobody works, and at the end.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tasker_runtime::doctor::{DoctorOptions, DoctorReport, Finding, FindingKind};
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::{StepState, Task, TaskFilter, TaskState, Tasker};
use tokio::task::JoinSet;

use crate::processes::ledger::{Ledger, StepKey};

/// Readers at a time.
const READERS: usize = 3;

/// What the store says at a moment at which nobody works.
#[derive(Debug)]
pub struct Snapshot {
    tasks: Vec<Task>,
    /// The steps that are complete: with what result, and how often each had begun by then.
    complete: HashMap<StepKey, (String, usize)>,
    report: DoctorReport,
}

/// What a run of the harness has seen.
#[derive(Debug, Default)]
pub struct Totals {
    tasks: usize,
    pub acknowledged: usize,
    attempts: usize,
    pub crashed: usize,
    poisoned: usize,
}

impl Totals {
    pub fn add(&mut self, other: Self) {
        self.tasks += other.tasks;
        self.acknowledged += other.acknowledged;
        self.attempts += other.attempts;
        self.crashed += other.crashed;
        self.poisoned += other.poisoned;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} tasks ended ({} acknowledged), in {} attempts, of which {} crashed; {} poisonous steps were given up",
            self.tasks, self.acknowledged, self.attempts, self.crashed, self.poisoned
        )
    }
}

impl Snapshot {
    pub fn take(store_url: &str, ledger: &Ledger) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let tasks = runtime.block_on(read(store_url));
        let report = runtime.block_on(look(store_url));
        // Nobody works now who would end them.
        let is_fault = |finding: &&Finding| finding.is_fault() && finding.kind != FindingKind::OrphanedClaim;
        let faults: Vec<&Finding> = report.findings.iter().filter(is_fault).collect();
        assert!(faults.is_empty(), "{faults:#?}");
        let mut complete = HashMap::new();
        for task in &tasks {
            for step in task.steps.iter().filter(|step| step.state == StepState::Complete) {
                let key = (task.id.to_string(), step.name.clone());
                let begins = ledger.begins(&key);
                complete.insert(key, (step.result.as_ref().unwrap().get().to_owned(), begins));
            }
        }
        let snapshot = Self { tasks, complete, report };
        snapshot.holds(ledger);
        snapshot
    }

    /// The steps that are complete.
    pub fn complete_steps(&self) -> impl Iterator<Item = &StepKey> {
        self.complete.keys()
    }

    pub fn has_tasks(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// What is true at any moment.
    fn holds(&self, ledger: &Ledger) {
        let present: HashSet<String> = self.tasks.iter().map(|task| task.id.to_string()).collect();
        for id in &ledger.acknowledged {
            assert!(present.contains(id), "task {id} is lost");
        }
        for (step, attempts) in &ledger.begun {
            for (attempt, begun) in attempts {
                assert_eq!(*begun, 1, "attempt {attempt} of {step:?} has run {begun} times");
            }
        }
        for task in &self.tasks {
            for step in &task.steps {
                let count = u32::try_from(step.attempts.len()).unwrap();
                assert!(count <= step.max_attempts, "{} attempts of {}: {task:?}", count, step.name);
                let results = step.attempts.iter().filter(|one| one.outcome == AttemptOutcome::Complete);
                let results: Vec<_> = results.collect();
                assert!(results.len() <= 1, "{} of {} has two results", step.name, task.id);
                let Some(last) = results.first() else { continue };
                let key = (task.id.to_string(), step.name.clone());
                let begun = ledger.begun.get(&key).and_then(|attempts| attempts.keys().next_back());
                assert_eq!(begun, Some(&last.attempt), "{key:?} has begun again after it was complete");
                let returned = ledger.returned.get(&(key, last.attempt)).map(|value| format!("\"{value}\""));
                assert_eq!(returned.as_deref(), step.result.as_ref().map(|result| result.get()));
            }
        }
    }

    /// What was recorded then is what is recorded now, and no complete step has begun again.
    pub fn still_holds_in(&self, later: &Self) {
        for (step, (result, begins)) in &self.complete {
            let (now, begins_now) = &later.complete[step];
            assert_eq!(result, now, "the result of {step:?} has changed");
            assert_eq!(begins, begins_now, "{step:?} has run again after it was complete");
        }
    }

    /// What is true at the end.
    pub fn account(&self, ledger: &Ledger) -> Totals {
        assert!(self.report.is_content(), "{:#?}", self.report);
        assert_eq!(self.report.looked_at.tasks, self.tasks.len() as u64);
        let (tasks, acknowledged) = (self.tasks.len(), ledger.acknowledged.len());
        let mut totals = Totals { tasks, acknowledged, ..Totals::default() };
        for task in &self.tasks {
            let state =
                if task.name == "poisoned" { TaskState::BlockedByFailures } else { TaskState::Complete };
            assert_eq!(task.state, state, "{task:?}");
            for step in &task.steps {
                totals.attempts += step.attempts.len();
                let crashed = step.attempts.iter().filter(|one| one.outcome == AttemptOutcome::Crashed);
                totals.crashed += crashed.count();
                let begun = ledger.begun.get(&(task.id.to_string(), step.name.clone()));
                for attempt in begun.into_iter().flat_map(|attempts| attempts.keys()) {
                    let is_recorded = step.attempts.iter().any(|one| one.attempt == *attempt);
                    assert!(is_recorded, "no record of attempt {attempt} of {}: {task:?}", step.name);
                }
                match (step.name.as_str(), step.state) {
                    ("poison", StepState::Error) => {
                        assert_eq!(step.attempts.len(), 3, "{step:?}");
                        totals.poisoned += 1;
                    }
                    ("never", StepState::Pending) | (_, StepState::Complete) => {}
                    (_, state) => panic!("step {} of task {} is {state}", step.name, task.id),
                }
            }
        }
        totals
    }
}

/// What `doctor` says of the store.
async fn look(store_url: &str) -> DoctorReport {
    let builder = Tasker::builder().only_listed_handlers().without_worker().store_url(store_url);
    let onlooker = builder.build().await.unwrap();
    let options = DoctorOptions::new().complete_tasks().second_look(Duration::from_millis(1));
    onlooker.doctor(&options).await.unwrap()
}

/// All tasks, as an onlooker sees them.
async fn read(store_url: &str) -> Vec<Task> {
    let builder = Tasker::builder().only_listed_handlers().without_worker().store_url(store_url);
    let onlooker = builder.build().await.unwrap();
    let heads = onlooker.list(TaskFilter::new().limit(1_000_000)).await.unwrap();
    let ids: Arc<[_]> = heads.iter().map(|head| head.id).collect();
    let mut readers = JoinSet::new();
    for first in 0..READERS {
        let (onlooker, ids) = (onlooker.clone(), Arc::clone(&ids));
        readers.spawn(async move {
            let mut tasks = Vec::new();
            for id in ids.iter().skip(first).step_by(READERS) {
                tasks.push(onlooker.get_task(*id).await.unwrap());
            }
            tasks
        });
    }
    readers.join_all().await.into_iter().flatten().collect()
}
