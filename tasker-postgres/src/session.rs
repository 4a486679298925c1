//! What the writer works with: its connection, and where the tasks are that have something claimed
//! here, so that an operation needs to read nothing.
//!
//! What is known of a task holds for as long as its epoch stays the same. Whoever else writes to the
//! task raises it; then the statement leaves that task out, and its operations are done once more,
//! from what the database says.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tasker_store::progress::{Moved, Progress};
use tasker_store::{
    AttemptRecord, Claim, ClaimRequest, Claimed, Created, Finished, FinishedAttempt, NewTaskRecord,
    StoreError, TaskId, TaskState, TemplateId, WorkerId, failpoint,
};
use tokio::sync::oneshot;
use tokio_postgres::types::Type;

use crate::batch::{Batch, Written};
use crate::claims::{Queue, queue_request, shares};
use crate::connection::Connection;
use crate::lanes::Shared;
use crate::load::{self, Ended, Hold};
use crate::operation::Operation;
use crate::own_writes;
use crate::touched::Touched;
use crate::untold::Sweep;
use crate::values::{Result, Time, get, json, maybe_time};

/// Why a batch was not written.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The database said no, or could not be reached.
    Database(tokio_postgres::Error),
    /// It cannot be read, or not be put into words.
    Store(StoreError),
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The workers of this process, as the store's other parts know them as well.
pub(crate) type Workers = Arc<Mutex<HashSet<WorkerId>>>;

/// What is known of a task.
#[derive(Debug)]
struct Known {
    progress: Progress,
    epoch: i32,
}

/// What an operation has come to, if its tasks are written.
#[derive(Debug)]
enum Outcome {
    Created(Claimed),
    Recorded(Moved),
    /// It was recorded before, by an operation whose answer did not arrive.
    Replayed(Vec<Claim>, TaskState),
    /// There is no such task.
    Stale,
    /// The claim does not hold.
    Unheld,
    Released,
    /// Claims from the queue, and nothing else.
    Queued,
    Revoked(Vec<Claim>),
    /// It has its turn in the next batch.
    Later,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connection: Connection,
    /// Which of the writers this is.
    lane: usize,
    pub(crate) shared: Arc<Shared>,
    tasks: HashMap<TaskId, Known>,
    /// Templates that are there; they are never deleted.
    templates: HashSet<TemplateId>,
    /// The claims whose attempts may have been recorded by a statement that was not answered.
    doubted: HashSet<Claim>,
}

impl Session {
    pub(crate) fn new(connection: Connection, lane: usize, shared: Arc<Shared>) -> Self {
        let (tasks, templates, doubted) = (HashMap::new(), HashSet::new(), HashSet::new());
        Self { connection, lane, shared, tasks, templates, doubted }
    }

    /// These operations may have been done, although no answer came; or will be, for a statement that
    /// waits for a lock outlives its connection.
    pub(crate) fn doubt(&mut self, operations: &[Operation]) {
        self.shared.set_away(self.lane, true);
        self.shared.held.set_untold();
        let sweep = Sweep::begin();
        *self.shared.sweep.lock().unwrap_or_else(PoisonError::into_inner) = Some(sweep);
        self.doubted.extend(operations.iter().filter_map(|operation| match operation {
            Operation::Finish(attempt, ..) => Some(attempt.claim),
            _ => None,
        }));
    }

    /// Whether its connection was lost, and there is no other yet.
    pub(crate) fn is_away(&self) -> bool {
        self.shared.is_away(self.lane)
    }

    /// Goes on with another connection; what is known of tasks may be out of date.
    pub(crate) fn reconnected(&mut self, connection: Connection) {
        self.connection = connection;
        self.tasks.clear();
        self.shared.set_away(self.lane, false);
    }

    /// Does a batch of operations, and answers those that are done. The others are to be done once
    /// more: their tasks have changed, or there was no room for them.
    pub(crate) async fn perform(
        &mut self,
        operations: Vec<Operation>,
    ) -> std::result::Result<Vec<Operation>, (Vec<Operation>, Trouble)> {
        let shared = Arc::clone(&self.shared);
        let _not_quiet = shared.quiet.read().await;
        self.perform_anyway(operations).await
    }

