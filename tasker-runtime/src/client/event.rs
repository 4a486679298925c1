//! Events: what happens while tasks run.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tasker_store::{AttemptOutcome, TaskId, TaskState};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

/// Something that happened; sent once it is durable.
///
/// Use events for display only: a slow listener misses some. The store has the complete record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// An attempt has begun.
    #[non_exhaustive]
    StepStarted {
        /// The task.
        task: TaskId,
        /// The step's name.
        step: String,
        /// Which of the step's runs, from 1; 0 for the only run of an ordinary step.
        #[serde(default, skip_serializing_if = "is_zero")]
        instance: u32,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// When it happened.
        at: Timestamp,
    },
    /// An attempt has ended.
    #[non_exhaustive]
    StepFinished {
        /// The task.
        task: TaskId,
        /// The step's name.
        step: String,
        /// Which of the step's runs, from 1; 0 for the only run of an ordinary step.
        #[serde(default, skip_serializing_if = "is_zero")]
        instance: u32,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// How it ended.
        outcome: AttemptOutcome,
        /// Why it failed, if it did: the message, and the code in brackets.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// When the step is tried again; `None` when it is not.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
        /// When it happened.
        at: Timestamp,
    },
    /// A task has settled: it is over, or blocked until an operator acts.
    #[non_exhaustive]
    TaskSettled {
        /// The task.
        task: TaskId,
        /// The state that it is in.
        state: TaskState,
    },
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Events as they happen, for one listener. See [`Tasker::subscribe`](crate::Tasker::subscribe).
///
/// ```
/// # use tasker::{Tasker, events::Event};
/// async fn watch(tasker: &Tasker) {
///     let mut events = tasker.subscribe();
///     while let Some(event) = events.next().await {
///         if let Event::TaskSettled { task, state, .. } = event {
///             println!("task {task} is {state}");
///         }
///         match events.take_missed() {
///             0 => {}
///             missed => println!("{missed} events came too fast to be shown"),
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Events {
    receiver: Receiver<Event>,
    missed: u64,
}

impl Events {
    pub(crate) fn new(receiver: Receiver<Event>) -> Self {
        Self { receiver, missed: 0 }
    }

    /// Waits for the next event; `None` when the runtime has ended. No event is lost when the future is
    /// dropped and this is called again.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(RecvError::Lagged(missed)) => self.missed += missed,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// The next event without waiting; `None` when there is none yet, or the runtime has ended.
    pub fn try_next(&mut self) -> Option<Event> {
        loop {
            match self.receiver.try_recv() {
                Ok(event) => return Some(event),
                Err(TryRecvError::Lagged(missed)) => self.missed += missed,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }

    /// How many events this listener has missed since the last call, because it was more than 4096 events
    /// behind. All of them happened before the event that it received last.
    pub fn take_missed(&mut self) -> u64 {
        std::mem::take(&mut self.missed)
    }
}
