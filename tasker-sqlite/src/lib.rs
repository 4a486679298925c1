//! Tasks in a SQLite file: one thread writes, in group commits; readers have connections of their own.

mod attached;
mod checkpoint;
mod connection;
mod doctor;
mod error;
mod inspect;
mod limits;
mod liveness;
mod load;
mod log;
mod open_file;
mod operate;
mod options;
mod own_writes;
mod read;
mod schema;
mod session;
#[cfg(feature = "testing")]
mod temporary;
mod values;
mod write;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, MAIN_DB, OpenFlags};
use tasker_store::doctor::{Facts, FactsRequest, Finding, Repair};
use tasker_store::{
    Acted, ActionRequest, Claim, ClaimRequest, Claimed, Created, Finished, FinishedAttempt, FleetLimit,
    LimitRecord, LimitScope, Migration, NewTaskRecord, PermitGrants, PermitRequest, ProgramRecord,
    PruneRequest, StepKey, Store, StoreError, TaskFilter, TaskGlance, TaskHead, TaskId, TaskInputs,
    TaskRecord, TemplateId, TemplateRecord, WorkerId, WorkerInfo, WorkerRecord,
};
use tasker_template::StepIndex;
use tokio::sync::Semaphore;

use attached::attach;
use connection::{check_path, connect, set_up};
use error::{SqliteError, cannot_open, sqlite_cannot_open};
use liveness::Liveness;
pub use options::SqliteOptions;
use session::Session;
use writer::Writer;

/// The largest number of queries at a time; others wait. Opening a connection costs far more than a query, so
/// connections are kept for later queries.
const READERS: usize = 8;

/// Keeps tasks in a SQLite file.
///
/// An operation is on the disk before it is answered: the file is in WAL mode with `synchronous=FULL`.
/// Several processes may use one file. Each worker holds a lock on a file in the directory `FILE-workers`;
/// its claims hold until its process ends, which releases the lock.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    writer: Writer,
    readers: Arc<Readers>,
    liveness: Liveness,
    sweep: tokio::sync::Mutex<Option<Sweep>>,
    /// The directory of a file for one test; last, so that it is removed when the file is closed.
    #[cfg(feature = "testing")]
    temporary: Option<temporary::Temporary>,
}

/// How far the deletion of old tasks has come. The next batch goes on there, so that it does not read again
/// the tasks that are kept.
#[derive(Debug)]
struct Sweep {
    of: PruneRequest,
    last: TaskId,
}

impl Sweep {
    fn goes_on(&self, next: &PruneRequest) -> bool {
        self.of.states == next.states && self.of.settled_before == next.settled_before
    }
}

impl SqliteStore {
    /// Opens the file, and creates it when there is none. [`SqliteOptions`] opens one that an application
    /// shares.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, is no database of ours, or was written by a newer version.
    ///
    /// ```
    /// use tasker::store::SqliteStore;
    /// let path = std::env::temp_dir().join(format!("tasker-doc-{}.db", std::process::id()));
    /// let store = SqliteStore::open(&path).unwrap();
    /// # drop(store);
    /// # std::fs::remove_file(path).unwrap();
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        SqliteOptions::new(path).open()
    }

    /// Opens what the writer works with.
    fn session(options: &SqliteOptions) -> Result<Session, StoreError> {
        let path = &options.path;
        let (connection, ..) = open_migrated(options)?;
        let attached = options.attached.iter().map(|(schema, file)| attach(&connection, schema, file));
        let attached = attached.collect::<Result<_, _>>()?;
        // The real path, so that a file has one set of locks by whichever name it is opened.
        let path = path.canonicalize().map_err(|source| cannot_open(path, source))?;
        Session::new(connection, path.clone(), attached).map_err(|error| error.of(&path))
    }

    /// Starts the writer.
    fn start(session: Session) -> Result<Self, StoreError> {
        let path = session.path().to_path_buf();
        Ok(Self {
            writer: Writer::start(session)?,
            readers: Arc::default(),
            liveness: Liveness::of(&path),
            sweep: tokio::sync::Mutex::default(),
            #[cfg(feature = "testing")]
            temporary: None,
            path,
        })
    }

    /// Sets a pragma of the connection that writes: for tests of what happens when a disk is full
    /// (`max_page_count`), or a lock is held (`busy_timeout`).
    ///
    /// # Errors
    ///
    /// When the database refuses it.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub async fn set_pragma(&self, name: &'static str, value: i64) -> Result<(), StoreError> {
        self.write(move |session| Ok(session.connection.pragma_update(None, name, value)?)).await
    }

    /// Runs an operation in a transaction, and answers after its commit.
    async fn write<T: Send + 'static>(
        &self,
        operation: impl FnMut(&mut Session) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.run(operation).await
    }

    /// Forgets the workers that are dead and have nothing claimed in their names.
    async fn forget_dead_workers(&self) -> Result<(), StoreError> {
        let liveness = self.liveness.clone();
        let is_dead = move |worker| !liveness.is_alive(worker);
        let forgotten = self.write(move |session| write::forget_workers(session, &is_dead)).await?;
        forgotten.into_iter().for_each(|worker| self.liveness.remove(worker));
        Ok(())
    }

    /// Runs a query on a connection of its own, off the runtime's threads.
    async fn read<T: Send + 'static>(
        &self,
        query: impl Fn(&Connection) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.readers.free).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (readers, path) = (Arc::clone(&self.readers), self.path.clone());
        let ask = move || {
            let idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match idle {
                Some(connection) => connection,
                // Without the flag that creates a file: one that was removed must not come back empty.
                None => connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?,
            };
            let answer = query(&connection).map_err(|error| error.of(&path));
            // A connection that has failed may be in any state: it is closed, and the next query opens
            // another.
            if answer.is_ok() {
                readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            }
            answer
        };
        let work = move || {
            let _permit = permit;
            match ask() {
                // SQLite says the same when the disk cannot be read for a moment. Damage is still there.
                Err(StoreError::Damaged { .. }) => ask(),
                answer => answer,
            }
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?
    }
}

