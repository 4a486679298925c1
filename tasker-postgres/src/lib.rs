//! A store in PostgreSQL, which any number of processes share. Each process writes on two connections, in
//! group commits, and has a pool of connections for reads and rare operations.

mod answer;
mod answered;
mod batch;
mod columns;
mod connection;
mod connector;
mod database_clock;
mod doctor;
mod encryption;
mod error;
mod existing;
mod heartbeat;
mod heartbeat_thread;
mod in_transaction;
mod inputs;
mod inspect;
mod known_claims;
mod limits;
mod load;
mod migrate;
mod notices;
mod open;
mod operate;
mod operation;
mod orphan_sweep;
mod outcome;
mod own_workers;
mod own_writes;
mod pool;
mod queued_claims;
mod read;
mod rows;
mod schema;
mod session;
mod settings;
mod shared;
mod sql;
mod statement;
mod sweep_schedule;
mod task_update;
mod templates;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
mod unanswered;
mod values;
mod worker_claims;
mod workers;
mod write;
mod writer;
mod writer_shards;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tasker_store::doctor::{Facts, FactsRequest, Finding};
use tasker_store::{
    Acted, ActionRequest, Claim, ClaimRequest, Claimed, Created, Finished, FinishedAttempt, FleetLimit,
    Identity, Json, LimitRecord, LimitScope, NewTaskRecord, PermitGrants, PermitRequest, ProgramRecord,
    PruneRequest, StepKey, Store, StoreClock, StoreError, TaskFilter, TaskGlance, TaskHead, TaskId,
    TaskInputs, TaskRecord, TemplateId, TemplateRecord, WorkerId, WorkerInfo, WorkerRecord,
};
use tasker_template::StepIndex;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use error::PgError;
use heartbeat::Heartbeats;
use heartbeat_thread::HeartbeatThread;
use inputs::InputRequest;
use operation::Operation;
use own_workers::{Heartbeat, OwnWorkers};
use pool::Pool;
use settings::ConnectionSettings;
use shared::{Shared, Workers};
use workers::Departure;
use writer_shards::WriterShards;

pub use in_transaction::Executor;
pub use migrate::{migrate, plan_migration};

/// Keeps tasks in PostgreSQL.
///
/// Any number of processes on any number of machines may share one schema. A worker writes several
/// heartbeats within its lease. When its lease runs out, by the database's clock, other workers take over
/// its claims.
pub struct PostgresStore {
    settings: Arc<ConnectionSettings>,
    /// Its quoted name.
    schema: String,
    pool: Pool,
    shards: WriterShards,
    input_requests: mpsc::Sender<InputRequest>,
    /// Workers of this process that are alive.
    workers: Workers,
    own: OwnWorkers,
    /// Workers of this process that have ended without signing off.
    died: Mutex<HashSet<WorkerId>>,
    /// Notified when steps have come into the queue.
    queued: Arc<Notify>,
    /// Notified when another process says that steps have come into the queue.
    notified: Arc<Notify>,
    shared: Arc<Shared>,
    _heartbeats: HeartbeatThread,
    notices: JoinHandle<()>,
}

