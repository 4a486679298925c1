//! What a worker says of itself, and what others see of it.

use jiff::Timestamp;
use serde::Serialize;

use crate::id::WorkerId;

/// What a worker says of itself when it starts.
///
/// ```
/// use tasker_store::WorkerInfo;
/// let info = WorkerInfo { concurrency: 8, ..WorkerInfo::here() };
/// assert_eq!(info.process, std::process::id());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
}

impl WorkerInfo {
    /// A worker in this process that has no handlers yet.
    #[must_use]
    pub fn here() -> Self {
        Self {
            host: host(),
            process: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            namespaces: None,
            handlers: 0,
            concurrency: 0,
        }
    }
}

/// A worker as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerRecord {
    /// Its id.
    pub id: WorkerId,
    /// What it said of itself.
    #[serde(flatten)]
    pub info: WorkerInfo,
    /// How many steps are claimed by it. A store that is shared by several machines knows this as of
    /// the last beat.
    pub running: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last said that it is there. `None` where a store knows that without being told.
    pub last_beat: Option<Timestamp>,
    /// Whether it is there. What a dead one had claimed is taken over by others.
    pub alive: bool,
}

/// The name of this machine.
fn host() -> String {
    let name = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    name.or_else(|| std::fs::read_to_string("/etc/hostname").ok().map(|name| name.trim().to_owned()))
        .unwrap_or_default()
}
