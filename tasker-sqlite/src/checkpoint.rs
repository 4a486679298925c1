//! Moves what the log holds into the file, beside the writer, so that no commit waits for it.
//!
//! The log begins anew only when all of it has been moved, which never happens while the writer goes on. A
//! thread therefore moves pages until few are left, and the writer moves those between two transactions.
//! SQLite syncs the file only when it moves the last page of the log. The thread syncs the file itself before
//! that, so that the writer waits for a short sync only.
//!
//! Versions of SQLite before 3.51.3 can lose committed data when one connection moves the log and another
//! begins it anew at the same moment (<https://www.sqlite.org/wal.html#the_wal_reset_bug>). On those, the
//! log is moved while this process holds the write lock, and the writer waits until that is done.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use rusqlite::{Connection, OpenFlags, Row};
use tasker_store::{StoreError, chain};

use crate::connection::connect;
use crate::error::{SqliteError, cannot_open, is_busy};
use crate::log::Log;

/// The number of pages in the log from which on they are moved.
const DUE: u64 = 1_000;
/// The number of pages up to which the thread leaves them to the writer.
const REST: u64 = 100;
/// The number of pages from which on the writer waits for the thread, and moves whatever is left.
const MAX_PAGES: u64 = 16_000;
/// The size in bytes to which the log's file is cut back when it begins anew.
const KEPT: u64 = MAX_PAGES * 4_096;

/// The writer's side of the checkpoints.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    /// The name of the file on the writer's connection.
    schema: String,
    path: PathBuf,
    log: Log,
    /// The number of pages in the log from which on the thread is called.
    due: u64,
    /// Whether this version of SQLite can safely move the log while another connection writes.
    beside_writers: bool,
    /// Whether the thread has been called and has not answered yet.
    waiting: bool,
    mover: Option<Mover>,
    /// A second connection, which moves the log while the writer's connection holds the write lock: one
    /// connection cannot do both.
    second: Option<Connection>,
}

impl Checkpoints {
    /// Turns off SQLite's own checkpoints, which are part of a commit, and takes their place.
    pub(crate) fn of(connection: &Connection, schema: &str, path: &Path) -> Result<Self, SqliteError> {
        let log = Log::of(path).map_err(|error| cannot_open(path, error))?;
        connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
        let kept = i64::try_from(KEPT).unwrap_or(i64::MAX);
        connection.query_row(&format!("PRAGMA {schema}.journal_size_limit = {kept}"), [], |_| Ok(()))?;
        let beside_writers = is_safe_beside_writers(rusqlite::version_number());
        let (schema, path) = (schema.to_owned(), path.to_path_buf());
        Ok(Self { schema, path, log, due: DUE, beside_writers, waiting: false, mover: None, second: None })
    }

    /// Does what is due between two transactions.
    pub(crate) fn look(&mut self, connection: &Connection) {
        if self.waiting {
            match self.mover.as_ref().map(|mover| mover.answer(self.log.has(MAX_PAGES))) {
                Some(Err(TryRecvError::Empty)) => return,
                Some(Ok(())) => {}
                Some(Err(TryRecvError::Disconnected)) | None => self.mover = None,
            }
            self.waiting = false;
            self.finish(connection);
        } else if !self.log.has(DUE) {
            self.due = DUE;
        } else if self.log.has(self.due) {
            self.waiting = self.beside_writers && self.call();
            if !self.waiting {
                self.finish(connection);
            }
        }
    }

