//! What a writer works with: its connection, and its knowledge of the tasks that a worker of this process
//! has claimed steps of, so that an operation on them reads nothing.
//!
//! What is known of a task is true for as long as the task's epoch stays the same. Whoever else writes to
//! the task raises the epoch; then the statement does not write the task, and its operations are done once
//! more, from what the database has.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use tasker_store::progress::Progress;
use tasker_store::{Claim, ClaimRequest, Created, NewTaskRecord, TaskId, TemplateId};
use tokio::sync::oneshot;
use tokio_postgres::types::Type;

use crate::answer::Answers;
use crate::answered::answered;
use crate::batch::{Batch, Written};
use crate::connection::Connection;
use crate::error::{PgError, PgResult, is_connection_lost, is_given_up};
use crate::existing::existing;
use crate::load::{self, Lock};
use crate::operation::Operation;
use crate::outcome::{Knowledge, Outcome, apply};
use crate::own_writes;
use crate::queued_claims::{QueuedClaims, is_served_by, queue_request};
use crate::shared::Shared;
use crate::sql::statement;
use crate::sweep_schedule::SweepSchedule;
use crate::task_update::{TaskUpdate, TaskUpdates};
use crate::values::{self, get};
use crate::write::write;

/// An operation that creates a task: with the claims that it asks for, and the channel of its answer.
type Creation = (NewTaskRecord, ClaimRequest, oneshot::Sender<values::Result<Created>>);

/// What is known of a task.
#[derive(Debug)]
struct KnownTask {
    progress: Progress,
    epoch: i32,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connection: Connection,
    /// Which of the writers this is.
    pub(crate) shard: usize,
    pub(crate) shared: Arc<Shared>,
    tasks: HashMap<TaskId, KnownTask>,
    knowledge: Knowledge,
}

impl Session {
    pub(crate) fn new(connection: Connection, shard: usize, shared: Arc<Shared>) -> Self {
        Self { connection, shard, shared, tasks: HashMap::new(), knowledge: Knowledge::default() }
    }

    /// The connection was lost, so that these operations are in doubt: they may have been done although no
    /// answer arrived, or may yet be, since a statement that waits for a lock outlives its connection.
    pub(crate) fn set_in_doubt(&mut self, operations: &[Operation]) {
        self.connection.cut();
        self.shared.set_disconnected(self.shard, true);
        self.shared.known_claims.set_in_doubt();
        *self.shared.sweep_schedule() = Some(SweepSchedule::begin());
        self.knowledge.in_doubt.extend(operations.iter().filter_map(|operation| match operation {
            Operation::Finish(attempt, ..) => Some(attempt.claim),
            _ => None,
        }));
    }

    /// Whether an error means that the connection is of no more use.
    pub(crate) fn is_lost(&self, error: &PgError) -> bool {
        is_connection_lost(error, &self.connection.client)
    }

    /// Whether its connection was lost, and it has no other yet.
    pub(crate) fn is_disconnected(&self) -> bool {
        self.shared.is_disconnected(self.shard)
    }

    /// Goes on with another connection. What is known of tasks may be out of date, and is forgotten.
    pub(crate) fn reconnected(&mut self, connection: Connection) {
        self.connection = connection;
        self.tasks.clear();
        self.shared.set_disconnected(self.shard, false);
    }

    /// Does a batch of operations, and answers those that are done. Returns the others, which are to be
    /// done once more: their tasks were written by somebody else, or they could not share the batch's claims.
    pub(crate) async fn perform(
        &mut self,
        operations: Vec<Operation>,
    ) -> Result<Vec<Operation>, (Vec<Operation>, PgError)> {
        let shared = Arc::clone(&self.shared);
        let _writing = shared.write_barrier.read().await;
        self.perform_behind_barrier(operations).await
    }

