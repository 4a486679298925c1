//! The states of tasks, steps and attempts.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! state {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// The word for it, in the store and everywhere else.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The state that a word stands for.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

state! {
    /// Where a task is.
    TaskState {
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

state! {
    /// Where a step is.
    StepState {
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

state! {
    /// How an attempt ended.
    AttemptOutcome {
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

state! {
    /// What a dead letter has come to: the task that was given up, and nobody has looked at, or somebody has.
    DeadLetterStatus {
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

state! {
    /// Why a task was given up.
    DeadLetterReason {
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
