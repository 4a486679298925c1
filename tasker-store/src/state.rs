//! The states of tasks, steps and attempts.

use crate::word::words;

words! {
    /// Where a task is.
    TaskState, "task state" {
        /// Some step can still run, or is running, or waits for its next attempt.
        InProgress = "in_progress",
        /// All steps are complete.
        Complete = "complete",
        /// A step failed for good, and nothing else can move before somebody acts.
        BlockedByFailures = "blocked_by_failures",
        /// An operator ended it.
        Cancelled = "cancelled",
        /// It was given up: it was stale, or an operator said that it is not worth more attempts.
        Error = "error",
    }
}

words! {
    /// Where a step is.
    StepState, "step state" {
        /// A dependency is not complete.
        Pending = "pending",
        /// It can run, and no worker has claimed it.
        Ready = "ready",
        /// A worker has claimed it.
        InProgress = "in_progress",
        /// An attempt failed; the next is not due.
        WaitingForRetry = "waiting_for_retry",
        /// Its result is recorded.
        Complete = "complete",
        /// It failed for good.
        Error = "error",
        /// An operator let what waits for it go on without its result.
        ResolvedManually = "resolved_manually",
        /// Its task ended before it did.
        Cancelled = "cancelled",
        /// It waits for a time or a signal, and holds no worker meanwhile.
        Suspended = "suspended",
        /// No branch that was taken leads to it.
        Skipped = "skipped",
    }
}

words! {
    /// How an attempt ended.
    AttemptOutcome, "attempt outcome" {
        /// With a result.
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
        /// No attempt: an operator let the task go on without a result.
        ResolvedManually = "resolved_manually",
        /// No attempt: no branch that was taken leads to the step.
        Skipped = "skipped",
    }
}

words! {
    /// What has become of a dead letter, which is a task that was given up.
    DeadLetterStatus, "status of a dead letter" {
        /// Nobody has said what becomes of it.
        Pending = "pending",
        /// Somebody saw to it, for instance by reopening the task.
        ManuallyResolved = "manually_resolved",
        /// Nothing will make this task succeed.
        PermanentlyFailed = "permanently_failed",
        /// Nobody wants it any more.
        Cancelled = "cancelled",
    }
}

words! {
    /// Why a task was given up.
    DeadLetterReason, "reason to give a task up" {
        /// It was where it was for longer than its template allows.
        StalenessTimeout = "staleness_timeout",
        /// An operator did it.
        ManualDlq = "manual_dlq",
    }
}

impl TaskState {
    /// Whether the task does not go on by itself.
    #[must_use]
    pub fn is_settled(self) -> bool {
        self != Self::InProgress
    }

    /// Whether the task is over: an operator may still reopen one that did not complete.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Complete | Self::Cancelled | Self::Error)
    }
}

impl AttemptOutcome {
    /// Whether an operator ended the step, and no handler.
    #[must_use]
    pub fn is_manual(self) -> bool {
        matches!(self, Self::CompletedManually | Self::ResolvedManually)
    }

    /// Whether the step is done with it.
    #[must_use]
    pub fn is_done(self) -> bool {
        matches!(self, Self::Complete | Self::Skipped) || self.is_manual()
    }
}
