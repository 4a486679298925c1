//! What a task that is not over waits for.

use crate::state::StepState;
use crate::word::words;

words! {
    /// What a task that is not over waits for.
    ///
    /// ```
    /// assert_eq!(tasker::task::WaitingFor::StepsInProcess.as_str(), "steps_in_process");
    /// ```
    WaitingFor, "thing that a task waits for" {
        /// A worker has claimed a step, and has not answered.
        StepsInProcess = "steps_in_process",
        /// A step waits for the time of its next attempt.
        Retry = "retry",
        /// A step could run, and nobody has claimed it.
        Worker = "worker",
    }
}

impl WaitingFor {
    /// What a task that waits for it is said to be doing.
    #[must_use]
    pub const fn described(self) -> &'static str {
        match self {
            Self::StepsInProcess => "steps in process",
            Self::Retry => "waiting for a retry",
            Self::Worker => "waiting for a worker",
        }
    }

    /// What a task waits for whose steps are in these states, each with whether it is due.
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