    /// Without regard to who wants all writers to be quiet.
    pub(crate) async fn perform_anyway(
        &mut self,
        operations: Vec<Operation>,
    ) -> std::result::Result<Vec<Operation>, (Vec<Operation>, Trouble)> {
        self.note_claims(self.shared.told(self.lane));
        let serving = queue_request(&operations).filter(|_| self.shared.is_whole()).cloned();
        let mut touched = BTreeMap::new();
        let tried = self.attempt(&operations, serving.as_ref(), &mut touched).await;
        let (outcomes, written, next_due) = match tried {
            Ok(done) => done,
            Err(trouble) => return Err((operations, trouble)),
        };
        let good: HashSet<TaskId> = written.tasks.iter().copied().collect();
        let present: HashSet<TaskId> = touched.keys().copied().collect();
        let created: HashSet<TaskId> = operations
            .iter()
            .filter_map(|operation| match operation {
                Operation::Create(task, ..) => Some(task.id),
                _ => None,
            })
            .collect();
        self.remember(touched, &good);
        // Nothing comes from the queue when a task was not as it was thought to be.
        let all_good = present.iter().all(|task| good.contains(task) || created.contains(task));
        let mut queue = Queue {
            request: serving,
            claims: self.pass_on(written.claims).into(),
            more: written.more || !all_good,
        };
        let mut again = Vec::new();
        let mut refused = Vec::new();
        for (operation, outcome) in operations.into_iter().zip(outcomes) {
            let is_written = match (&operation, &outcome) {
                (_, Outcome::Later) => false,
                (Operation::Claim(..), _) => all_good,
                (Operation::Create(task, ..), _) => good.contains(&task.id),
                // A task that is not there is nobody's.
                _ => operation.tasks().iter().all(|task| good.contains(task) || !present.contains(task)),
            };
            match (is_written, operation) {
                (true, operation) => self.answer(operation, outcome, &mut queue, next_due),
                (false, Operation::Create(task, request, answer)) => refused.push((task, request, answer)),
                (false, operation) => again.push(operation),
            }
        }
        if !queue.claims.is_empty() {
            // Nobody has been told of them. A task of another writer's is read under its lock, for it
            // is not known here.
            let (answer, _) = oneshot::channel();
            let now = queue.request.map(|request| request.now).unwrap_or_default();
            again.push(Operation::Release(queue.claims.into(), None, now, answer));
        }
        let mut trouble = None;
        for (task, request, answer) in refused {
            match self.existing(&task, &request).await {
                Ok(Some(created)) => drop(answer.send(Ok(created))),
                Ok(None) => again.push(Operation::Create(task, request, answer)),
                Err(error) => {
                    again.push(Operation::Create(task, request, answer));
                    trouble = Some(error);
                }
            }
        }
        match trouble {
            None => Ok(again),
            Some(trouble) => Err((again, trouble)),
        }
    }

    /// The task that kept another from being created: one of the same identity, or itself, created
    /// before by an operation whose answer did not arrive. `None` when it is gone in the meantime.
    async fn existing(
        &mut self,
        task: &NewTaskRecord,
        request: &ClaimRequest,
    ) -> std::result::Result<Option<Created>, Trouble> {
        let Connection { client, schema, .. } = &self.connection;
        let own = load::ask(client, schema, &[task.id], &[], Hold::No).await?.read(&[task.id])?;
        if let Some(own) = own.into_values().next() {
            let own = own?;
            let ours = |claim: &Claim| claim.worker == request.worker && claim.claimed_at == task.created_at;
            let claims = own.progress.claims().filter(ours);
            let claimed = Claimed { claims: claims.collect(), ..Claimed::default() };
            self.shared.held.extend(claimed.claims.iter().copied());
            return Ok(Some(Created::New(claimed)));
        }
        let hash: &[u8] = task.identity.as_ref().map_or(&[], |identity| identity.as_slice());
        let sql = format!(
            "SELECT task.id, task.context::text
            FROM {schema}.identity
            JOIN {schema}.task ON task.id = identity.task_id
            WHERE identity.hash = $1"
        );
        let rows = client.query_typed(&sql, &[(&hash, Type::BYTEA)]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(Created::Duplicate { id: TaskId(get(row, 0)?), context: json(get(row, 1)?)? }))
    }