/// Connections for queries.
#[derive(Debug)]
struct Readers {
    free: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Default for Readers {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(READERS)), idle: Mutex::default() }
    }
}

impl tasker_store::sealed::Sealed for SqliteStore {}

#[async_trait]
impl Store for SqliteStore {
    fn name(&self) -> String {
        format!("sqlite://{}", self.path.display())
    }

    async fn register_worker(
        &self,
        worker: WorkerId,
        info: WorkerInfo,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // The lock first: a worker with a row and without a lock counts as dead.
        self.liveness.acquire(worker)?;
        let registered = self.write(move |session| write::register_worker(session, worker, &info, now)).await;
        if registered.is_err() {
            self.liveness.remove(worker);
        }
        registered
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, StoreError> {
        let liveness = self.liveness.clone();
        let is_alive = move |worker| liveness.is_alive(worker);
        self.read(move |connection| read::worker_records(connection, &is_alive)).await
    }

    async fn program_of(&self, worker: WorkerId) -> Result<Option<ProgramRecord>, StoreError> {
        self.read(move |connection| read::program(connection, worker)).await
    }

    async fn retire_worker(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.liveness.let_go(worker);
        self.forget_dead_workers().await
    }

    fn worker_died(&self, worker: WorkerId) {
        self.liveness.let_go(worker);
    }

    async fn put_template(&self, template: TemplateRecord) -> Result<(), StoreError> {
        self.write(move |session| write::put_template(session, &template)).await
    }

    async fn template(&self, id: TemplateId) -> Result<Option<Arc<TemplateRecord>>, StoreError> {
        self.read(move |connection| read::template(connection, id)).await
    }

    async fn template_ids(&self) -> Result<Vec<TemplateId>, StoreError> {
        self.read(read::template_ids).await
    }

    async fn create_task(&self, task: NewTaskRecord, claim: ClaimRequest) -> Result<Created, StoreError> {
        self.write(move |session| write::create_task(session, &task, &claim)).await
    }

    async fn claim(&self, claim: ClaimRequest) -> Result<Claimed, StoreError> {
        self.write(move |session| write::claim(session, &claim)).await
    }

    async fn finish(&self, attempt: FinishedAttempt, claim: ClaimRequest) -> Result<Finished, StoreError> {
        self.write(move |session| write::finish(session, &attempt, &claim)).await
    }

    async fn release(
        &self,
        claims: Vec<Claim>,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |session| write::release(session, &claims, due_at, now)).await
    }

    async fn revoked(&self, claims: Vec<Claim>) -> Result<Vec<Claim>, StoreError> {
        self.write(move |session| operate::revoked(session, &claims)).await
    }

    async fn act(&self, action: ActionRequest) -> Result<Acted, StoreError> {
        self.write(move |session| operate::act(session, &action)).await
    }

    async fn prune(&self, prune: PruneRequest) -> Result<usize, StoreError> {
        let mut sweep = self.sweep.lock().await;
        let after = sweep.take().filter(|sweep| sweep.goes_on(&prune)).map(|sweep| sweep.last);
        let request = prune.clone();
        // Looking for them may take long: it is done on a reader's connection, beside the writer.
        let old = self.read(move |connection| operate::old(connection, after, &request)).await?;
        let last = old.last().filter(|_| old.len() == prune.limit).copied();
        let next = last.map(|last| Sweep { of: prune.clone(), last });
        let pruned = self.write(move |session| operate::prune(session, &old, &prune)).await?;
        *sweep = next;
        Ok(pruned)
    }

    async fn set_limit(&self, limit: FleetLimit) -> Result<(), StoreError> {
        self.write(move |session| limits::set(session, &limit)).await
    }

