//! A store behind an injector, with a worker on it, and somebody who looks at it from elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tasker_runtime::doctor::DoctorOptions;
use tasker_runtime::limits::{FleetLimit, LimitScope};
use tasker_runtime::store::{PostgresStore, SqliteStore};
use tasker_runtime::{
    BuildError, Builder, NewTask, ResultWrites, State, StepContext, StepError, StepResult, TaskId, Tasker,
    step_handler,
};
use tasker_store::Store;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::disk::{self, Disk};
use crate::postgres::{Schema, address};
use crate::wire::{self, Wire};

/// A fault, whichever store it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Wire(wire::Fault),
    Disk(disk::Fault),
}

impl Fault {
    /// Whether it lasts until it is taken away; the others happen once.
    pub fn lasts(self) -> bool {
        use Fault::{Disk, Wire};
        matches!(self, Wire(wire::Fault::Full) | Disk(disk::Fault::Full | disk::Fault::Busy))
    }
}

#[derive(Debug)]
pub enum Injector {
    Wire(Wire),
    Disk(Disk),
}

impl Injector {
    pub fn arm(&self, fault: Fault, position: usize, beats: bool) {
        match (self, fault) {
            (Self::Wire(wire), Fault::Wire(fault)) => wire.arm(fault, position, beats),
            (Self::Disk(disk), Fault::Disk(fault)) => disk.arm(fault, position),
            _ => unreachable!("a fault of the other store"),
        }
    }

    pub async fn hit(&self) {
        match self {
            Self::Wire(wire) => wire.hit().await,
            Self::Disk(disk) => disk.hit().await,
        }
    }

    /// The fault is over. What it has hit, if it has hit anything.
    pub fn disarm(&self) -> Option<String> {
        match self {
            Self::Wire(wire) => wire.disarm(),
            Self::Disk(disk) => disk.disarm().then(|| "a call of the operating system".to_owned()),
        }
    }
}

/// What a task's step `a` does.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// In its first attempt it waits for this gate.
    pub gate: Option<String>,
    pub first: First,
    /// Whether it writes into the application's table.
    pub writes: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum First {
    #[default]
    Complete,
    Retry,
    /// It is to be tried again in an hour.
    Later,
    Fail,
}

/// What the handlers share with the test.
#[derive(Debug)]
pub struct Shared {
    /// The attempts that have begun, and what those that have ended returned.
    pub ledger: Mutex<Vec<Entry>>,
    gates: Mutex<HashMap<String, Arc<Gate>>>,
    /// The application's table, as SQL names it.
    pub table: String,
    /// How many attempts of the limited callable run, and the most that have.
    pub limited: Mutex<(usize, usize)>,
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub task: TaskId,
    pub step: String,
    pub attempt: u32,
    pub returned: Option<String>,
}

/// Where the first attempt of a step waits.
#[derive(Debug)]
pub struct Gate {
    pub entered: Semaphore,
    go: Semaphore,
}

impl Gate {
    pub fn open(&self) {
        self.go.close();
    }
}

impl Shared {
    pub fn gate(&self, name: &str) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap();
        let new = || Arc::new(Gate { entered: Semaphore::new(0), go: Semaphore::new(0) });
        Arc::clone(gates.entry(name.to_owned()).or_insert_with(new))
    }
}