    /// Applies the operations to what is known, and writes that down.
    async fn attempt(
        &mut self,
        operations: &[Operation],
        serving: Option<&ClaimRequest>,
        touched: &mut BTreeMap<TaskId, Touched>,
    ) -> std::result::Result<(Vec<Outcome>, Written, Option<Timestamp>), Trouble> {
        self.learn_templates(operations).await?;
        let wanted: BTreeSet<TaskId> = operations.iter().flat_map(Operation::tasks).collect();
        // Whoever writes into tables of the application's own must know that the claim holds: read again.
        for operation in operations.iter().filter(|operation| !operation.own_writes().is_empty()) {
            operation.tasks().iter().for_each(|task| drop(self.tasks.remove(task)));
        }
        let missing: Vec<TaskId> =
            wanted.iter().filter(|task| !self.tasks.contains_key(task)).copied().collect();
        for task in &wanted {
            if let Some(Known { progress, epoch }) = self.tasks.remove(task) {
                touched.insert(*task, Touched::known(progress, epoch));
            }
        }
        let in_transaction = !missing.is_empty();
        let done = async {
            if in_transaction {
                self.load(&missing, touched).await?;
            }
            self.apply_and_write(operations, serving, touched, in_transaction).await
        }
        .await;
        if done.is_err() && in_transaction {
            // What went wrong is worth more than what the rollback says.
            let _ = self.connection.client.batch_execute("ROLLBACK").await;
        }
        done
    }

    /// Begins a transaction, and reads tasks under their locks.
    async fn load(
        &mut self,
        missing: &[TaskId],
        touched: &mut BTreeMap<TaskId, Touched>,
    ) -> std::result::Result<(), Trouble> {
        let Connection { client, schema, begin, .. } = &self.connection;
        let known: Vec<TaskId> = touched.keys().copied().collect();
        let (begun, answers) =
            tokio::join!(client.batch_execute(begin), load::ask(client, schema, missing, &known, Hold::Task));
        begun?;
        let answers = answers?;
        let epochs = answers.epochs()?;
        let mut loaded = answers.read(missing)?;
        // Others have written to what was thought known: that is read as well, now that it is locked.
        let outdated: Vec<TaskId> = touched
            .iter()
            .filter(|(task, touched)| epochs.get(task).copied() != touched.epoch)
            .map(|(task, _)| *task)
            .collect();
        if !outdated.is_empty() {
            outdated.iter().for_each(|task| drop(touched.remove(task)));
            loaded.extend(load::ask(client, schema, &outdated, &[], Hold::Task).await?.read(&outdated)?);
        }
        for (task, loaded) in loaded {
            touched.insert(task, Touched::loaded(loaded?));
        }
        Ok(())
    }

    async fn apply_and_write(
        &mut self,
        operations: &[Operation],
        serving: Option<&ClaimRequest>,
        touched: &mut BTreeMap<TaskId, Touched>,
        in_transaction: bool,
    ) -> std::result::Result<(Vec<Outcome>, Written, Option<Timestamp>), Trouble> {
        let mut batch = Batch::default();
        let mut room = 0;
        let mut due = None;
        let mut outcomes = Vec::with_capacity(operations.len());
        for operation in operations {
            let outcome = self.apply(operation, touched, &mut batch)?;
            if matches!(outcome, Outcome::Recorded(_)) {
                own_writes::run(&self.connection.client, operation.own_writes()).await?;
            }
            let wants = operation.queue_request().filter(|request| shares(request, serving));
            let outcome = match (operation, wants) {
                (Operation::Claim(..), None) if serving.is_some() => Outcome::Later,
                // One that turns out to be stale is handed nothing.
                (_, Some(request)) if matches!(outcome, Outcome::Recorded(_) | Outcome::Queued) => {
                    room += request.limit.saturating_sub(outcome.claimed());
                    if let Operation::Claim(request, _) = operation {
                        due = due.max(Some(request.now));
                    }
                    outcome
                }
                _ => outcome,
            };
            outcomes.push(outcome);
        }
        for touched in touched.values_mut() {
            touched.write_down(&mut batch);
        }
        if let Some(request) = serving {
            batch.claim(request, room);
        }
        let (written, next_due) = self.write(&batch, due, in_transaction).await?;
        Ok((outcomes, written, next_due))
    }