    /// As [`perform`](Self::perform), for a caller that holds the write barrier.
    pub(crate) async fn perform_behind_barrier(
        &mut self,
        operations: Vec<Operation>,
    ) -> Result<Vec<Operation>, (Vec<Operation>, PgError)> {
        self.note_claims(self.shared.take_left_claims(self.shard));
        let serving = queue_request(&operations).filter(|_| self.shared.are_all_connected()).cloned();
        let mut tasks = TaskUpdates::new();
        let timeout = self.shared.write_timeout;
        self.shared.unanswered(self.shard).begin();
        let tried = answered(timeout, self.attempt(&operations, serving.as_ref(), &mut tasks)).await;
        if !tried.as_ref().is_err_and(|error| self.is_lost(error) || is_given_up(error)) {
            self.shared.unanswered(self.shard).answered();
        }
        let (outcomes, written, next_due) = match tried {
            Ok(done) => done,
            Err(error) => return Err((operations, error)),
        };
        let written_tasks: HashSet<TaskId> = written.tasks.iter().copied().collect();
        let present: HashSet<TaskId> = tasks.keys().copied().collect();
        let is_new = |task: &TaskId| tasks.get(task).is_some_and(|task| task.epoch.is_none());
        // Nothing was claimed from the queue when a task had another epoch.
        let all_written = present.iter().all(|task| written_tasks.contains(task) || is_new(task));
        self.remember(tasks, &written_tasks);
        let queued_claims = QueuedClaims {
            request: serving,
            claims: self.share_out(written.claims).into(),
            more: written.more || !all_written,
        };
        let (known_claims, in_doubt) = (&self.shared.known_claims, &mut self.knowledge.in_doubt);
        let mut answers = Answers { known_claims, in_doubt, queued_claims, next_due };
        let mut again = Vec::new();
        let mut not_created = Vec::new();
        for (operation, outcome) in operations.into_iter().zip(outcomes) {
            let is_written = match (&operation, &outcome) {
                (_, Outcome::NextBatch) => false,
                (Operation::Claim(..), _) => all_written,
                (Operation::Create(task, ..), _) => written_tasks.contains(&task.id),
                // A task that does not exist cannot have been written by others.
                _ => {
                    let tasks = operation.tasks();
                    tasks.iter().all(|task| written_tasks.contains(task) || !present.contains(task))
                }
            };
            match operation {
                operation if is_written => answers.answer(operation, outcome),
                Operation::Create(task, request, answer) => not_created.push((task, request, answer)),
                operation => again.push(operation),
            }
        }
        let QueuedClaims { request, claims: unclaimed, .. } = answers.queued_claims;
        if !unclaimed.is_empty() {
            // No answer names them. A task of another shard is not known here, and is read under its lock.
            let (answer, _) = oneshot::channel();
            let now = request.map(|request| request.now).unwrap_or_default();
            again.push(Operation::Release(unclaimed.into(), None, now, answer));
        }
        self.forget_tasks_of(&again);
        match self.answer_existing(not_created, &mut again).await {
            Ok(()) => Ok(again),
            Err(error) => Err((again, error)),
        }
    }

    /// Answers operations whose task was not created, because it or another of its identity exists. Adds to
    /// `again` those for which that turns out not to be so, or cannot be found out.
    async fn answer_existing(
        &self,
        not_created: Vec<Creation>,
        again: &mut Vec<Operation>,
    ) -> Result<(), PgError> {
        let mut found_out = Ok(());
        for (task, request, answer) in not_created {
            let timeout = self.shared.write_timeout;
            let existing = answered(timeout, existing(&self.connection, &task, &request)).await;
            let existing = existing.unwrap_or_else(|error| {
                found_out = Err(error);
                None
            });
            let Some(created) = existing else {
                again.push(Operation::Create(task, request, answer));
                continue;
            };
            if let Created::New(claimed) = &created {
                self.shared.known_claims.extend(claimed.claims.iter().copied());
            }
            // Whoever asked may have stopped waiting.
            let _ = answer.send(Ok(created));
        }
        found_out
    }

    /// Applies the operations to what is known, and writes the result down.
    async fn attempt(
        &mut self,
        operations: &[Operation],
        serving: Option<&ClaimRequest>,
        tasks: &mut TaskUpdates,
    ) -> PgResult<(Vec<Outcome>, Written, Option<Timestamp>)> {
        self.learn_templates(operations).await?;
        let wanted: BTreeSet<TaskId> = operations.iter().flat_map(Operation::tasks).collect();
        // Statements of the application's own run only under a claim that holds: its task is read again.
        for operation in operations.iter().filter(|operation| !operation.own_writes().is_empty()) {
            operation.tasks().iter().for_each(|task| drop(self.tasks.remove(task)));
        }
        let unknown: Vec<TaskId> =
            wanted.iter().filter(|task| !self.tasks.contains_key(task)).copied().collect();
        for task in &wanted {
            if let Some(KnownTask { progress, epoch }) = self.tasks.remove(task) {
                tasks.insert(*task, TaskUpdate::known(progress, epoch));
            }
        }
        let in_transaction = !unknown.is_empty();
        let done = async {
            if in_transaction {
                self.load(&unknown, tasks).await?;
            }
            self.apply_and_write(operations, serving, tasks, in_transaction).await
        }
        .await;
        if done.is_err() && in_transaction {
            // The first error tells more than that of the rollback.
            let _ = self.connection.client.batch_execute("ROLLBACK").await;
        }
        done
    }

    /// Begins a transaction, and reads tasks under their locks.
    async fn load(&mut self, unknown: &[TaskId], tasks: &mut TaskUpdates) -> PgResult<()> {
        let Connection { client, schema, begin, .. } = &self.connection;
        let known: Vec<TaskId> = tasks.keys().copied().collect();
        let (begun, fetched) = tokio::join!(
            client.batch_execute(begin),
            load::fetch(client, schema, unknown, &known, Lock::Task)
        );
        begun?;
        let fetched = fetched?;
        let epochs = fetched.epochs()?;
        let mut loaded = fetched.read(unknown)?;
        // A known task that others have written to is read as well, now that it is locked.
        let outdated: Vec<TaskId> = tasks
            .iter()
            .filter(|(id, task)| epochs.get(id).copied() != task.epoch)
            .map(|(id, _)| *id)
            .collect();
        if !outdated.is_empty() {
            outdated.iter().for_each(|task| drop(tasks.remove(task)));
            let fetched = load::fetch(client, schema, &outdated, &[], Lock::Task).await?;
            loaded.extend(fetched.read(&outdated)?);
        }
        for (task, loaded) in loaded {
            tasks.insert(task, TaskUpdate::loaded(loaded?));
        }
        Ok(())
    }

