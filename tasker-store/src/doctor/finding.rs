//! What `doctor` finds.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::doctor::check::DERIVED_ANEW;
use crate::id::{TaskId, WorkerId};
use crate::limit::LimitScope;
use crate::word::words;

words! {
    /// What is wrong, or worth knowing.
    ///
    /// ```
    /// use tasker::doctor::FindingKind;
    /// assert_eq!(FindingKind::NothingMoves.as_str(), "nothing_moves");
    /// assert!(FindingKind::NotDurable.is_note());
    /// ```
    FindingKind, "kind of finding" {
        /// A task is in progress, and none of its runs is ready, claimed, or waits for a time.
        NothingMoves = "nothing_moves",
        /// Everything that a step waits for is done, and the step has no run.
        RunMissing = "run_missing",
        /// A run is ready or waits for a time, and is in no queue; or it is in progress under no claim.
        RunNotQueued = "run_not_queued",
        /// A run has a row that it must not have: its step is done, or waits for others, or its task is over.
        RunOutOfPlace = "run_out_of_place",
        /// The state of a task is another than that which follows from its runs.
        WrongState = "wrong_state",
        /// The attempts of a run are numbered with gaps, differ from its counter, or have several results.
        WrongAttempts = "wrong_attempts",
        /// A run has had more attempts than its template allows.
        TooManyAttempts = "too_many_attempts",
        /// A claim of a worker that is dead, which no other worker has ended.
        OrphanedClaim = "orphaned_claim",
        /// A claim of a worker that the store does not know, which nobody ends.
        UnknownWorker = "unknown_worker",
        /// The template of a task is not in the store.
        TemplateMissing = "template_missing",
        /// The template of a task cannot be read.
        TemplateUnreadable = "template_unreadable",
        /// A record of a task cannot be read.
        RecordUnreadable = "record_unreadable",
        /// The store's schema is not the one that this program needs.
        SchemaOutdated = "schema_outdated",
        /// An index is missing or invalid.
        IndexMissing = "index_missing",
        /// The database itself is damaged.
        Damaged = "damaged",
        /// Rows that belong to a task or limit that is gone.
        LeftOver = "left_over",
        /// The text encoding of the database cannot hold every text.
        Encoding = "encoding",
        /// A note: a setting of the database gives durability away.
        NotDurable = "not_durable",
        /// A note: a dead worker has permits. They do not count.
        DeadPermits = "dead_permits",
        /// A note: more permits are held than the limit allows, as after it was lowered.
        TooManyPermits = "too_many_permits",
    }
}

/// What repairs a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Nothing that is safe without an operator's decision.
    Nothing,
    /// The task's runs, counters and state are derived anew.
    Task,
    /// The claim is ended, and its attempt recorded as crashed.
    Claim,
    /// The store itself mends it.
    Store,
}

impl FindingKind {
    /// Whether it is only a note: nothing is wrong with what the store holds.
    ///
    /// ```
    /// assert!(!tasker::doctor::FindingKind::RunMissing.is_note());
    /// ```
    #[must_use]
    pub const fn is_note(self) -> bool {
        matches!(self, Self::NotDurable | Self::DeadPermits | Self::TooManyPermits)
    }

    /// What repairs it.
    #[must_use]
    pub(crate) const fn repair(self) -> Repair {
        match self {
            Self::NothingMoves
            | Self::RunMissing
            | Self::RunNotQueued
            | Self::RunOutOfPlace
            | Self::WrongState
            | Self::WrongAttempts => Repair::Task,
            Self::OrphanedClaim | Self::UnknownWorker => Repair::Claim,
            Self::LeftOver | Self::DeadPermits => Repair::Store,
            _ => Repair::Nothing,
        }
    }
}

/// Something that `doctor` has found: where, since when, and what to do about it.
///
/// ```
/// # use tasker::{Error, Tasker, doctor::DoctorOptions};
/// async fn print(tasker: &Tasker) -> Result<(), Error> {
///     for finding in tasker.doctor(&DoctorOptions::new()).await?.findings {
///         println!("{finding}");
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of thing it is.
    pub kind: FindingKind,
    /// The task that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The step that it is about, by name, with `#` and a number for one of several runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The worker that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
    /// Since when it has been so, at the earliest; `None` when nothing tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What was found, as a sentence.
    pub what: String,
    /// What to do, as a sentence.
    pub way_out: String,
    /// Whether it has been repaired.
    pub repaired: bool,
}

