//! One run of a step, while it is neither done nor implied.

use jiff::Timestamp;

use crate::claim::Claim;
use crate::json::Json;
use crate::state::StepState;

/// One run of a step, while it is neither done nor implied.
#[derive(Clone, Debug)]
pub struct RunProgress {
    /// Where it is.
    pub state: StepState,
    /// Attempts made, the running one included.
    pub attempts: u32,
    /// How many of them were made before its budget was last renewed.
    pub attempts_before_reset: u32,
    /// When it becomes due, while it is not.
    pub due_at: Option<Timestamp>,
    /// Its place among those that can run, the smallest first.
    pub rank: Option<i64>,
    /// Under which it is in progress.
    pub claim: Option<Claim>,
    /// What it is to work on, until that is written down; `None` for an ordinary step.
    pub input: Option<Json>,
    /// Whether it keeps its row until it is done: one of several, or the mark of a step without runs.
    pub(super) is_kept: bool,
    /// Whether the claim was made in passing, and is written down with what made it.
    pub(super) in_passing: bool,
    /// Whether it has a row of its own.
    pub(super) has_row: bool,
}

/// What is to be written down of a run.
#[derive(Debug)]
pub enum Change<'a> {
    /// Its row, made or replaced. The input is given when the row is made, and stays.
    Row(&'a RunProgress),
    /// That it has no row any more.
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

    /// One as it was written down.
    #[must_use]
    pub fn stored(state: StepState, attempts: u32, attempts_before_reset: u32) -> Self {
        Self { attempts, attempts_before_reset, has_row: true, ..Self::new(state) }
    }

    pub(super) fn needs_row(&self) -> bool {
        self.is_kept || !(self.state == StepState::InProgress && self.in_passing)
    }

    /// Whether its task goes on by itself as long as this is so.
    pub(super) fn is_moving(&self) -> bool {
        use StepState::{InProgress, Ready, Suspended, WaitingForRetry};
        matches!(self.state, Ready | InProgress | WaitingForRetry | Suspended)
    }
}