impl PostgresStore {
    /// Connects, and brings the schema up to date.
    ///
    /// The URL is PostgreSQL's own, with parameters of ours in its query: `schema` (`tasker`), `lease` in
    /// seconds (15), `connections` for how many a process opens at most (8), `prepared=false` for proxies
    /// that cannot keep prepared statements, `listen=false` for proxies that pass no notifications on.
    ///
    /// `sslmode` is libpq's: `disable`, `prefer`, `require`, `verify-ca` or `verify-full`. The certificates
    /// of trusted authorities come from the file `sslrootcert=PATH`, in PEM format, or from the machine with
    /// `sslrootcert=system`, which is also what `verify-full` takes without a path. They are read once, here.
    /// The default is `verify-full` where `sslrootcert` is given, `disable` for a host that is this machine
    /// (`localhost`, a loopback address), and `prefer` for all others. A connection by a Unix socket never
    /// has TLS. TLS needs the feature `tls`: without it `prefer` connects without TLS, and stricter modes are
    /// refused.
    ///
    /// # Errors
    ///
    /// When the URL or a file that it names cannot be read, the database cannot be reached with the TLS mode
    /// of the URL, or the schema is of a newer version that this program cannot work with.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), tasker::store::StoreError> {
    /// use tasker::store::PostgresStore;
    /// let store = PostgresStore::open("postgres://localhost/orders?schema=workflows").await?;
    /// # Ok(()) }
    /// ```
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let settings = Arc::new(open::settings(url).await?);
        let connections = open::writers(&settings).await?;
        let pool = Pool::new(&settings)?;
        let (workers, own) = (Workers::default(), OwnWorkers::default());
        database_clock::measure(&own.clock, &connections[0].client).await;
        let (queued, notified) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let known_claims = own.known_claims.clone();
        let shared = Shared::new(&settings, Arc::clone(&workers), known_claims, Arc::clone(&queued));
        let shared = Arc::new(shared);
        let shards = WriterShards::start(connections, &shared, &settings);
        let notices = tokio::spawn(notices::send(pool.clone(), Arc::clone(&settings), Arc::clone(&queued)));
        let heartbeats =
            Heartbeats::new(Arc::clone(&settings), own.clone(), Arc::clone(&shared), Arc::clone(&notified));
        let heartbeats = HeartbeatThread::start(heartbeats)?;
        let input_requests = inputs::start(&pool, &settings);
        let (schema, died) = (settings.quoted_schema(), Mutex::default());
        Ok(Self {
            settings,
            schema,
            pool,
            shards,
            input_requests,
            workers,
            own,
            died,
            queued,
            notified,
            shared,
            _heartbeats: heartbeats,
            notices,
        })
    }

    /// How a worker of this process ends now.
    fn departure(&self) -> Departure {
        if self.own.known_claims.was_in_doubt() { Departure::InDoubt } else { Departure::Clean }
    }

    async fn beat(&self, heartbeats: &[Heartbeat]) -> Result<(), StoreError> {
        let connection = self.pool.get().await?;
        let beaten = workers::beat(&**connection, &self.schema, heartbeats, self.settings.lease);
        let beaten = self.pool.answered(beaten).await;
        self.pool.give_back(connection, beaten)
    }

    fn alive(&self) -> MutexGuard<'_, HashSet<WorkerId>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn died(&self) -> MutexGuard<'_, HashSet<WorkerId>> {
        self.died.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("at", &self.settings.describe()).finish_non_exhaustive()
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.notices.abort();
    }
}

impl tasker_store::sealed::Sealed for PostgresStore {}

#[async_trait]
impl Store for PostgresStore {
    fn name(&self) -> String {
        self.settings.describe()
    }