#[step_handler("Injected::Work")]
async fn work(
    #[input] plan: Plan,
    State(shared): State<Arc<Shared>>,
    context: StepContext,
    writes: ResultWrites,
) -> StepResult<String> {
    let (task, step, attempt) = (context.task_id(), context.step_name().to_owned(), context.attempt());
    let entry = Entry { task, step: step.clone(), attempt, returned: None };
    shared.ledger.lock().unwrap().push(entry.clone());
    for dependency in &["a", "b", "c"] {
        let output = context.optional_dependency::<String>(dependency).ok().flatten();
        if output.is_some_and(|output| !output.starts_with(&format!("{dependency} of {task}"))) {
            return Err(StepError::permanent(format!("{step} got another output than {dependency}'s")));
        }
    }
    if step == "a" && attempt == 1 {
        if let Some(gate) = &plan.gate {
            let gate = shared.gate(gate);
            gate.entered.add_permits(1);
            // It opens by being closed.
            let _ = gate.go.acquire().await;
        }
        match plan.first {
            First::Complete => {}
            First::Retry => return Err(StepError::retryable("not yet")),
            First::Later => {
                return Err(StepError::retryable("not now").with_retry_after(Duration::from_secs(3_600)));
            }
            First::Fail => return Err(StepError::permanent("declined")),
        }
    }
    if plan.writes {
        writes.add(format!("INSERT INTO {} VALUES ($1, $2)", shared.table), [task.to_string(), step.clone()]);
    }
    let value = format!("{step} of {task}, {:x}", fastrand::u64(..));
    shared.ledger.lock().unwrap().push(Entry { returned: Some(value.clone()), ..entry });
    Ok(value)
}

#[step_handler("Injected::Limited")]
async fn limited(State(shared): State<Arc<Shared>>, context: StepContext) -> StepResult<String> {
    let count = |change: &dyn Fn(&mut (usize, usize))| change(&mut shared.limited.lock().unwrap());
    count(&|(running, most)| (*running, *most) = (*running + 1, (*running + 1).max(*most)));
    let (task, step, attempt) = (context.task_id(), context.step_name().to_owned(), context.attempt());
    let entry = Entry { task, step, attempt, returned: None };
    shared.ledger.lock().unwrap().push(entry.clone());
    tokio::time::sleep(Duration::from_millis(5)).await;
    count(&|(running, _)| *running -= 1);
    let value = format!("{} of {task}", entry.step);
    shared.ledger.lock().unwrap().push(Entry { returned: Some(value.clone()), ..entry });
    Ok(value)
}

const STEPS: &str = "
  - {name: a, handler: {callable: CALLABLE}, dependencies: [], RETRY}
  - {name: b, handler: {callable: CALLABLE}, dependencies: [a], RETRY}
  - {name: c, handler: {callable: CALLABLE}, dependencies: [a], RETRY}
  - {name: d, handler: {callable: CALLABLE}, dependencies: [b, c], RETRY}
";
/// The namespace whose worker leaves.
const LEAVING: &str = "leaving";
/// The namespace whose worker opens the store for itself.
const COMING: &str = "coming";
const NAMESPACES: [(&str, &str); 4] = [
    ("staying", "Injected::Work"),
    ("staying_limited", "Injected::Limited"),
    (LEAVING, "Injected::Work"),
    (COMING, "Injected::Work"),
];

/// A file or a schema, and who works there.
pub struct Place {
    pub injector: Injector,
    /// What the worker and those that come and go share, behind the injector.
    pub store: Arc<dyn Store>,
    /// The URL of the same store behind the injector.
    pub url: String,
    pub worker: Tasker,
    /// Past the injector where there is a way past it.
    pub onlooker: Tasker,
    pub shared: Arc<Shared>,
    pub directory: TempDir,
    pub schema: Option<Schema>,
}

