//! Which workers are alive: each holds a lock on a file for as long as its process lives. The
//! operating system lets go of it at the very moment the process ends, however it ends.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::id::WorkerId;
use crate::store::StoreError;

/// The locks of this process's workers on one database.
#[derive(Clone, Debug)]
pub(super) struct Liveness {
    directory: PathBuf,
    held: Arc<Mutex<HashMap<WorkerId, File>>>,
}

impl Liveness {
    /// The locks lie beside the database, in `FILE-workers`.
    pub(super) fn of(database: &Path) -> Self {
        let mut directory = database.as_os_str().to_owned();
        directory.push("-workers");
        Self { directory: directory.into(), held: Arc::default() }
    }

    /// Takes the lock of a new worker.
    pub(super) fn acquire(&self, worker: WorkerId) -> Result<(), StoreError> {
        let path = self.path(worker);
        let cannot_open = |source: std::io::Error| StoreError::Open {
            what: path.display().to_string(),
            source: source.into(),
        };
        let create = || {
            fs::create_dir_all(&self.directory)?;
            OpenOptions::new().write(true).create_new(true).open(&path)
        };
        // Another worker that leaves may remove the directory between the two: once more, then.
        let file = create().or_else(|_| create()).map_err(cannot_open)?;
        file.lock().map_err(cannot_open)?;
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(worker, file);
        Ok(())
    }

    /// Lets go of a worker's lock.
    pub(super) fn release(&self, worker: WorkerId) {
        if self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&worker).is_some() {
            self.remove(worker);
        }
    }

    /// Whether the worker's process lives. When that cannot be told, it is taken to.
    pub(super) fn is_alive(&self, worker: WorkerId) -> bool {
        if self.held.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&worker) {
            return true;
        }
        match File::open(self.path(worker)) {
            Err(error) => error.kind() != ErrorKind::NotFound,
            Ok(file) => match file.try_lock() {
                Ok(()) => {
                    self.remove(worker);
                    false
                }
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => true,
            },
        }
    }

    fn path(&self, worker: WorkerId) -> PathBuf {
        self.directory.join(format!("{worker}.lock"))
    }

    /// A file that stays behind does no harm.
    fn remove(&self, worker: WorkerId) {
        let _ = fs::remove_file(self.path(worker));
        let _ = fs::remove_dir(&self.directory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_alive_until_it_lets_go() {
        let database = std::env::temp_dir().join(format!("tasker-liveness-{}", WorkerId::random()));
        let (own, other) = (Liveness::of(&database), Liveness::of(&database));
        let worker = WorkerId::random();
        assert!(!other.is_alive(worker));
        own.acquire(worker).unwrap();
        assert!(own.is_alive(worker) && other.is_alive(worker));
        drop(own);
        assert!(!other.is_alive(worker));
        assert!(!other.directory.exists());
    }
}