    /// Calls the thread, and starts it if needed. Returns whether it is running.
    fn call(&mut self) -> bool {
        if self.mover.is_none() {
            self.mover = match Mover::start(&self.path) {
                Ok(mover) => Some(mover),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the log is moved by the writer");
                    None
                }
            };
        }
        let wake = self.mover.as_ref().and_then(|mover| mover.wake.as_ref());
        wake.is_some_and(|wake| wake.send(()).is_ok())
    }

    fn finish(&mut self, connection: &Connection) {
        let pages = self.log.pages();
        let moved = match self.beside_writers {
            true => {
                let moved = checkpoint(connection, &self.schema);
                moved.map(|_| ()).map_err(|error| SqliteError::from(error).of(&self.path))
            }
            false => self.move_under_lock(connection),
        };
        if let Err(error) = moved {
            tracing::warn!(%error, "the log could not be moved into the file");
        }
        // A reader of an old state can keep the log from beginning anew, so the next try waits until the log
        // has grown.
        self.due = pages + pages / 4;
    }

    /// Moves the log while no process can write.
    fn move_under_lock(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let second = match self.second.take() {
            Some(second) => second,
            None => mover_connection(&self.path)?,
        };
        let of_file = |error: rusqlite::Error| SqliteError::from(error).of(&self.path);
        connection.execute_batch("BEGIN IMMEDIATE").map_err(of_file)?;
        let moved = checkpoint(self.second.insert(second), "main");
        connection.execute_batch("ROLLBACK").map_err(of_file)?;
        moved.map(|_| ()).map_err(of_file)
    }
}

/// Whether this version of SQLite has the fix of 3.51.3, which 3.50.7 and 3.44.6 have as well.
fn is_safe_beside_writers(version: i32) -> bool {
    matches!(version, 3_051_003..|3_050_007..3_051_000| 3_044_006..3_045_000)
}

/// A connection that can move the log.
fn mover_connection(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Only a connection that has read something knows the log.
    let read = connection.pragma_query_value(None, "schema_version", |_| Ok(()));
    read.map_err(|source| SqliteError::from(source).of(path))?;
    Ok(connection)
}

/// The thread.
#[derive(Debug)]
struct Mover {
    wake: Option<Sender<()>>,
    moved: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Mover {
    fn start(path: &Path) -> Result<Self, StoreError> {
        let connection = mover_connection(path)?;
        let file = kept_open::file(path)
            .map_err(|source| StoreError::Open { what: path.display().to_string(), source: source.into() })?;
        let ((wake, calls), (answers, moved)) = (channel(), channel());
        let thread = std::thread::Builder::new()
            .name("tasker-sqlite-checkpoints".to_owned())
            .spawn(move || {
                while calls.recv().is_ok() {
                    move_most(&connection, &file);
                    if answers.send(()).is_err() {
                        return;
                    }
                }
            })
            .map_err(|source| StoreError::Open {
                what: "a thread for checkpoints".to_owned(),
                source: source.into(),
            })?;
        Ok(Self { wake: Some(wake), moved, thread: Some(thread) })
    }

    /// Whether the thread is done with what it was called for.
    fn answer(&self, wait: bool) -> Result<(), TryRecvError> {
        if wait {
            return self.moved.recv().map_err(|_| TryRecvError::Disconnected);
        }
        self.moved.try_recv()
    }
}

impl Drop for Mover {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Moves pages until few are left. After a round, those are left that were written meanwhile: fewer each
/// time.
fn move_most(connection: &Connection, file: &File) {
    let mut before = 0;
    // The writer meets the same error, and reports it.
    while let Ok((pages, moved)) = checkpoint(connection, "main") {
        if moved == before || file.sync_data().is_err() || moved - before <= REST || pages >= MAX_PAGES {
            return;
        }
        before = moved;
    }
}

/// Moves the pages that can be moved without waiting for another connection. Returns how many pages the log
/// has, and how many of them have been moved.
fn checkpoint(connection: &Connection, schema: &str) -> rusqlite::Result<(u64, u64)> {
    let counts = |row: &Row<'_>| Ok((row.get::<_, i64>("log")?, row.get::<_, i64>("checkpointed")?));
    match connection.query_row(&format!("PRAGMA {schema}.wal_checkpoint(PASSIVE)"), [], counts) {
        // SQLite answers -1 while another process moves the log.
        Ok((pages, moved)) => {
            let pages = u64::try_from(pages).unwrap_or_default();
            Ok((pages, u64::try_from(moved).unwrap_or_default().min(pages)))
        }
        Err(error) if is_busy(&error) => Ok((0, 0)),
        Err(error) => Err(error),
    }
}

/// Database files that are open besides SQLite's own handles. On Unix, closing such a handle would release
/// all locks that SQLite holds on the file in this process. The handles are therefore never closed; there is
/// one for each database.
mod kept_open {
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::path::Path;
    use std::sync::Arc;