    async fn apply_and_write(
        &mut self,
        operations: &[Operation],
        serving: Option<&ClaimRequest>,
        tasks: &mut TaskUpdates,
        in_transaction: bool,
    ) -> PgResult<(Vec<Outcome>, Written, Option<Timestamp>)> {
        let mut batch = Batch::default();
        let mut limit = 0;
        let mut due = None;
        let mut outcomes = Vec::with_capacity(operations.len());
        for operation in operations {
            let outcome = apply(operation, &self.knowledge, tasks, &mut batch)?;
            if matches!(outcome, Outcome::Recorded(_)) {
                own_writes::run(&self.connection.client, operation.own_writes()).await?;
            }
            let served = operation.queue_request().filter(|request| is_served_by(request, serving));
            let outcome = match (operation, served) {
                (Operation::Claim(..), None) if serving.is_some() => Outcome::NextBatch,
                // An attempt that turns out to be stale gets no claims.
                (_, Some(request)) if matches!(outcome, Outcome::Recorded(_) | Outcome::FromQueue) => {
                    limit += request.limit.saturating_sub(outcome.claimed());
                    if let Operation::Claim(request, _) = operation {
                        due = due.max(Some(request.now));
                    }
                    outcome
                }
                _ => outcome,
            };
            outcomes.push(outcome);
        }
        for task in tasks.values_mut() {
            task.write_down(&mut batch);
        }
        if let Some(request) = serving {
            batch.claim(request, limit);
        }
        let queued = &self.shared.queued;
        let (written, next_due) = write(&mut self.connection, &batch, due, in_transaction, queued).await?;
        Ok((outcomes, written, next_due))
    }

    /// Asks for templates that are not known to be in the database.
    async fn learn_templates(&mut self, operations: &[Operation]) -> PgResult<()> {
        let templates = operations.iter().filter_map(|operation| match operation {
            Operation::Create(task, ..) => Some(task.template),
            _ => None,
        });
        let known = &mut self.knowledge.templates;
        let unknown: HashSet<_> = templates.filter(|id| !known.contains(id)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let unknown: Vec<uuid::Uuid> = unknown.into_iter().map(|id| id.0).collect();
        let sql = statement!("known_templates", &self.connection.schema);
        let rows = self.connection.client.query_typed(&sql, &[(&unknown, Type::UUID_ARRAY)]).await?;
        for row in &rows {
            known.insert(TemplateId(get(row, "id")?));
        }
        Ok(())
    }

    /// Forgets the tasks of operations that are done once more, so that all of them are read under their locks.
    /// An operation that names a stale claim on a task it has not read is done again. Were the tasks that it
    /// has read remembered, then the next time these would be the ones not read, and it would never end.
    fn forget_tasks_of(&mut self, again: &[Operation]) {
        again.iter().flat_map(Operation::tasks).for_each(|task| drop(self.tasks.remove(&task)));
    }

    /// Keeps what is known of the tasks that a worker of this process has claimed steps of.
    fn remember(&mut self, tasks: TaskUpdates, written: &HashSet<TaskId>) {
        let workers = self.shared.alive_workers();
        for (id, task) in tasks {
            let is_ours = task.progress.claims().any(|claim| workers.contains(&claim.worker));
            if written.contains(&id) && is_ours && self.shared.is_in_shard(id, self.shard) {
                let epoch = task.new_epoch();
                self.tasks.insert(id, KnownTask { progress: task.progress, epoch });
            }
        }
    }

    /// Notes claims from the queue, each in the shard of its task.
    fn share_out(&mut self, claims: Vec<Claim>) -> Vec<Claim> {
        let (own, others): (Vec<Claim>, Vec<Claim>) =
            claims.iter().partition(|claim| self.shared.is_in_shard(claim.task, self.shard));
        others.into_iter().for_each(|claim| self.shared.leave_to_shard(claim));
        self.note_claims(own);
        claims
    }

    /// Notes claims from the queue on tasks that are known.
    fn note_claims(&mut self, claims: Vec<Claim>) {
        for claim in claims {
            if let Some(known) = self.tasks.get_mut(&claim.task) {
                let same = known.progress.claim(claim.key, claim.worker, claim.claimed_at) == claim;
                // It is written down already.
                let written: Result<(), ()> = known.progress.write_down(|_, _| Ok(()));
                if !same || written.is_err() {
                    self.tasks.remove(&claim.task);
                }
            }
        }
    }
}