    async fn remove_limit(&self, scope: LimitScope) -> Result<bool, StoreError> {
        self.write(move |session| limits::remove(session, &scope)).await
    }

    async fn limits(&self) -> Result<Vec<LimitRecord>, StoreError> {
        let liveness = self.liveness.clone();
        self.read(move |connection| limits::records(connection, |worker| liveness.is_alive(worker))).await
    }

    async fn permits(&self, request: PermitRequest) -> Result<PermitGrants, StoreError> {
        if request.demands.is_empty() {
            let limits = self.read(limits::all).await?;
            return Ok(PermitGrants { limits, ..PermitGrants::default() });
        }
        let liveness = self.liveness.clone();
        let is_alive = move |worker| liveness.is_alive(worker);
        self.write(move |session| limits::permits(session, &request, &is_alive)).await
    }

    async fn orphaned(&self) -> Result<Vec<Claim>, StoreError> {
        self.liveness.renew();
        let workers = self.read(read::workers).await?;
        let dead: Vec<_> = workers.into_iter().filter(|worker| !self.liveness.is_alive(*worker)).collect();
        if dead.is_empty() {
            return Ok(Vec::new());
        }
        let claims = self.read(move |connection| read::claims_of(connection, &dead)).await?;
        self.forget_dead_workers().await?;
        Ok(claims)
    }

    async fn inputs(
        &self,
        task: TaskId,
        run: StepKey,
        steps: &[StepIndex],
    ) -> Result<Option<TaskInputs>, StoreError> {
        let steps = steps.to_vec();
        self.read(move |connection| read::inputs(connection, task, run, &steps)).await
    }

    async fn task(&self, id: TaskId) -> Result<Option<TaskRecord>, StoreError> {
        self.read(move |connection| read::task(connection, id)).await
    }

    async fn glance(&self, tasks: &[TaskId]) -> Result<Vec<TaskGlance>, StoreError> {
        let tasks = tasks.to_vec();
        self.read(move |connection| read::glance(connection, &tasks)).await
    }

    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskHead>, StoreError> {
        self.read(move |connection| read::tasks(connection, &filter)).await
    }

    async fn facts(&self, request: FactsRequest) -> Result<Facts, StoreError> {
        let liveness = self.liveness.clone();
        let is_alive = move |worker| liveness.is_alive(worker);
        self.read(move |connection| doctor::facts(connection, request, &is_alive)).await
    }

    async fn inspect(&self, repair: bool) -> Result<Vec<Finding>, StoreError> {
        let liveness = self.liveness.clone();
        let is_alive = move |worker| liveness.is_alive(worker);
        let looks = is_alive.clone();
        let mut findings = self.read(move |connection| inspect::inspect(connection, &looks)).await?;
        if repair && findings.iter().any(|finding| finding.repair() == Repair::Store) {
            let repair = move |session: &mut Session| inspect::repair(session, findings.clone(), &is_alive);
            findings = self.write(repair).await?;
        }
        findings.extend(self.write(|session| inspect::durability(session)).await?);
        Ok(findings)
    }
}

/// Opens the file, or creates it, and migrates it. Returns the connection, the version before, and the
/// statements of the migration.
fn open_migrated(options: &SqliteOptions) -> Result<(Connection, i64, Vec<String>), StoreError> {
    let SqliteOptions { path, share, .. } = options;
    check_path(path)?;
    let open = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = connect(path, open)?;
    // SQLite opens a read-only file without an error.
    if connection.is_readonly(MAIN_DB).map_err(|source| sqlite_cannot_open(path, source))? {
        return Err(cannot_open(path, "it is read-only; let this user write it, or choose another path"));
    }
    // Nothing of a file is changed, not even its journal mode, before it is known to be ours.
    schema::plan(&connection, path, *share)?;
    set_up(&connection, "main", path)?;
    let (from, sql) = schema::migrate(&mut connection, path, *share)?;
    Ok((connection, from, sql))
}

/// Brings the file's schema up to date.
///
/// # Errors
///
/// When the file cannot be opened, or was written by a newer version.
pub fn migrate(options: &SqliteOptions) -> Result<Migration, StoreError> {
    let (_, from, sql) = open_migrated(options)?;
    Ok(migration(options, from, sql))
}

/// What [`migrate`] would do; changes nothing.
///
/// # Errors
///
/// When the file cannot be read, or was written by a newer version.
pub fn plan_migration(options: &SqliteOptions) -> Result<Migration, StoreError> {
    let SqliteOptions { path, share, .. } = options;
    check_path(path)?;
    if !path.exists() {
        return Ok(migration(options, 0, schema::script(0, *share)));
    }
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let (from, sql) = schema::plan(&connection, path, *share)?;
    Ok(migration(options, from, sql))
}

fn migration(options: &SqliteOptions, from: i64, sql: Vec<String>) -> Migration {
    Migration::new(format!("sqlite://{}", options.path.display()), from, schema::newest(), sql)
}