    async fn register_worker(
        &self,
        worker: WorkerId,
        info: WorkerInfo,
        _: Timestamp,
    ) -> Result<(), StoreError> {
        self.beat(&[self.own.heartbeat(worker, Arc::new(info.clone()))]).await?;
        let connection = self.pool.get().await?;
        let kept = workers::put_program(&**connection, &self.schema, worker, &info);
        let kept = self.pool.answered(kept).await;
        self.pool.give_back(connection, kept)?;
        self.own.insert(worker, info);
        self.alive().insert(worker);
        Ok(())
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, StoreError> {
        // So that the answer has what our own workers are running now.
        if !self.shared.has_unanswered_writer(self.settings.lease) {
            self.beat(&self.own.heartbeats()).await?;
        }
        let connection = self.pool.get().await?;
        let records = self.pool.answered(workers::records(&**connection, &self.schema)).await;
        self.pool.give_back(connection, records)
    }

    async fn program_of(&self, worker: WorkerId) -> Result<Option<ProgramRecord>, StoreError> {
        let connection = self.pool.get().await?;
        let program = self.pool.answered(workers::program(&**connection, &self.schema, worker)).await;
        self.pool.give_back(connection, program)
    }

    async fn retire_worker(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.alive().remove(&worker);
        self.own.remove(worker);
        let connection = self.pool.get().await?;
        let done = async {
            workers::end(&**connection, &self.schema, &[worker], self.departure()).await?;
            // While it has claims, or may have, its row stays, so that others find them.
            if self.own.known_claims.count(worker) == 0 {
                workers::forget(&**connection, &self.schema, &[worker]).await?;
            }
            Ok::<_, PgError>(())
        };
        let done = self.pool.answered(done).await;
        self.pool.give_back(connection, done)
    }

    fn worker_died(&self, worker: WorkerId) {
        // Its claims are orphaned from when this process next looks for such claims, or else from when its
        // lease has run out.
        self.own.remove(worker);
        if self.alive().remove(&worker) {
            self.died().insert(worker);
        }
    }

    async fn put_template(&self, template: TemplateRecord) -> Result<(), StoreError> {
        let connection = self.pool.get().await?;
        let put = self.pool.answered(templates::put(&**connection, &self.schema, &template)).await;
        self.pool.give_back(connection, put)
    }

    async fn template(&self, id: TemplateId) -> Result<Option<Arc<TemplateRecord>>, StoreError> {
        let connection = self.pool.get().await?;
        let template = self.pool.answered(templates::get_template(&**connection, &self.schema, id)).await;
        self.pool.give_back(connection, template)
    }

    async fn template_ids(&self) -> Result<Vec<TemplateId>, StoreError> {
        let connection = self.pool.get().await?;
        let ids = self.pool.answered(templates::ids(&**connection, &self.schema)).await;
        self.pool.give_back(connection, ids)
    }

    async fn create_task(&self, task: NewTaskRecord, claim: ClaimRequest) -> Result<Created, StoreError> {
        self.shards.ask(task.id, |answer| Operation::Create(task, claim, answer)).await
    }

    fn create_task_sql(&self, task: &NewTaskRecord) -> Result<String, StoreError> {
        in_transaction::create_task_sql(&self.schema, &notices::channel(&self.settings.schema), task)
    }

    async fn task_of_identity(&self, identity: &Identity) -> Result<Option<(TaskId, Json)>, StoreError> {
        let connection = self.pool.get().await?;
        let task = existing::task_of_identity(&**connection, &self.schema, identity);
        let task = self.pool.answered(task).await;
        self.pool.give_back(connection, task)
    }

    async fn claim(&self, claim: ClaimRequest) -> Result<Claimed, StoreError> {
        self.shards.ask_any(|answer| Operation::Claim(claim, answer)).await
    }

    async fn finish(&self, attempt: FinishedAttempt, claim: ClaimRequest) -> Result<Finished, StoreError> {
        let task = attempt.claim.task;
        if attempt.claim.worker == claim.worker || !claim.any {
            return self.shards.ask(task, |answer| Operation::Finish(attempt, claim, answer)).await;
        }
        // The attempt is another worker's: the steps that it makes ready are claimed from the queue.
        let nothing = ClaimRequest { limit: 0, any: false, ..claim.clone() };
        let mut finished =
            self.shards.ask(task, |answer| Operation::Finish(attempt, nothing, answer)).await?;
        if let Finished::Recorded { claimed, .. } = &mut finished {
            *claimed = Claimed { next_due: None, ..self.claim(claim).await? };
        }
        Ok(finished)
    }

    async fn release(
        &self,
        claims: Vec<Claim>,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let release = |claims, answer| Operation::Release(claims, due_at, now, answer);
        self.shards.ask_each(claims, release).await.map(drop)
    }

    async fn revoked(&self, claims: Vec<Claim>) -> Result<Vec<Claim>, StoreError> {
        Ok(self.shards.ask_each(claims, Operation::Revoked).await?.concat())
    }

    async fn act(&self, action: ActionRequest) -> Result<Acted, StoreError> {
        let mut connection = self.pool.get().await?;
        let client: &mut tokio_postgres::Client = &mut connection;
        let acted = operate::act(client, &self.settings, &self.schema, &action);
        let acted = self.pool.answered(acted).await;
        let (acted, has_ready_steps) = self.pool.give_back(connection, acted)?;
        if let Acted::Done { revoked, .. } = &acted {
            revoked.iter().for_each(|claim| self.own.known_claims.remove(claim));
        }
        if has_ready_steps {
            self.queued.notify_one();
        }
        Ok(acted)
    }

    async fn prune(&self, prune: PruneRequest) -> Result<usize, StoreError> {
        let connection = self.pool.get().await?;
        let pruned = self.pool.answered(operate::prune(&**connection, &self.schema, &prune)).await;
        self.pool.give_back(connection, pruned)
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.settings.lease)
    }

    fn clock(&self) -> Option<Arc<StoreClock>> {
        Some(Arc::clone(&self.own.clock))
    }

