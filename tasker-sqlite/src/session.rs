//! The writer thread's session: its connection, and the progress of tasks that have claims, so that most
//! operations read nothing.
//!
//! The session caches only what the file contains. The cache is cleared when a transaction is rolled back,
//! and when another connection has written.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use tasker_store::progress::{Change, Progress};
use tasker_store::{StoreError, TaskId, TemplateId};

use crate::checkpoint::Checkpoints;
use crate::error::{Result, SqliteError};
use crate::load;
use crate::values::{blob, micros};

/// The writer's connection with its cache.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connection: Connection,
    file: OpenFile,
    checkpoints: Checkpoints,
    tasks: HashMap<TaskId, Progress>,
    /// Templates that are known to be in the file; templates are never deleted.
    templates: HashSet<TemplateId>,
    /// Changes when another connection has written.
    data_version: i64,
}

impl Session {
    pub(crate) fn new(connection: Connection, path: PathBuf) -> Result<Self> {
        let checkpoints = Checkpoints::of(&connection, &path)?;
        let (tasks, templates) = (HashMap::new(), HashSet::new());
        Ok(Self { connection, file: OpenFile::new(path), checkpoints, tasks, templates, data_version: 0 })
    }

    /// The file that is written to.
    pub(crate) fn path(&self) -> &Path {
        &self.file.path
    }

    /// Begins a transaction.
    pub(crate) fn begin(&mut self) -> Result<()> {
        self.file.check()?;
        if !self.connection.is_autocommit() {
            // An earlier rollback has failed; nothing can be written until one succeeds.
            self.connection.execute_batch("ROLLBACK")?;
        }
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut statement = self.connection.prepare_cached("PRAGMA data_version")?;
        let version: i64 = statement.query_row([], |row| row.get(0))?;
        if version != self.data_version {
            self.data_version = version;
            self.tasks.clear();
        }
        Ok(())
    }

    pub(crate) fn commit(&mut self) -> Result<()> {
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Looks after the log, between two transactions.
    pub(crate) fn look_after_log(&mut self) {
        self.checkpoints.look(&self.connection);
    }

    /// Undoes the transaction.
    pub(crate) fn roll_back(&mut self) {
        self.tasks.clear();
        self.templates.clear();
        // Some errors have rolled the transaction back already. The operation's error is reported, and not
        // that of the rollback; the next transaction tries the rollback again.
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// The progress of a task. The caller gives it back with [`keep`](Self::keep).
    pub(crate) fn take(&mut self, task: TaskId) -> Result<Option<Progress>> {
        match self.tasks.remove(&task) {
            Some(progress) => Ok(Some(progress)),
            None => load::progress(&self.connection, task),
        }
    }

    /// Writes down the changes of a task, and caches its progress while it has claims.
    pub(crate) fn keep(&mut self, mut progress: Progress) -> Result<()> {
        let (connection, task, template) = (&self.connection, progress.task, progress.template);
        progress.write_down(|key, change| match change {
            Change::Row(run) => {
                let sql = "INSERT INTO step (
                        task_id, step, instance, template_id, state, attempts, attempts_before_reset,
                        due_at, rank, worker_id, claimed_at, input
                    )
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
                    ON CONFLICT DO UPDATE
                    SET
                        state = excluded.state, attempts = excluded.attempts,
                        attempts_before_reset = excluded.attempts_before_reset, due_at = excluded.due_at,
                        rank = excluded.rank, worker_id = excluded.worker_id,
                        claimed_at = excluded.claimed_at";
                connection.prepare_cached(sql)?.execute(params![
                    blob(&task.0),
                    key.step,
                    key.instance,
                    blob(&template.0),
                    run.state.as_str(),
                    run.attempts,
                    run.attempts_before_reset,
                    run.due_at.map(micros),
                    run.rank,
                    run.claim.as_ref().map(|claim| blob(&claim.worker.0)),
                    run.claim.map(|claim| micros(claim.claimed_at)),
                    run.input.as_ref().map(|input| input.get()),
                ])?;
                Ok::<_, SqliteError>(())
            }
            Change::NoRow => {
                let sql = "DELETE FROM step WHERE task_id = ?1 AND step = ?2 AND instance = ?3";
                connection.prepare_cached(sql)?.execute(params![blob(&task.0), key.step, key.instance])?;
                Ok(())
            }
        })?;
        if progress.is_claimed() {
            self.tasks.insert(task, progress);
        }
        Ok(())
    }

    /// The progress of a task, if it is cached.
    pub(crate) fn known(&mut self, task: TaskId) -> Option<Progress> {
        self.tasks.remove(&task)
    }

    pub(crate) fn forget(&mut self, task: TaskId) {
        self.tasks.remove(&task);
    }

    /// Whether the file has a template.
    pub(crate) fn has_template(&mut self, template: TemplateId) -> Result<bool> {
        if self.templates.contains(&template) {
            return Ok(true);
        }
        let sql = "SELECT EXISTS (SELECT 1 FROM template WHERE id = ?1)";
        let there = self.connection.prepare_cached(sql)?.query_row([blob(&template.0)], |row| row.get(0))?;
        if there {
            self.templates.insert(template);
        }
        Ok(there)
    }
}

/// The file that the connection writes to. It is checked that the file has not been removed: what is written
/// to a removed file is lost when it is closed.
#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    #[cfg(unix)]
    identity: Option<(u64, u64)>,
}

impl OpenFile {
    #[cfg(unix)]
    fn new(path: PathBuf) -> Self {
        let identity = Self::identity(&path);
        Self { path, identity }
    }

    #[cfg(unix)]
    fn identity(path: &Path) -> Option<(u64, u64)> {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
    }

    #[cfg(unix)]
    fn check(&self) -> Result<()> {
        if Self::identity(&self.path) == self.identity {
            return Ok(());
        }
        Err(StoreError::Gone { what: self.path.display().to_string() }.into())
    }

    #[cfg(not(unix))]
    fn new(path: PathBuf) -> Self {
        Self { path }
    }

    #[cfg(not(unix))]
    fn check(&self) -> Result<()> {
        // Other systems do not remove a file that is open.
        Ok(())
    }
}
