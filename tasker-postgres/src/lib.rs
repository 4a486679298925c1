//! Tasks in PostgreSQL: any number of processes share the work. Two connections write, in group
//! commits; reads and rare operations have a pool.

mod batch;
mod claims;
mod connection;
mod dial;
mod encryption;
mod held;
mod in_transaction;
mod inputs;
mod lanes;
mod limits;
mod load;
mod notices;
mod operate;
mod operation;
mod own_writes;
mod parts;
mod read;
mod schema;
mod session;
mod settings;
mod statement;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
mod touched;
mod untold;
mod values;
mod workers;
mod writer;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod};
use jiff::Timestamp;
use tasker_store::{
    Acted, ActionRequest, Claim, ClaimRequest, Claimed, Created, Finished, FinishedAttempt, FleetLimit,
    Identity, LimitRecord, LimitScope, Migration, NewTaskRecord, PermitGrants, PermitRequest, PruneRequest,
    Store, StoreError, TaskFilter, TaskHead, TaskId, TaskInputs, TaskRecord, TemplateId, TemplateRecord,
    WorkerId, WorkerInfo, WorkerRecord, blocking,
};
use tasker_template::StepIndex;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_postgres::types::{ToSql, Type};

use connection::Connection;

pub use in_transaction::Executor;
use inputs::Wanted;
use lanes::{Lanes, Shared};
use operation::Operation;
use session::{Session, Trouble, Workers};
use settings::Settings;
use values::failed;
use workers::End;
use workers::{Beat, Own};

/// Keeps tasks in PostgreSQL.
///
/// Any number of processes on any number of machines may use one schema. A worker's claims hold for
/// as long as it is heard of: it writes its row several times within its lease, by the database's
/// clock, and what it has claimed is taken over once it has been silent for that long.
pub struct PostgresStore {
    settings: Arc<Settings>,
    schema: String,
    pool: Pool,
    lanes: Lanes,
    asked: mpsc::Sender<Wanted>,
    /// Workers of this process that are alive.
    workers: Workers,
    own: Own,
    /// Workers of this process that have ended without signing off.
    ended: Mutex<HashSet<WorkerId>>,
    /// Called when steps have come into the queue.
    queued: Arc<Notify>,
    notified: Arc<Notify>,
    background: Vec<JoinHandle<()>>,
}