    async fn set_limit(&self, limit: FleetLimit) -> Result<(), StoreError> {
        let connection = self.pool.get().await?;
        let set = self.pool.answered(limits::set(&**connection, &self.schema, &limit)).await;
        self.pool.give_back(connection, set)
    }

    async fn remove_limit(&self, scope: LimitScope) -> Result<bool, StoreError> {
        let mut connection = self.pool.get().await?;
        let removed = limits::remove(&mut connection, &self.settings, &self.schema, &scope);
        let removed = self.pool.answered(removed).await;
        self.pool.give_back(connection, removed)
    }

    async fn limits(&self) -> Result<Vec<LimitRecord>, StoreError> {
        let connection = self.pool.get().await?;
        let records = self.pool.answered(limits::records(&**connection, &self.schema)).await;
        self.pool.give_back(connection, records)
    }

    async fn permits(&self, request: PermitRequest) -> Result<PermitGrants, StoreError> {
        let mut connection = self.pool.get().await?;
        let granted = limits::permits(&mut connection, &self.settings, &self.schema, &request);
        let granted = self.pool.answered(granted).await;
        self.pool.give_back(connection, granted)
    }

    async fn orphaned(&self) -> Result<Vec<Claim>, StoreError> {
        let connection = self.pool.get().await?;
        let schema = &self.schema;
        let died: Vec<WorkerId> = self.died().drain().collect();
        let look = async {
            if !died.is_empty() {
                workers::end(&**connection, schema, &died, self.departure()).await?;
            }
            let dead = workers::dead(&**connection, schema).await?;
            let claims = worker_claims::claims_of(&**connection, schema, &dead).await?;
            let has_claims = |worker: &WorkerId| claims.iter().any(|claim| claim.worker == *worker);
            let idle: Vec<WorkerId> = dead.iter().copied().filter(|worker| !has_claims(worker)).collect();
            if !idle.is_empty() {
                workers::forget(&**connection, schema, &idle).await?;
            }
            Ok::<_, PgError>(claims)
        };
        let orphaned = self.pool.answered(look).await;
        if orphaned.is_err() {
            self.died().extend(died);
        }
        self.pool.give_back(connection, orphaned)
    }

    async fn inputs(
        &self,
        task: TaskId,
        run: StepKey,
        steps: &[StepIndex],
    ) -> Result<Option<TaskInputs>, StoreError> {
        let (answer, answered) = oneshot::channel();
        let request = InputRequest { task, run, steps: steps.to_vec(), answer };
        self.input_requests.send(request).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    async fn task(&self, id: TaskId) -> Result<Option<TaskRecord>, StoreError> {
        let mut connection = self.pool.get().await?;
        let client: &mut tokio_postgres::Client = &mut connection;
        let read = async {
            let isolation = tokio_postgres::IsolationLevel::RepeatableRead;
            let transaction = client.build_transaction().isolation_level(isolation).read_only(true);
            let transaction = transaction.start().await?;
            let task = read::task(&transaction, &self.schema, id).await?;
            transaction.commit().await?;
            Ok::<_, PgError>(task)
        };
        let task = self.pool.answered(read).await;
        self.pool.give_back(connection, task)
    }

    async fn glance(&self, tasks: &[TaskId]) -> Result<Vec<TaskGlance>, StoreError> {
        let connection = self.pool.get().await?;
        let glances = self.pool.answered(load::glance(&**connection, &self.schema, tasks)).await;
        self.pool.give_back(connection, glances)
    }

    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskHead>, StoreError> {
        let connection = self.pool.get().await?;
        let tasks = self.pool.answered(read::tasks(&**connection, &self.schema, &filter)).await;
        self.pool.give_back(connection, tasks)
    }

    async fn facts(&self, request: FactsRequest) -> Result<Facts, StoreError> {
        let mut connection = self.pool.get().await?;
        let client: &mut tokio_postgres::Client = &mut connection;
        let facts = self.pool.answered(doctor::facts(client, &self.schema, request)).await;
        self.pool.give_back(connection, facts)
    }

    async fn inspect(&self, repair: bool) -> Result<Vec<Finding>, StoreError> {
        let connection = self.pool.get().await?;
        let found = self.pool.answered(inspect::inspect(&**connection, &self.settings, repair)).await;
        self.pool.give_back(connection, found)
    }

    async fn notified(&self) {
        self.notified.notified().await;
    }
}