impl Place {
    pub async fn on_sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.db");
        let store = Arc::new(SqliteStore::open(&path).unwrap());
        // Who waits for a lock is not what is tried here, but who does not get it.
        store.set_pragma("busy_timeout", 10).await.unwrap();
        let table = "CREATE TABLE effect (task TEXT, step TEXT)";
        rusqlite::Connection::open(&path).unwrap().execute_batch(table).unwrap();
        let url = format!("sqlite://{}", path.display());
        let injector = Injector::Disk(Disk::watching(&path));
        Self::on(store, injector, (url.clone(), url), "effect".to_owned(), directory, None).await
    }

    pub async fn on_postgres(lease: u64) -> Self {
        let (directory, schema) = (tempfile::tempdir().unwrap(), Schema::new());
        let wire = Wire::start(address()).await;
        let settings = format!("lease={lease}");
        let (url, past) = (schema.url_at(wire.address(), &settings), schema.url_with(&settings));
        let store = Arc::new(PostgresStore::open(&url).await.unwrap());
        let table = format!("{}.effect", schema.name());
        schema.execute(&format!("CREATE TABLE {table} (task TEXT, step TEXT)")).await;
        Self::on(store, Injector::Wire(wire), (url, past), table, directory, Some(schema)).await
    }

    async fn on(
        store: Arc<dyn Store>,
        injector: Injector,
        (url, past): (String, String),
        table: String,
        directory: TempDir,
        schema: Option<Schema>,
    ) -> Self {
        let (ledger, gates, limited) = Default::default();
        let shared = Arc::new(Shared { ledger, gates, table, limited });
        // A worker knows the limits that there are when it starts.
        let limit = FleetLimit::new(LimitScope::Callable("Injected::Limited".to_owned())).concurrency(1);
        store.set_limit(limit).await.unwrap();
        let served = ["staying", "staying_limited"];
        let worker = builder(&shared).namespaces(served).shared_store(Arc::clone(&store));
        let worker = worker.build().await.unwrap();
        let onlooker = builder(&shared).without_worker().store_url(past).build().await.unwrap();
        Self { injector, store, url, worker, onlooker, shared, directory, schema }
    }

    /// Whether the store keeps its own rules, after all that it has met with.
    pub async fn ask_doctor(self) -> Result<(), String> {
        self.worker.shutdown().await;
        let options = DoctorOptions::new().complete_tasks().second_look(Duration::from_millis(1));
        let report = self.onlooker.doctor(&options).await.map_err(|error| error.to_string())?;
        if report.is_content() { Ok(()) } else { Err(format!("{report:#?}")) }
    }

    /// A worker that comes and goes, for tasks that this one leaves alone.
    pub async fn leaving(&self) -> Result<Tasker, BuildError> {
        let builder = builder(&self.shared).namespaces([LEAVING]).grace_period(Duration::ZERO);
        builder.shared_store(Arc::clone(&self.store)).build().await
    }

    /// A worker that dies beside the one that stays, which takes over its work.
    pub async fn mortal(&self) -> Result<Tasker, BuildError> {
        let builder = builder(&self.shared).shared_store(Arc::clone(&self.store));
        builder.namespaces(["staying"]).build().await
    }

    /// A builder of a worker that opens the store anew, through the injector.
    pub fn newcomer(&self) -> Builder {
        builder(&self.shared).namespaces([COMING]).store_url(self.url.clone())
    }
}

/// A task of the worker that stays.
pub fn staying(plan: &Plan, tag: &str) -> NewTask {
    NewTask::new("staying", "flow", plan).tag(tag)
}

/// A task under the fleet limit.
pub fn under_limit(tag: &str) -> NewTask {
    NewTask::new("staying_limited", "flow", &Plan::default()).tag(tag)
}

/// A task of a worker that leaves.
pub fn of_leaving(plan: &Plan, tag: &str) -> NewTask {
    NewTask::new(LEAVING, "flow", plan).tag(tag)
}

fn builder(shared: &Arc<Shared>) -> Builder {
    let mut builder = Tasker::builder()
        .only_listed_handlers()
        .handler::<work>()
        .handler::<limited>()
        .state(Arc::clone(shared))
        .poll_interval(Duration::from_millis(200))
        .reap_interval(Duration::from_millis(200));
    for (namespace, callable) in NAMESPACES {
        let steps = STEPS.replace("CALLABLE", callable);
        let steps = steps.replace("RETRY", "retry: {max_attempts: 9, backoff: none}");
        let yaml = format!("name: flow\nnamespace_name: {namespace}\nversion: 1.0.0\nsteps:{steps}");
        builder = builder.template_str(namespace, yaml);
    }
    builder
}