impl PostgresStore {
    /// Connects, and brings the schema up to date.
    ///
    /// The URL is PostgreSQL's own, with these of ours in its query part: `schema` (`tasker`), `lease`
    /// in seconds (15), `connections` at most (8), `prepared=false` for proxies that cannot keep
    /// prepared statements, `listen=false` for those that cannot pass notifications on.
    ///
    /// `sslmode` is libpq's: `disable`, `prefer`, `require`, `verify-ca` or `verify-full`, with the
    /// authorities' certificates from `sslrootcert=PATH`, in PEM format, or from the machine by
    /// `sslrootcert=system`, which is what `verify-full` takes when there is no path. They are read
    /// here, and not again. Without `sslmode` it is `verify-full` where `sslrootcert` is given, `disable` for
    /// a host that is this machine (`localhost`, a loopback address), and `prefer` for all others. A Unix
    /// socket never has TLS. Takes the feature `tls`; without it `prefer` does without TLS, and what is
    /// stricter is refused.
    ///
    /// # Errors
    ///
    /// When the URL or a file that it names cannot be read, the database cannot be reached as safely as
    /// the URL says, or the schema is of a newer version that this program cannot work with.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), tasker::store::StoreError> {
    /// use tasker::store::PostgresStore;
    /// let store = PostgresStore::open("postgres://localhost/orders?schema=workflows").await?;
    /// # Ok(()) }
    /// ```
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let settings = Arc::new(read(url).await?);
        let what = settings.describe();
        let mut connection = connect(&settings).await?;
        schema::migrate(&mut connection.client, &settings).await?;
        let (workers, queued, notified) = (Workers::default(), Arc::default(), Arc::default());
        let own = Own::default();
        let shared =
            Shared::new(settings.writers, Arc::clone(&workers), own.held.clone(), Arc::clone(&queued));
        let shared = Arc::new(shared);
        let mut connections = vec![connection];
        while connections.len() < settings.writers {
            connections.push(connect(&settings).await?);
        }
        // The others write, and one listens.
        let fast = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(settings.planned(), settings.dial.clone(), fast);
        let pool = Pool::builder(manager).max_size(settings.connections - settings.writers - 1).build();
        let pool = pool.map_err(|error| StoreError::Open { what: what.clone(), source: Box::new(error) })?;
        let background = vec![
            tokio::spawn(notices::announce(pool.clone(), settings.schema.clone(), Arc::clone(&queued))),
            tokio::spawn(notices::listen(Arc::clone(&settings), Arc::clone(&notified))),
            tokio::spawn(notices::beat(pool.clone(), Arc::clone(&settings), own.clone())),
        ];
        let mut queues = Vec::new();
        for (lane, connection) in connections.into_iter().enumerate() {
            let session = Session::new(connection, lane, Arc::clone(&shared));
            let (queue, waiting) = mpsc::channel(writer::QUEUE);
            // Ends when its queue is dropped, and not before it is empty.
            tokio::spawn(writer::write_until_closed(session, waiting, Arc::clone(&settings)));
            queues.push(queue);
        }
        let lanes = Lanes::new(queues);
        let (asked, waiting) = mpsc::channel(inputs::QUEUE);
        tokio::spawn(inputs::answer_until_closed(pool.clone(), Arc::clone(&settings), waiting));
        let (schema, ended) = (settings.quoted_schema(), Mutex::default());
        Ok(Self { settings, schema, pool, lanes, asked, workers, own, ended, queued, notified, background })
    }

    /// How a worker of this process ends.
    fn ending(&self) -> End {
        if self.own.held.was_untold() { End::Doubtful } else { End::Done }
    }

    async fn connection(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => failed(error, &self.settings.describe()),
            error => StoreError::Database { what: self.settings.describe(), source: Box::new(error) },
        })
    }

    fn said(&self, trouble: Trouble) -> StoreError {
        match trouble {
            Trouble::Database(error) => failed(error, &self.settings.describe()),
            Trouble::Store(error) => error,
        }
    }

    async fn beat(&self, beats: &[Beat]) -> Result<(), StoreError> {
        let connection = self.connection().await?;
        let beaten = workers::beat(&**connection, &self.schema, beats, self.settings.lease).await;
        beaten.map_err(|error| failed(error, &self.settings.describe()))
    }

    fn alive(&self) -> std::sync::MutexGuard<'_, HashSet<WorkerId>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a URL says, with the certificates that it names.
async fn read(url: &str) -> Result<Settings, StoreError> {
    let url = url.to_owned();
    blocking(move || Settings::parse(&url)).await
}

async fn connect(settings: &Settings) -> Result<Connection, StoreError> {
    Connection::open(settings).await.map_err(|error| {
        let source = match error.as_db_error() {
            // What proxies say to how we ask for plans by index.
            Some(said) if settings.prepared && said.message().contains("options") => {
                format!("{}; a proxy that takes none needs `prepared=false` in the URL", said.message())
                    .into()
            }
            Some(said) => said.message().to_owned().into(),
            None => tls::explain(&error).map_or_else(|| error.into(), Into::into),
        };
        StoreError::Open { what: settings.describe(), source }
    })
}

/// Brings the schema up to date.
/// # Errors
///
/// When the database cannot be reached, or the schema is of a newer version.
pub async fn migrate(url: &str) -> Result<Migration, StoreError> {
    let settings = read(url).await?;
    let mut connection = connect(&settings).await?;
    let (from, sql) = schema::migrate(&mut connection.client, &settings).await?;
    Ok(migration(&settings, from, sql))
}

