//! The states of tasks, steps and attempts.

use crate::word::words;

words! {
    /// The state of a task.
    TaskState, "task state" {
        /// A step is ready, is running, or waits for its next attempt.
        InProgress = "in_progress",
        /// All steps are complete.
        Complete = "complete",
        /// A step failed for good, and no other step can run until an operator acts.
        BlockedByFailures = "blocked_by_failures",
        /// An operator ended it.
        Cancelled = "cancelled",
        /// It was given up: it was stale, or an operator said that it is not worth more attempts.
        Error = "error",
    }
}

words! {
    /// The state of a step.
    StepState, "step state" {
        /// It waits for a dependency.
        Pending = "pending",
        /// It can run, and no worker has claimed it.
        Ready = "ready",
        /// A worker has claimed it.
        InProgress = "in_progress",
        /// An attempt failed, and the next is not due yet.
        WaitingForRetry = "waiting_for_retry",
        /// Its result is recorded.
        Complete = "complete",
        /// It failed for good.
        Error = "error",
        /// An operator marked it as done without a result.
        ResolvedManually = "resolved_manually",
        /// Its task ended before it did.
        Cancelled = "cancelled",
        /// It waits for a time or a signal, and holds no worker meanwhile.
        Suspended = "suspended",
        /// It is only on branches that were not taken.
        Skipped = "skipped",
    }
}

words! {
    /// How an attempt ended.
    AttemptOutcome, "attempt outcome" {
        /// The handler returned a result.
        Complete = "complete",
        /// The handler returned an error.
        Failed = "failed",
        /// It took longer than the step's timeout.
        TimedOut = "timed_out",
        /// The handler panicked.
        Panicked = "panicked",
        /// The worker's process ended.
        Crashed = "crashed",
        /// An operator ended it.
        Cancelled = "cancelled",
        /// No attempt: an operator gave the result.
        CompletedManually = "completed_manually",
        /// No attempt: an operator marked the step as done without a result.
        ResolvedManually = "resolved_manually",
        /// No attempt: the step is only on branches that were not taken.
        Skipped = "skipped",
    }
}

words! {
    /// The status of a dead letter, which is a task that was given up.
    DeadLetterStatus, "status of a dead letter" {
        /// No operator has set another status.
        Pending = "pending",
        /// An operator has dealt with it, for instance by reopening the task.
        ManuallyResolved = "manually_resolved",
        /// The task cannot succeed.
        PermanentlyFailed = "permanently_failed",
        /// The task is not needed any more.
        Cancelled = "cancelled",
    }
}

words! {
    /// Why a task was given up.
    DeadLetterReason, "reason to give a task up" {
        /// It waited for the same thing for longer than its template allows.
        StalenessTimeout = "staleness_timeout",
        /// An operator gave it up.
        ManualDlq = "manual_dlq",
    }
}

impl TaskState {
    /// Whether the task is over or needs an operator: every state but `InProgress`.
    #[must_use]
    pub fn is_settled(self) -> bool {
        self != Self::InProgress
    }

    /// Whether the task is over: complete, cancelled or given up. An operator can reopen it unless it is
    /// complete.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Complete | Self::Cancelled | Self::Error)
    }
}

impl AttemptOutcome {
    /// Whether an operator, and not a handler, ended the step.
    #[must_use]
    pub fn is_manual(self) -> bool {
        matches!(self, Self::CompletedManually | Self::ResolvedManually)
    }

    /// Whether a run with this outcome is done, so that the steps which depend on it may run.
    #[must_use]
    pub fn is_done(self) -> bool {
        matches!(self, Self::Complete | Self::Skipped) || self.is_manual()
    }
}