    #[cfg(not(unix))]
    pub(crate) fn file(path: &Path) -> io::Result<Arc<File>> {
        OpenOptions::new().write(true).open(path).map(Arc::new)
    }

    #[cfg(unix)]
    pub(crate) fn file(path: &Path) -> io::Result<Arc<File>> {
        use std::collections::BTreeMap;
        use std::os::unix::fs::MetadataExt as _;
        use std::sync::{Mutex, PoisonError};

        type Files = BTreeMap<(u64, u64), Arc<File>>;
        static FILES: Mutex<Files> = Mutex::new(Files::new());
        let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
        let found = std::fs::metadata(path)?;
        let identity = (found.dev(), found.ino());
        if let Some(file) = files.get(&identity) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(OpenOptions::new().write(true).open(path)?);
        files.insert(identity, Arc::clone(&file));
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    struct Bench {
        connection: Connection,
        checkpoints: Checkpoints,
        _directory: tempfile::TempDir,
    }

    impl Bench {
        fn new(beside_writers: bool) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("log.db");
            let connection = Connection::open(&path).unwrap();
            let set_up = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE t (b BLOB)";
            connection.execute_batch(set_up).unwrap();
            let mut checkpoints = Checkpoints::of(&connection, "main", &path).unwrap();
            checkpoints.beside_writers = beside_writers;
            Self { connection, checkpoints, _directory: directory }
        }

        /// One transaction of about so many pages: how many there are in the log.
        fn write(&mut self, pages: u64) -> u64 {
            let bytes = i64::try_from((pages - 2) * 4_096).unwrap();
            self.connection.execute("INSERT INTO t VALUES (zeroblob(?1))", [bytes]).unwrap();
            self.checkpoints.look(&self.connection);
            self.checkpoints.log.pages()
        }

        /// Goes on until the log has begun anew.
        fn begin_anew(&mut self) {
            let begun = Instant::now();
            while self.write(3) >= DUE {
                assert!(begun.elapsed() < Duration::from_secs(20), "the log goes on and on");
                std::thread::sleep(Duration::from_millis(1));
            }
        }

        fn bytes(&self) -> u64 {
            let log = self.checkpoints.path.with_extension("db-wal");
            std::fs::metadata(log).unwrap().len()
        }
    }

    /// Runs `check` both ways; on old versions of SQLite only under the write lock, because they can lose
    /// data when the log is moved beside a writer.
    fn both_ways(check: impl Fn(Bench)) {
        let this = is_safe_beside_writers(rusqlite::version_number());
        [true, false]
            .into_iter()
            .filter(|beside| this || !beside)
            .for_each(|beside| check(Bench::new(beside)));
    }

    #[test]
    fn the_log_begins_anew_and_stays_small() {
        both_ways(|mut log| {
            let largest = (0..600).map(|_| log.write(100)).max();
            assert!(largest.unwrap() < MAX_PAGES + 300, "{largest:?}");
            log.begin_anew();
        });
    }

    #[test]
    fn a_log_that_a_reader_held_is_cut_back() {
        both_ways(|mut log| {
            log.write(10);
            let reader = Connection::open(&log.checkpoints.path).unwrap();
            reader.execute_batch("BEGIN; SELECT count(*) FROM t").unwrap();
            let pages = (0..220).map(|_| log.write(100)).last().unwrap();
            assert!(pages >= 20_000, "{pages}");
            reader.execute_batch("COMMIT").unwrap();
            // It is tried again with a quarter more.
            (0..80).for_each(|_| _ = log.write(100));
            log.begin_anew();
            assert!(log.bytes() <= KEPT, "{}", log.bytes());
        });
    }

    #[test]
    fn versions_without_the_mending_are_known() {
        let safe = [3_044_006, 3_050_007, 3_051_003, 3_052_000, 3_054_001];
        let unsafe_ones = [3_044_005, 3_045_000, 3_046_000, 3_050_006, 3_051_000, 3_051_002];
        assert!(safe.into_iter().all(is_safe_beside_writers));
        assert!(!unsafe_ones.into_iter().any(is_safe_beside_writers));
    }
}
