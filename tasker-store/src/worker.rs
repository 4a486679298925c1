//! What a worker says of itself, and what others see of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::WorkerId;

/// What a worker says of itself when it starts.
///
/// ```
/// use tasker::worker::WorkerInfo;
/// let info = WorkerInfo::here().concurrency(8);
/// assert_eq!(info.process, std::process::id());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// The machine that it runs on.
    pub host: String,
    /// The process that it runs in.
    pub process: u32,
    /// Its version of Tasker.
    pub version: String,
    /// The namespaces that it runs steps of; `None` for all.
    pub namespaces: Option<Vec<String>>,
    /// How many handlers it has.
    pub handlers: u32,
    /// At most this many attempts at a time.
    pub concurrency: u32,
    /// The callables that it has handlers for, with the method after a dot where a handler is for one
    /// (`Billing::Charge.refund`); `None` for a worker of an earlier version, which did not say.
    pub callables: Option<Vec<String>>,
    /// The name and version of its program, such as `shop 1.4.2`; `None` where the program has said none.
    pub program: Option<String>,
    /// The environment whose overrides apply in it; `None` for none.
    pub environment: Option<String>,
}

impl WorkerInfo {
    /// A worker in this process that has no handlers yet.
    #[must_use]
    pub fn here() -> Self {
        Self::new(host(), std::process::id(), env!("CARGO_PKG_VERSION"))
    }

    /// A worker on this machine, in the process of this number, of this version of Tasker.
    #[must_use]
    pub fn new(host: impl Into<String>, process: u32, version: impl Into<String>) -> Self {
        let (host, version) = (host.into(), version.into());
        Self {
            host,
            process,
            version,
            namespaces: None,
            handlers: 0,
            concurrency: 0,
            callables: None,
            program: None,
            environment: None,
        }
    }

    /// The namespaces that it runs steps of; `None` for all.
    #[must_use]
    pub fn namespaces(mut self, namespaces: Option<Vec<String>>) -> Self {
        self.namespaces = namespaces;
        self
    }

    /// How many handlers it has.
    #[must_use]
    pub fn handlers(mut self, count: u32) -> Self {
        self.handlers = count;
        self
    }

    /// At most this many attempts at a time.
    #[must_use]
    pub fn concurrency(mut self, attempts: u32) -> Self {
        self.concurrency = attempts;
        self
    }

    /// The callables that it has handlers for; `None` when that is not known.
    #[must_use]
    pub fn callables(mut self, callables: Option<Vec<String>>) -> Self {
        self.callables = callables;
        self
    }

    /// Whether it has a handler for this callable and method; `None` when that is not known.
    ///
    /// ```
    /// use tasker::worker::WorkerInfo;
    /// let callables = vec!["Billing::Charge".to_owned(), "Billing::Charge.refund".to_owned()];
    /// let info = WorkerInfo::here().callables(Some(callables));
    /// assert_eq!(info.has_handler("Billing::Charge", Some("refund")), Some(true));
    /// assert_eq!(info.has_handler("Billing::Void", None), Some(false));
    /// assert_eq!(WorkerInfo::here().has_handler("Billing::Void", None), None);
    /// ```
    #[must_use]
    pub fn has_handler(&self, callable: &str, method: Option<&str>) -> Option<bool> {
        let own = self.callables.as_ref()?;
        let wanted = method.map(|method| format!("{callable}.{method}"));
        Some(own.iter().any(|own| own == wanted.as_deref().unwrap_or(callable)))
    }

    /// The name and version of its program; `None` when that is not known.
    #[must_use]
    pub fn program(mut self, program: Option<String>) -> Self {
        self.program = program;
        self
    }

    /// The environment whose overrides apply in it; `None` for none.
    #[must_use]
    pub fn environment(mut self, environment: Option<String>) -> Self {
        self.environment = environment;
        self
    }
}

/// The program that a worker is, or was, part of. It outlives the worker, so that an attempt can be traced to
/// the version of the program that made it.
///
/// ```
/// use tasker::worker::ProgramRecord;
/// # fn example(record: ProgramRecord) {
/// let version = record.program.as_deref().unwrap_or("an unknown version");
/// println!("recorded by {version}, which started at {}", record.started_at);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProgramRecord {
    /// The worker.
    pub worker: WorkerId,
    /// The name and version of the program, such as `shop 1.4.2`; `None` where it has said none.
    pub program: Option<String>,
    /// Its version of Tasker.
    pub tasker: String,
    /// When the worker started.
    pub started_at: Timestamp,
}

impl ProgramRecord {
    /// What a worker that starts at this time says of its program.
    #[must_use]
    pub fn new(worker: WorkerId, info: &WorkerInfo, started_at: Timestamp) -> Self {
        Self { worker, program: info.program.clone(), tasker: info.version.clone(), started_at }
    }
}

/// A worker as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerRecord {
    /// Its id.
    pub id: WorkerId,
    /// What it said of itself.
    #[serde(flatten)]
    pub info: WorkerInfo,
    /// How many runs it has claimed; on PostgreSQL, as of its last heartbeat.
    pub running: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// The time of its last heartbeat; `None` on stores without heartbeats.
    pub last_beat: Option<Timestamp>,
    /// Whether it is alive. Others take over the work of a dead worker.
    pub alive: bool,
}

impl WorkerRecord {
    /// A worker that is alive and has no claims.
    #[must_use]
    pub fn new(id: WorkerId, info: WorkerInfo, started_at: Timestamp) -> Self {
        Self { id, info, running: 0, started_at, last_beat: None, alive: true }
    }

    /// How many runs it has claimed.
    #[must_use]
    pub fn running(mut self, steps: u32) -> Self {
        self.running = steps;
        self
    }

    /// The time of its last heartbeat; `None` on stores without heartbeats.
    #[must_use]
    pub fn last_beat(mut self, at: Option<Timestamp>) -> Self {
        self.last_beat = at;
        self
    }

    /// Whether it is alive.
    #[must_use]
    pub fn alive(mut self, alive: bool) -> Self {
        self.alive = alive;
        self
    }
}

/// The name of this machine.
fn host() -> String {
    let name = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    name.or_else(|| std::fs::read_to_string("/etc/hostname").ok().map(|name| name.trim().to_owned()))
        .unwrap_or_default()
}
