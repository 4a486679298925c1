//! What `doctor` is asked for, and its report.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tasker_store::Migration;
use tasker_store::doctor::{Finding, FindingKind, TaskFacts};

/// The largest number of findings in a report. More are counted only.
const MAX_FINDINGS: usize = 1_000;

/// What [`Tasker::doctor`](crate::Tasker::doctor) looks at, and whether it repairs.
///
/// ```
/// use tasker::doctor::DoctorOptions;
/// let options = DoctorOptions::new().complete_tasks().repair();
/// # drop(options);
/// ```
#[derive(Clone, Debug, Default)]
pub struct DoctorOptions {
    pub(crate) repair: bool,
    pub(crate) complete_tasks: bool,
    pub(crate) second_look: Option<Duration>,
}

impl DoctorOptions {
    /// Looks at all tasks that are not complete, and changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at complete tasks as well, which are many in a store that keeps them.
    #[must_use]
    pub fn complete_tasks(mut self) -> Self {
        self.complete_tasks = true;
        self
    }

    /// Repairs what can be repaired safely. Each repair of a task is recorded among its actions, and an attempt
    /// that is ended among its attempts.
    #[must_use]
    pub fn repair(mut self) -> Self {
        self.repair = true;
        self
    }

    /// How long to wait before claims of dead workers are looked at a second time, so that living workers have
    /// ended them by then. It is a little longer than this runtime's
    /// [`reap_interval`](crate::Builder::reap_interval) unless it is set here: give it the longest of the workers.
    #[must_use]
    pub fn second_look(mut self, after: Duration) -> Self {
        self.second_look = Some(after);
        self
    }
}

/// How much `doctor` has looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LookedAt {
    /// Tasks that are not complete; with [`complete_tasks`](DoctorOptions::complete_tasks), all tasks.
    pub tasks: u64,
    /// Runs of steps that are not done.
    pub runs: u64,
    /// Attempts that have ended.
    pub attempts: u64,
    /// Claims that workers hold on runs of those tasks.
    pub claims: u64,
    /// Templates of those tasks.
    pub templates: u64,
    /// Workers, those that are dead included.
    pub workers: u64,
    /// Fleet limits.
    pub limits: u64,
}

impl LookedAt {
    pub(crate) fn add(&mut self, task: &TaskFacts, claims: usize) {
        self.tasks += 1;
        self.runs += task.runs.len() as u64;
        self.attempts += task.attempts.len() as u64;
        self.claims += claims as u64;
    }
}

/// What `doctor` has looked at and found.
///
/// ```
/// # use tasker::{Error, Tasker, doctor::DoctorOptions};
/// async fn is_well(tasker: &Tasker) -> Result<bool, Error> {
///     Ok(tasker.doctor(&DoctorOptions::new()).await?.is_content())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DoctorReport {
    /// The name of the store in messages, without a password.
    pub store: String,
    /// How much was looked at.
    pub looked_at: LookedAt,
    /// What was found, at most a thousand findings.
    pub findings: Vec<Finding>,
    /// How many more findings there are.
    pub more: u64,
}

impl DoctorReport {
    pub(crate) fn new(store: String) -> Self {
        Self { store, looked_at: LookedAt::default(), findings: Vec::new(), more: 0 }
    }

    /// The report on a store whose schema is not up to date, which is not looked at any further.
    ///
    /// ```
    /// # fn of(plan: &tasker::store::Migration) {
    /// let report = tasker::doctor::DoctorReport::outdated(plan);
    /// assert!(!report.is_content());
    /// # }
    /// ```
    #[must_use]
    pub fn outdated(plan: &Migration) -> Self {
        let what = format!("The schema has version {}, and this program needs {}.", plan.from, plan.to);
        let way_out = "Bring it up to date with `migrate`, and look again.";
        let mut report = Self::new(plan.store.clone());
        report.add(Finding::new(FindingKind::SchemaOutdated, what, way_out));
        report
    }

    /// Whether no fault remains. Notes and what was repaired are no faults.
    ///
    /// ```
    /// # fn check(report: &tasker::doctor::DoctorReport) {
    /// assert!(report.is_content(), "{report:#?}");
    /// # }
    /// ```
    #[must_use]
    pub fn is_content(&self) -> bool {
        self.more == 0 && !self.findings.iter().any(Finding::is_fault)
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }
}
