//! What happened in a run, in its order: times alone do not tell, since virtual time stands still.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

/// What happened in a run, written by everything that takes part in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(Arc<Mutex<Vec<Entry>>>);

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
    pub(crate) fn write(&self, entry: Entry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