impl Finding {
    /// A finding that is about nothing in particular.
    #[must_use]
    pub fn new(kind: FindingKind, what: impl Into<String>, way_out: impl Into<String>) -> Self {
        let (what, way_out) = (what.into(), way_out.into());
        Self { kind, task: None, step: None, worker: None, since: None, what, way_out, repaired: false }
    }

    /// The note that a dead worker has permits under a limit.
    #[must_use]
    pub fn dead_permits(worker: WorkerId, held: u32, scope: &LimitScope) -> Self {
        let what = format!("a worker that is dead has {held} permits under the limit on {scope}.");
        let way_out =
            "They do not count. They are deleted when somebody asks for permits there, or by `--repair`.";
        Self { worker: Some(worker), ..Self::new(FindingKind::DeadPermits, what, way_out) }
    }

    /// Rows of a table that belong to something that is gone. `owner` is what they belonged to.
    #[must_use]
    pub fn left_over(rows: u64, table: &str, owner: &str) -> Self {
        let what = format!("{rows} rows of the table `{table}` belong to a {owner} that is gone.");
        Self::new(FindingKind::LeftOver, what, "`--repair` deletes them.")
    }

    /// A task in a state that this version does not know, so that no page of [`Facts`](crate::doctor::Facts) has it.
    #[must_use]
    pub fn unknown_state(task: TaskId, state: &str) -> Self {
        let what = format!("a record cannot be read: the state of the task is `{state}`.");
        let way_out = "If a newer version has written it, use that one; otherwise correct the row by hand.";
        Self { task: Some(task), ..Self::new(FindingKind::RecordUnreadable, what, way_out) }
    }

    /// An index that the store's statements need is not there.
    #[must_use]
    pub fn index_missing(what: &str, sql: &str) -> Self {
        Self::new(FindingKind::IndexMissing, what, format!("Create it: `{sql}`."))
    }

    /// The same finding, about a task and one of its steps.
    #[must_use]
    pub fn about(self, task: Option<TaskId>, step: Option<String>) -> Self {
        Self { task, step, ..self }
    }

    /// The same finding, with the time since which it has been so.
    #[must_use]
    pub fn since(self, since: Option<Timestamp>) -> Self {
        Self { since, ..self }
    }

    /// Whether a repair derives anew what it is about.
    #[must_use]
    pub fn is_derived_anew(&self) -> bool {
        self.way_out == DERIVED_ANEW
    }

    /// The same finding, with another way out.
    #[must_use]
    pub fn instead(self, way_out: &str) -> Self {
        Self { way_out: way_out.to_owned(), ..self }
    }

    /// The same finding, with whether it has been repaired.
    #[must_use]
    pub fn with_repaired(self, repaired: bool) -> Self {
        Self { repaired, ..self }
    }

    /// What repairs it.
    #[must_use]
    pub const fn repair(&self) -> Repair {
        self.kind.repair()
    }

    /// Whether it is a fault that remains: no note, and not repaired.
    ///
    /// ```
    /// # fn remaining(report: &tasker::doctor::DoctorReport) -> usize {
    /// report.findings.iter().filter(|finding| finding.is_fault()).count()
    /// # }
    /// ```
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        !self.repaired && !self.kind.is_note()
    }
}

/// `nothing_moves: task …, step `…`: what was found. What to do.`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, task, step, worker, since, what, way_out, repaired } = self;
        let places = [
            task.map(|task| format!("task {task}")),
            step.as_ref().map(|step| format!("step `{step}`")),
            worker.map(|worker| format!("worker {worker}")),
            since.map(|since| format!("since {}", since.strftime("%Y-%m-%d %H:%M:%SZ"))),
        ];
        let places: Vec<String> = places.into_iter().flatten().collect();
        let place = if places.is_empty() { String::new() } else { format!("{}: ", places.join(", ")) };
        write!(f, "{kind}: {place}{what}")?;
        if *repaired { f.write_str(" It has been repaired.") } else { write!(f, " {way_out}") }
    }
}
