//! What an unfinished task waits for.

use crate::state::StepState;
use crate::word::words;

words! {
    /// What an unfinished task waits for.
    ///
    /// ```
    /// assert_eq!(tasker::task::WaitingFor::StepsInProcess.as_str(), "steps_in_process");
    /// ```
    WaitingFor, "thing that a task waits for" {
        /// For a worker to finish an attempt.
        StepsInProcess = "steps_in_process",
        /// For the time of a step's next attempt.
        Retry = "retry",
        /// For a worker to claim a step that is due.
        Worker = "worker",
    }
}

impl WaitingFor {
    /// The words for people: `waiting for a retry`.
    #[must_use]
    pub const fn described(self) -> &'static str {
        match self {
            Self::StepsInProcess => "steps in process",
            Self::Retry => "waiting for a retry",
            Self::Worker => "waiting for a worker",
        }
    }

    /// What a task waits for; `steps` are the states of its runs, each with whether the run is due.
    #[must_use]
    pub fn of(steps: impl Iterator<Item = (StepState, bool)> + Clone) -> Option<Self> {
        use StepState::{InProgress, Ready, WaitingForRetry};
        let is_in = |state| steps.clone().any(|step| step.0 == state);
        if is_in(InProgress) {
            Some(Self::StepsInProcess)
        } else if steps.clone().any(|(state, due)| due && matches!(state, Ready | WaitingForRetry)) {
            Some(Self::Worker)
        } else {
            is_in(WaitingForRetry).then_some(Self::Retry)
        }
    }
}