    /// Sends the statement, and what belongs around it, one behind the other without waiting.
    async fn write(
        &mut self,
        batch: &Batch,
        due: Option<Timestamp>,
        in_transaction: bool,
    ) -> std::result::Result<(Written, Option<Timestamp>), Trouble> {
        let statement = batch.prepare(&mut self.connection).await?;
        let Connection { client, schema, .. } = &self.connection;
        let promote = async {
            let Some(now) = due else { return Ok(()) };
            let sql = format!(
                "UPDATE {schema}.step
                SET due_at = NULL
                WHERE (task_id, step, instance) IN (
                    SELECT task_id, step, instance
                    FROM {schema}.step
                    WHERE due_at <= $1
                    ORDER BY due_at
                    LIMIT 1000
                    FOR UPDATE SKIP LOCKED
                )"
            );
            client.query_typed(&sql, &[(&Time(now), Type::TIMESTAMPTZ)]).await.map(drop)
        };
        let commit = async { if in_transaction { client.batch_execute("COMMIT").await } else { Ok(()) } };
        let next_due = async {
            if due.is_none() {
                return Ok(Vec::new());
            }
            let sql = format!("SELECT min(due_at) FROM {schema}.step WHERE due_at IS NOT NULL");
            client.query_typed(&sql, &[]).await
        };
        failpoint::pass("unsent");
        let (promoted, rows, committed, next) =
            tokio::join!(promote, batch.send(client, schema, statement), commit, next_due);
        failpoint::pass("unanswered");
        promoted?;
        let rows = rows?;
        committed?;
        if batch.queues() {
            self.shared.queued.notify_one();
        }
        let next_due = next?.first().map(|row| maybe_time(row, 0)).transpose()?.flatten();
        Ok((batch.read(&rows)?, next_due))
    }

    fn apply(
        &self,
        operation: &Operation,
        touched: &mut BTreeMap<TaskId, Touched>,
        batch: &mut Batch,
    ) -> Result<Outcome> {
        match operation {
            Operation::Create(task, request, _) => {
                if !self.templates.contains(&task.template) {
                    return Err(StoreError::NoTemplate(task.template));
                }
                let mut progress = Progress::new(task.id, task.template, task.priority);
                let moved = progress.start(&task.starts, task.run_at, task.created_at, request);
                batch.create(task, &moved.steps(), request)?;
                touched.insert(task.id, Touched::created(progress, task.created_at));
                Ok(Outcome::Created(moved.claimed))
            }
            Operation::Finish(attempt, request, _) => {
                let doubted = self.doubted.contains(&attempt.claim);
                finish(attempt, request, touched, batch, doubted)
            }
            Operation::Release(claims, due_at, now, _) => {
                for claim in claims {
                    if let Some(touched) = touched.get_mut(&claim.task)
                        && touched.holds(claim)
                    {
                        touched.progress.release(claim, *due_at, *now);
                    }
                }
                Ok(Outcome::Released)
            }
            Operation::Claim(..) => Ok(Outcome::Queued),
            Operation::Revoked(claims, _) => {
                let mut holds =
                    |claim: &Claim| touched.get_mut(&claim.task).is_some_and(|touched| touched.holds(claim));
                Ok(Outcome::Revoked(claims.iter().filter(|claim| !holds(claim)).copied().collect()))
            }
        }
    }

