//! A store in PostgreSQL, which any number of processes share. Each process writes on two connections, in
//! group commits, and has a pool of connections for reads and rare operations.

mod answer;
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
use deadpool_postgres::{Object, Pool, PoolError};
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
use inputs::InputRequest;
use operation::Operation;
use own_workers::{Heartbeat, OwnWorkers};
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
    background: Vec<JoinHandle<()>>,
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
        let mut connection = open::connect(&settings).await?;
        schema::migrate(&mut connection.client, &settings).await?;
        let mut connections = vec![connection];
        while connections.len() < settings.writers {
            connections.push(open::connect(&settings).await?);
        }
        let pool = open::pool(&settings)?;
        let (workers, own) = (Workers::default(), OwnWorkers::default());
        database_clock::measure(&own.clock, &connections[0].client).await;
        let (queued, notified) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let background = vec![
            tokio::spawn(notices::send(pool.clone(), Arc::clone(&settings), Arc::clone(&queued))),
            tokio::spawn(notices::receive(Arc::clone(&settings), Arc::clone(&notified))),
            tokio::spawn(heartbeat::run(pool.clone(), Arc::clone(&settings), own.clone())),
        ];
        let known_claims = own.known_claims.clone();
        let shared = Shared::new(settings.writers, Arc::clone(&workers), known_claims, Arc::clone(&queued));
        let shards = WriterShards::start(connections, &Arc::new(shared), &settings);
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
            background,
        })
    }

    /// How a worker of this process ends now.
    fn departure(&self) -> Departure {
        if self.own.known_claims.was_in_doubt() { Departure::InDoubt } else { Departure::Clean }
    }

    async fn connection(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => self.store_error(error),
            error => StoreError::Database { what: self.settings.describe(), source: Box::new(error) },
        })
    }

    fn store_error(&self, error: impl Into<PgError>) -> StoreError {
        error.into().into_store_error(&self.settings.describe())
    }

    async fn beat(&self, heartbeats: &[Heartbeat]) -> Result<(), StoreError> {
        let connection = self.connection().await?;
        let beaten = workers::beat(&**connection, &self.schema, heartbeats, self.settings.lease).await;
        beaten.map_err(|error| self.store_error(error))
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
        self.background.iter().for_each(JoinHandle::abort);
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
        let connection = self.connection().await?;
        let kept = workers::put_program(&**connection, &self.schema, worker, &info).await;
        kept.map_err(|error| self.store_error(error))?;
        self.own.insert(worker, info);
        self.alive().insert(worker);
        Ok(())
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, StoreError> {
        // So that the answer has what our own workers are running now.
        self.beat(&self.own.heartbeats()).await?;
        let connection = self.connection().await?;
        workers::records(&**connection, &self.schema).await.map_err(|error| self.store_error(error))
    }

    async fn program_of(&self, worker: WorkerId) -> Result<Option<ProgramRecord>, StoreError> {
        let connection = self.connection().await?;
        let program = workers::program(&**connection, &self.schema, worker).await;
        program.map_err(|error| self.store_error(error))
    }

    async fn retire_worker(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.alive().remove(&worker);
        self.own.remove(worker);
        let connection = self.connection().await?;
        let done = async {
            workers::end(&**connection, &self.schema, &[worker], self.departure()).await?;
            // While it has claims, or may have, its row stays, so that others find them.
            if self.own.known_claims.count(worker) == 0 {
                workers::forget(&**connection, &self.schema, &[worker]).await?;
            }
            Ok::<_, PgError>(())
        };
        done.await.map_err(|error| self.store_error(error))
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
        let connection = self.connection().await?;
        templates::put(&**connection, &self.schema, &template).await.map_err(|error| self.store_error(error))
    }

    async fn template(&self, id: TemplateId) -> Result<Option<Arc<TemplateRecord>>, StoreError> {
        let connection = self.connection().await?;
        templates::get_template(&**connection, &self.schema, id)
            .await
            .map_err(|error| self.store_error(error))
    }

    async fn template_ids(&self) -> Result<Vec<TemplateId>, StoreError> {
        let connection = self.connection().await?;
        templates::ids(&**connection, &self.schema).await.map_err(|error| self.store_error(error))
    }

    async fn create_task(&self, task: NewTaskRecord, claim: ClaimRequest) -> Result<Created, StoreError> {
        self.shards.ask(task.id, |answer| Operation::Create(task, claim, answer)).await
    }

    fn create_task_sql(&self, task: &NewTaskRecord) -> Result<String, StoreError> {
        in_transaction::create_task_sql(&self.schema, &notices::channel(&self.settings.schema), task)
    }

    async fn task_of_identity(&self, identity: &Identity) -> Result<Option<(TaskId, Json)>, StoreError> {
        let connection = self.connection().await?;
        let task = existing::task_of_identity(&**connection, &self.schema, identity).await;
        task.map_err(|error| self.store_error(error))
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
        let mut connection = self.connection().await?;
        let client: &mut tokio_postgres::Client = &mut connection;
        let acted = operate::act(client, &self.settings, &self.schema, &action).await;
        let (acted, has_ready_steps) = acted.map_err(|error| self.store_error(error))?;
        if let Acted::Done { revoked, .. } = &acted {
            revoked.iter().for_each(|claim| self.own.known_claims.remove(claim));
        }
        if has_ready_steps {
            self.queued.notify_one();
        }
        Ok(acted)
    }

    async fn prune(&self, prune: PruneRequest) -> Result<usize, StoreError> {
        let connection = self.connection().await?;
        operate::prune(&**connection, &self.schema, &prune).await.map_err(|error| self.store_error(error))
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.settings.lease)
    }

    fn clock(&self) -> Option<Arc<StoreClock>> {
        Some(Arc::clone(&self.own.clock))
    }

    async fn set_limit(&self, limit: FleetLimit) -> Result<(), StoreError> {
        let connection = self.connection().await?;
        limits::set(&**connection, &self.schema, &limit).await.map_err(|error| self.store_error(error))
    }

    async fn remove_limit(&self, scope: LimitScope) -> Result<bool, StoreError> {
        let mut connection = self.connection().await?;
        let removed = limits::remove(&mut connection, &self.settings, &self.schema, &scope).await;
        removed.map_err(|error| self.store_error(error))
    }

    async fn limits(&self) -> Result<Vec<LimitRecord>, StoreError> {
        let connection = self.connection().await?;
        limits::records(&**connection, &self.schema).await.map_err(|error| self.store_error(error))
    }

    async fn permits(&self, request: PermitRequest) -> Result<PermitGrants, StoreError> {
        let mut connection = self.connection().await?;
        let granted = limits::permits(&mut connection, &self.settings, &self.schema, &request).await;
        granted.map_err(|error| self.store_error(error))
    }

    async fn orphaned(&self) -> Result<Vec<Claim>, StoreError> {
        let connection = self.connection().await?;
        let schema = &self.schema;
        let died: Vec<WorkerId> = self.died().drain().collect();
        if !died.is_empty() {
            let done = workers::end(&**connection, schema, &died, self.departure()).await;
            done.map_err(|error| {
                self.died().extend(died);
                self.store_error(error)
            })?;
        }
        let look = async {
            let dead = workers::dead(&**connection, schema).await?;
            let claims = worker_claims::claims_of(&**connection, schema, &dead).await?;
            let has_claims = |worker: &WorkerId| claims.iter().any(|claim| claim.worker == *worker);
            let idle: Vec<WorkerId> = dead.iter().copied().filter(|worker| !has_claims(worker)).collect();
            if !idle.is_empty() {
                workers::forget(&**connection, schema, &idle).await?;
            }
            Ok::<_, PgError>(claims)
        };
        look.await.map_err(|error| self.store_error(error))
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
        let mut connection = self.connection().await?;
        let client: &mut tokio_postgres::Client = &mut connection;
        let read = async {
            let isolation = tokio_postgres::IsolationLevel::RepeatableRead;
            let transaction = client.build_transaction().isolation_level(isolation).read_only(true);
            let transaction = transaction.start().await?;
            let task = read::task(&transaction, &self.schema, id).await?;
            transaction.commit().await?;
            Ok::<_, PgError>(task)
        };
        read.await.map_err(|error| self.store_error(error))
    }

    async fn glance(&self, tasks: &[TaskId]) -> Result<Vec<TaskGlance>, StoreError> {
        let connection = self.connection().await?;
        load::glance(&**connection, &self.schema, tasks).await.map_err(|error| self.store_error(error))
    }

    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskHead>, StoreError> {
        let connection = self.connection().await?;
        read::tasks(&**connection, &self.schema, &filter).await.map_err(|error| self.store_error(error))
    }

    async fn facts(&self, request: FactsRequest) -> Result<Facts, StoreError> {
        let mut connection = self.connection().await?;
        let client: &mut tokio_postgres::Client = &mut connection;
        doctor::facts(client, &self.schema, request).await.map_err(|error| self.store_error(error))
    }

    async fn inspect(&self, repair: bool) -> Result<Vec<Finding>, StoreError> {
        let connection = self.connection().await?;
        let found = inspect::inspect(&**connection, &self.settings, repair).await;
        found.map_err(|error| self.store_error(error))
    }

    async fn notified(&self) {
        self.notified.notified().await;
    }
}
