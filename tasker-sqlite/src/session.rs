//! The writer thread's session: its connection, and the progress of tasks that have claims, so that most
//! operations read nothing.
//!
//! The session caches only what the file contains. The cache is cleared when a transaction is rolled back,
//! and when another connection has written.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use tasker_store::progress::{Change, Progress};
use tasker_store::{TaskId, TemplateId, twin};

use crate::attached::AttachedFile;
use crate::checkpoint::Checkpoints;
use crate::error::{Result, SqliteError};
use crate::load;
use crate::open_file::OpenFile;
use crate::values::{blob, micros};

/// The writer's connection with its cache.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connection: Connection,
    file: OpenFile,
    checkpoints: Checkpoints,
    /// Files of the application's.
    attached: Vec<AttachedFile>,
    tasks: HashMap<TaskId, Progress>,
    /// Templates that are known to be in the file; templates are never deleted.
    templates: HashSet<TemplateId>,
    /// Changes when another connection has written.
    data_version: i64,
}

impl Session {
    pub(crate) fn new(connection: Connection, path: PathBuf, attached: Vec<AttachedFile>) -> Result<Self> {
        let checkpoints = Checkpoints::of(&connection, "main", &path)?;
        let (file, tasks, templates) = (OpenFile::new(path), HashMap::new(), HashSet::new());
        Ok(Self { connection, file, checkpoints, attached, tasks, templates, data_version: 0 })
    }

    /// The file that is written to.
    pub(crate) fn path(&self) -> &Path {
        &self.file.path
    }

    /// Begins a transaction.
    pub(crate) fn begin(&mut self) -> Result<()> {
        self.file.check()?;
        self.attached.iter().try_for_each(|attached| attached.file.check())?;
        if !self.connection.is_autocommit() {
            // An earlier rollback has failed; nothing can be written until one succeeds.
            self.connection.execute_batch("ROLLBACK")?;
        }
        if self.attached.is_empty() {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        } else {
            // It would lock the attached files as well, and wait for the application's own transactions. A
            // statement that writes nothing locks the store's file alone.
            self.connection.prepare_cached("BEGIN")?.execute([])?;
            let locked = self.connection.execute("DELETE FROM main.permit WHERE 0", []);
            if locked.is_err() {
                self.roll_back();
            }
            locked?;
        }
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

    /// Looks after the logs, between two transactions.
    pub(crate) fn look_after_logs(&mut self) {
        self.checkpoints.look(&self.connection);
        self.attached.iter_mut().for_each(|attached| attached.checkpoints.look(&self.connection));
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
        let mut written = 0;
        progress.write_down(|key, change| match change {
            _ if twin::is("skipped-row") && is_third(&mut written) => Ok(()),
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

/// Counts, and says whether it was the third.
fn is_third(count: &mut usize) -> bool {
    *count += 1;
    *count == 3
}