/// What [`migrate`] would do.
/// # Errors
///
/// When the database cannot be reached, or the schema is of a newer version.
pub async fn plan_migration(url: &str) -> Result<Migration, StoreError> {
    let settings = read(url).await?;
    let connection = connect(&settings).await?;
    let (from, sql) = schema::plan(&connection.client, &settings).await?;
    Ok(migration(&settings, from, sql))
}

fn migration(settings: &Settings, from: i32, sql: Vec<String>) -> Migration {
    Migration::new(settings.describe(), from.into(), schema::newest().into(), sql)
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
        self.beat(&[self.own.beat(worker, Arc::new(info.clone()))]).await?;
        self.own.insert(worker, info);
        self.alive().insert(worker);
        Ok(())
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, StoreError> {
        // What our own have under way is known better than as of their last beat.
        self.beat(&self.own.beats()).await?;
        let connection = self.connection().await?;
        workers::records(&**connection, &self.schema).await.map_err(|trouble| self.said(trouble))
    }

    async fn retire_worker(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.alive().remove(&worker);
        self.own.remove(worker);
        let connection = self.connection().await?;
        let said = |error| failed(error, &self.settings.describe());
        // What is claimed in its name, or may be, is for others to find by its row.
        workers::end(&**connection, &self.schema, &[worker], self.ending()).await.map_err(said)?;
        if self.own.held.of(worker) == 0 {
            workers::forget(&**connection, &self.schema, &[worker]).await.map_err(said)?;
        }
        Ok(())
    }

    fn worker_died(&self, worker: WorkerId) {
        // Others find out when its lease is over.
        self.own.remove(worker);
        if self.alive().remove(&worker) {
            self.ended.lock().unwrap_or_else(PoisonError::into_inner).insert(worker);
        }
    }

    async fn put_template(&self, template: TemplateRecord) -> Result<(), StoreError> {
        let connection = self.connection().await?;
        let sql = format!(
            "INSERT INTO {}.template (id, namespace, name, version, snapshot)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT DO NOTHING",
            self.schema
        );
        let TemplateRecord { id, namespace, name, version, snapshot } = &template;
        let values: [(&(dyn ToSql + Sync), Type); 5] = [
            (&id.0, Type::UUID),
            (namespace, Type::TEXT),
            (name, Type::TEXT),
            (version, Type::TEXT),
            (snapshot, Type::TEXT),
        ];
        let put = connection.query_typed(&sql, &values).await;
        put.map(drop).map_err(|error| failed(error, &self.settings.describe()))
    }

    async fn template(&self, id: TemplateId) -> Result<Option<Arc<TemplateRecord>>, StoreError> {
        let connection = self.connection().await?;
        read::template(&**connection, &self.schema, id).await.map_err(|trouble| self.said(trouble))
    }

    async fn create_task(&self, task: NewTaskRecord, claim: ClaimRequest) -> Result<Created, StoreError> {
        self.lanes.ask(task.id, |answer| Operation::Create(task, claim, answer)).await
    }

    fn create_task_sql(&self, task: &NewTaskRecord) -> Result<String, StoreError> {
        in_transaction::statement(&self.schema, &notices::channel(&self.settings.schema), task)
    }

    async fn task_of_identity(&self, identity: &Identity) -> Result<Option<TaskId>, StoreError> {
        let connection = self.connection().await?;
        let task = read::task_of_identity(&**connection, &self.schema, identity).await;
        task.map_err(|trouble| self.said(trouble))
    }

    async fn claim(&self, claim: ClaimRequest) -> Result<Claimed, StoreError> {
        self.lanes.ask_any(|answer| Operation::Claim(claim, answer)).await
    }

    async fn finish(&self, attempt: FinishedAttempt, claim: ClaimRequest) -> Result<Finished, StoreError> {
        let task = attempt.claim.task;
        if attempt.claim.worker == claim.worker || !claim.any {
            return self.lanes.ask(task, |answer| Operation::Finish(attempt, claim, answer)).await;
        }
        // What follows comes into the queue for another worker, and is claimed from there.
        let nothing = ClaimRequest { limit: 0, any: false, ..claim.clone() };
        let mut finished = self.lanes.ask(task, |answer| Operation::Finish(attempt, nothing, answer)).await?;
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
        self.lanes.ask_each(claims, release).await.map(drop)
    }

    async fn revoked(&self, claims: Vec<Claim>) -> Result<Vec<Claim>, StoreError> {
        Ok(self.lanes.ask_each(claims, Operation::Revoked).await?.concat())
    }

    async fn act(&self, action: ActionRequest) -> Result<Acted, StoreError> {
        let mut connection = self.connection().await?;
        let client: &mut tokio_postgres::Client = &mut connection;
        let acted = operate::act(client, &self.settings, &self.schema, &action).await;
        let (acted, queues) = acted.map_err(|trouble| self.said(trouble))?;
        if let Acted::Done { revoked, .. } = &acted {
            revoked.iter().for_each(|claim| self.own.held.remove(claim));
        }
        if queues {
            self.queued.notify_one();
        }
        Ok(acted)
    }

    async fn prune(&self, prune: PruneRequest) -> Result<usize, StoreError> {
        let connection = self.connection().await?;
        operate::prune(&**connection, &self.schema, &prune).await.map_err(|trouble| self.said(trouble))
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.settings.lease)
    }

    async fn set_limit(&self, limit: FleetLimit) -> Result<(), StoreError> {
        let connection = self.connection().await?;
        limits::set(&**connection, &self.schema, &limit).await.map_err(|trouble| self.said(trouble))
    }

    async fn remove_limit(&self, kind: LimitScope) -> Result<bool, StoreError> {
        let mut connection = self.connection().await?;
        let removed = limits::remove(&mut connection, &self.settings, &self.schema, &kind).await;
        removed.map_err(|trouble| self.said(trouble))
    }

    async fn limits(&self) -> Result<Vec<LimitRecord>, StoreError> {
        let connection = self.connection().await?;
        limits::records(&**connection, &self.schema).await.map_err(|trouble| self.said(trouble))
    }

    async fn permits(&self, request: PermitRequest) -> Result<PermitGrants, StoreError> {
        let mut connection = self.connection().await?;
        let granted = limits::permits(&mut connection, &self.settings, &self.schema, &request).await;
        granted.map_err(|trouble| self.said(trouble))
    }

    async fn orphaned(&self) -> Result<Vec<Claim>, StoreError> {
        let connection = self.connection().await?;
        let schema = &self.schema;
        let ended: Vec<WorkerId> =
            self.ended.lock().unwrap_or_else(PoisonError::into_inner).drain().collect();
        if !ended.is_empty() {
            let done = workers::end(&**connection, schema, &ended, self.ending()).await;
            done.map_err(|error| {
                self.ended.lock().unwrap_or_else(PoisonError::into_inner).extend(ended);
                failed(error, &self.settings.describe())
            })?;
        }
        let look = async {
            let dead = workers::dead(&**connection, schema).await?;
            let claims = workers::claims_of(&**connection, schema, &dead).await?;
            let holds = |worker: &WorkerId| claims.iter().any(|claim| claim.worker == *worker);
            let idle: Vec<WorkerId> = dead.iter().copied().filter(|worker| !holds(worker)).collect();
            if !idle.is_empty() {
                workers::forget(&**connection, schema, &idle).await?;
            }
            Ok(claims)
        };
        look.await.map_err(|trouble| self.said(trouble))
    }

    async fn inputs(&self, task: TaskId, steps: &[StepIndex]) -> Result<Option<TaskInputs>, StoreError> {
        let (answer, answered) = oneshot::channel();
        let wanted = Wanted { task, steps: steps.to_vec(), answer };
        self.asked.send(wanted).await.map_err(|_| StoreError::Closed)?;
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
            Ok(task)
        };
        read.await.map_err(|trouble| self.said(trouble))
    }

    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskHead>, StoreError> {
        let connection = self.connection().await?;
        read::tasks(&**connection, &self.schema, &filter).await.map_err(|trouble| self.said(trouble))
    }

    async fn notified(&self) {
        self.notified.notified().await;
    }
}
