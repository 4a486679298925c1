//! The progress of one run.

use jiff::Timestamp;

use crate::claim::Claim;
use crate::json::Json;
use crate::state::StepState;

/// The progress of a run that has been reached, or has an input, and is not done.
#[derive(Clone, Debug)]
pub struct RunProgress {
    /// Its state.
    pub state: StepState,
    /// Attempts made, the running one included.
    pub attempts: u32,
    /// How many of them were made before its budget was last renewed.
    pub attempts_before_reset: u32,
    /// When it becomes due; `None` when it is due.
    pub due_at: Option<Timestamp>,
    /// Its rank in the queue, the smallest first; `None` when it is not queued.
    pub rank: Option<i64>,
    /// The claim under which it is in progress.
    pub claim: Option<Claim>,
    /// The run's input, until it has been written down; `None` for an ordinary step.
    pub input: Option<Json>,
    /// Whether it has a row until it is done: it is one of several runs, or marks a step without runs.
    pub(super) is_kept: bool,
    /// Whether the claim was made in passing, and is part of the record that the same operation wrote.
    pub(super) in_passing: bool,
    /// Whether it has a row of its own.
    pub(super) has_row: bool,
}

/// A change of a run's row.
#[derive(Debug)]
pub enum Change<'a> {
    /// The row is inserted or replaced. Only an insert carries the input; replacing leaves it as it is.
    Row(&'a RunProgress),
    /// The row, if there is one, is deleted.
    NoRow,
}

impl RunProgress {
    pub(super) fn new(state: StepState) -> Self {
        Self {
            state,
            attempts: 0,
            attempts_before_reset: 0,
            due_at: None,
            rank: None,
            claim: None,
            input: None,
            is_kept: false,
            in_passing: false,
            has_row: false,
        }
    }

    /// A run as its row has it.
    #[must_use]
    pub fn stored(state: StepState, attempts: u32, attempts_before_reset: u32) -> Self {
        Self { attempts, attempts_before_reset, has_row: true, ..Self::new(state) }
    }

    pub(super) fn needs_row(&self) -> bool {
        self.is_kept || !(self.state == StepState::InProgress && self.in_passing)
    }

    /// Whether the run goes on without an operator, and keeps its task in progress.
    pub(super) fn is_moving(&self) -> bool {
        use StepState::{InProgress, Ready, Suspended, WaitingForRetry};
        matches!(self.state, Ready | InProgress | WaitingForRetry | Suspended)
    }
}
