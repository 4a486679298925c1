//! The history of a run, in order: times do not give the order, because virtual time stands still while
//! something runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

/// The history of a run, which its workers and handlers write.
#[derive(Clone, Debug)]
pub(crate) struct History {
    written: Arc<Mutex<Written>>,
    max_calls: usize,
    exceeded: CancellationToken,
}

#[derive(Debug, Default)]
struct Written {
    entries: Vec<Entry>,
    calls: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// A handler was called.
    Began { step: String, attempt: u32, at: Timestamp },
    /// It completed its step.
    Completed { step: String },
    /// The worker died, and the next began.
    Crashed,
}

impl History {
    pub(crate) fn new(max_calls: usize) -> Self {
        Self { written: Arc::default(), max_calls, exceeded: CancellationToken::new() }
    }

    /// Records the call of a handler. Returns `false` when the limit of calls is reached.
    pub(crate) fn call(&self, step: &str, attempt: u32, at: Timestamp) -> bool {
        let mut written = self.written();
        if written.calls == self.max_calls {
            self.exceeded.cancel();
            return false;
        }
        written.calls += 1;
        written.entries.push(Entry::Began { step: step.to_owned(), attempt, at });
        true
    }

    pub(crate) fn write(&self, entry: Entry) {
        self.written().entries.push(entry);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.written().entries.clone()
    }

    /// Completes when a call exceeds the limit.
    pub(crate) async fn exceeded(&self) {
        self.exceeded.cancelled().await;
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
