//! Which workers are alive: each holds a lock on a file for as long as its process lives. The operating
//! system releases the lock when the process ends, in whatever way.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tasker_store::{StoreError, WorkerId};

/// How long a worker whose lock file is missing still counts as alive. Somebody may have deleted the file; a
/// living worker makes it again within this time.
const MISSING: Duration = Duration::from_secs(20);

/// The locks of this process's workers on one database.
#[derive(Clone, Debug)]
pub(crate) struct Liveness {
    directory: PathBuf,
    held: Arc<Mutex<HashMap<WorkerId, File>>>,
    /// The workers whose lock files are missing, and since when.
    missing: Arc<Mutex<HashMap<WorkerId, Instant>>>,
}

impl Liveness {
    /// The locks lie beside the database, in `FILE-workers`.
    pub(crate) fn of(database: &Path) -> Self {
        let mut directory = database.as_os_str().to_owned();
        directory.push("-workers");
        Self { directory: directory.into(), held: Arc::default(), missing: Arc::default() }
    }

    /// Takes the lock of a new worker.
    pub(crate) fn acquire(&self, worker: WorkerId) -> Result<(), StoreError> {
        let path = self.path(worker);
        // Another worker that leaves may remove the directory in between; then this is tried once more.
        let file = self.create(worker).or_else(|_| self.create(worker));
        let cannot_open = |source: std::io::Error| StoreError::Open {
            what: path.display().to_string(),
            source: source.into(),
        };
        self.held().insert(worker, file.map_err(cannot_open)?);
        Ok(())
    }

    fn create(&self, worker: WorkerId) -> std::io::Result<File> {
        fs::create_dir_all(&self.directory)?;
        let file = OpenOptions::new().write(true).create_new(true).open(self.path(worker))?;
        file.lock()?;
        Ok(file)
    }

    /// Makes the lock files of this process again that somebody has deleted.
    pub(crate) fn renew(&self) {
        for (worker, file) in self.held().iter_mut().filter(|(worker, _)| !self.path(**worker).exists()) {
            // A file that cannot be made now is tried again the next time.
            if let Ok(renewed) = self.create(*worker) {
                *file = renewed;
            }
        }
    }

    /// Releases a worker's lock, so that the worker counts as dead. Its file is kept: a missing one would be
    /// taken for deleted.
    pub(crate) fn let_go(&self, worker: WorkerId) {
        self.held().remove(&worker);
    }

    /// Removes the lock file of a worker that the store has forgotten. If that fails, the file does no harm.
    pub(crate) fn remove(&self, worker: WorkerId) {
        self.let_go(worker);
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).remove(&worker);
        let _ = fs::remove_file(self.path(worker));
        let _ = fs::remove_dir(&self.directory);
    }

    /// Whether the worker's process is alive; `true` when that cannot be determined.
    pub(crate) fn is_alive(&self, worker: WorkerId) -> bool {
        if self.held().contains_key(&worker) {
            return true;
        }
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        match File::open(self.path(worker)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                missing.entry(worker).or_insert_with(Instant::now).elapsed() < MISSING
            }
            Err(_) => true,
            Ok(file) => {
                missing.remove(&worker);
                // A shared lock, so that two that ask at the same time do not take each other for the worker.
                file.try_lock_shared().is_err()
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<WorkerId, File>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, worker: WorkerId) -> PathBuf {
        self.directory.join(format!("{worker}.lock"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_views() -> (Liveness, Liveness, WorkerId) {
        let database = std::env::temp_dir().join(format!("tasker-liveness-{}", WorkerId::random()));
        (Liveness::of(&database), Liveness::of(&database), WorkerId::random())
    }

    #[test]
    fn a_worker_is_alive_until_it_lets_go() {
        let (own, other, worker) = two_views();
        own.acquire(worker).unwrap();
        assert!(own.is_alive(worker) && other.is_alive(worker));
        own.let_go(worker);
        assert!(!own.is_alive(worker) && !other.is_alive(worker));
        other.remove(worker);
        assert!(!other.directory.exists());
    }

    #[test]
    fn a_deleted_lock_is_made_again_and_its_worker_is_not_taken_for_dead() {
        let (own, other, worker) = two_views();
        own.acquire(worker).unwrap();
        fs::remove_dir_all(&own.directory).unwrap();
        assert!(other.is_alive(worker));
        own.renew();
        assert!(other.is_alive(worker));
        own.let_go(worker);
        assert!(!other.is_alive(worker));
        own.remove(worker);
    }
}