    /// Asks for templates that were not there when they were last asked for.
    async fn learn_templates(&mut self, operations: &[Operation]) -> std::result::Result<(), Trouble> {
        let templates = operations.iter().filter_map(|operation| match operation {
            Operation::Create(task, ..) => Some(task.template),
            _ => None,
        });
        let unknown: HashSet<_> = templates.filter(|id| !self.templates.contains(id)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let unknown: Vec<uuid::Uuid> = unknown.into_iter().map(|id| id.0).collect();
        let sql = format!("SELECT id FROM {}.template WHERE id = ANY ($1)", self.connection.schema);
        let rows = self.connection.client.query_typed(&sql, &[(&unknown, Type::UUID_ARRAY)]).await?;
        for row in &rows {
            self.templates.insert(TemplateId(get(row, 0)?));
        }
        Ok(())
    }

    /// Keeps what is known of tasks that somebody here works on.
    fn remember(&mut self, touched: BTreeMap<TaskId, Touched>, good: &HashSet<TaskId>) {
        let workers = self.shared.workers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (task, touched) in touched {
            let is_ours = touched.progress.claims().any(|claim| workers.contains(&claim.worker));
            if good.contains(&task) && is_ours && self.shared.is_of(task, self.lane) {
                let epoch = touched.new_epoch();
                self.tasks.insert(task, Known { progress: touched.progress, epoch });
            }
        }
    }

    /// Tells the tasks' writers what was claimed from the queue.
    fn pass_on(&mut self, claims: Vec<Claim>) -> Vec<Claim> {
        let (own, others): (Vec<Claim>, Vec<Claim>) =
            claims.iter().partition(|claim| self.shared.is_of(claim.task, self.lane));
        others.into_iter().for_each(|claim| self.shared.tell(claim));
        self.note_claims(own);
        claims
    }

    /// Notes what was claimed from the queue, where the task is known.
    fn note_claims(&mut self, claims: Vec<Claim>) {
        for claim in claims {
            if let Some(known) = self.tasks.get_mut(&claim.task) {
                let same = known.progress.claim(claim.step, claim.worker, claim.claimed_at) == claim;
                // It is written down already.
                let written: std::result::Result<(), ()> = known.progress.write_down(|_, _| Ok(()));
                if !same || written.is_err() {
                    self.tasks.remove(&claim.task);
                }
            }
        }
    }

    fn let_go(&mut self, claims: &[Claim]) {
        for claim in claims {
            self.shared.held.remove(claim);
            self.doubted.remove(claim);
        }
    }

    fn answer(
        &mut self,
        operation: Operation,
        outcome: Outcome,
        queue: &mut Queue,
        next_due: Option<Timestamp>,
    ) {
        let told = |session: &mut Self, claims: &[Claim]| session.shared.held.extend(claims.iter().copied());
        match (operation, outcome) {
            (Operation::Create(.., answer), Outcome::Created(claimed)) => {
                told(self, &claimed.claims);
                drop(answer.send(Ok(Created::New(claimed))));
            }
            (Operation::Finish(attempt, request, answer), Outcome::Recorded(moved)) => {
                self.let_go(&[attempt.claim]);
                let mut claimed = moved.claimed;
                if request.any {
                    queue.serve(&mut claimed, &request);
                }
                told(self, &claimed.claims);
                let settled = moved.state.filter(|state| state.is_settled());
                drop(answer.send(Ok(Finished::Recorded { claimed, settled })));
            }
            (Operation::Finish(attempt, _, answer), Outcome::Replayed(claims, state)) => {
                self.let_go(&[attempt.claim]);
                told(self, &claims);
                let claimed = Claimed { claims, ..Claimed::default() };
                let settled = Some(state).filter(|state| state.is_settled());
                drop(answer.send(Ok(Finished::Recorded { claimed, settled })));
            }
            (Operation::Finish(attempt, _, answer), _) => {
                self.let_go(&[attempt.claim]);
                drop(answer.send(Ok(Finished::Stale)));
            }
            (Operation::Release(claims, .., answer), _) => {
                self.let_go(&claims);
                drop(answer.send(Ok(())));
            }
            (Operation::Claim(request, answer), _) => {
                let mut claimed = Claimed { next_due, ..Claimed::default() };
                queue.serve(&mut claimed, &request);
                told(self, &claimed.claims);
                drop(answer.send(Ok(claimed)));
            }
            (Operation::Revoked(_, answer), Outcome::Revoked(revoked)) => {
                self.let_go(&revoked);
                drop(answer.send(Ok(revoked)));
            }
            (operation, _) => operation.refuse(StoreError::Closed),
        }
    }
}

impl Outcome {
    /// How many steps were claimed in passing.
    fn claimed(&self) -> usize {
        match self {
            Self::Created(claimed) => claimed.claims.len(),
            Self::Recorded(moved) => moved.claimed.claims.len(),
            _ => 0,
        }
    }
}

fn finish(
    attempt: &FinishedAttempt,
    request: &ClaimRequest,
    touched: &mut BTreeMap<TaskId, Touched>,
    batch: &mut Batch,
    doubted: bool,
) -> Result<Outcome> {
    let claim = &attempt.claim;
    let Some(touched) = touched.get_mut(&claim.task) else { return Ok(Outcome::Stale) };
    let moved = if touched.holds(claim) { touched.progress.finish(attempt, request) } else { None };
    let Some(moved) = moved else {
        let ended = touched.ended.get(&(claim.step, claim.attempt));
        let ours = |ended: &&Ended| ended.worker == claim.worker && ended.finished_at == attempt.finished_at;
        let Some(ended) = ended.filter(ours).filter(|_| doubted) else { return Ok(Outcome::Unheld) };
        let claims = touched.progress.claims().filter(|held| {
            held.worker == claim.worker
                && held.claimed_at == attempt.finished_at
                && ended.claimed.contains(&held.step)
        });
        return Ok(Outcome::Replayed(claims.collect(), touched.progress.state));
    };
    touched.at = attempt.finished_at;
    batch.attempt(claim.task, &AttemptRecord::from(attempt), &moved.steps())?;
    Ok(Outcome::Recorded(moved))
}
