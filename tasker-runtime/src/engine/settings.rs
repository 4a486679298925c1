//! What the builder decides about a worker.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tasker_store::LimitScope;
use tasker_template::Lifecycle;

use crate::build::payload_limits::PayloadLimits;

/// What the builder decides about a worker.
#[derive(Clone, Debug)]
pub(crate) struct WorkerSettings {
    /// The largest number of attempts that run at a time.
    pub(crate) concurrency: usize,
    /// How long an attempt may take whose template sets no timeout.
    pub(crate) step_timeout: Duration,
    /// How often the store is asked for work of which no notification came.
    pub(crate) poll_interval: Duration,
    /// How often the store is asked for workers that died.
    pub(crate) reap_interval: Duration,
    /// The factor by which retry delays are multiplied.
    pub(crate) backoff_scale: f64,
    /// How long a handler may take to end once it is told to.
    pub(crate) grace: Duration,
    /// The namespaces whose steps run here; `None` for all.
    pub(crate) namespaces: Option<BTreeSet<String>>,
    /// The worker limits: for a scope, the largest number of attempts that run at a time in this worker.
    pub(crate) worker_limits: HashMap<LimitScope, usize>,
    /// How long settled tasks are kept; `None` for ever.
    pub(crate) retention: Option<Duration>,
    /// Limits on how long tasks may wait whose templates have none of their own.
    pub(crate) lifecycle: Lifecycle,
    /// The environment whose overrides apply to the templates of this program; `None` for none.
    pub(crate) environment: Option<String>,
    /// The name and version of the program.
    pub(crate) program: Option<String>,
    /// How large contexts and results may be.
    pub(crate) payload_limits: PayloadLimits,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            concurrency: 64,
            step_timeout: Duration::from_secs(30),
            poll_interval: Duration::from_secs(1),
            reap_interval: Duration::from_secs(5),
            backoff_scale: 1.0,
            grace: Duration::from_secs(10),
            namespaces: None,
            worker_limits: HashMap::new(),
            retention: None,
            lifecycle: Lifecycle::default(),
            environment: None,
            program: None,
            payload_limits: PayloadLimits::default(),
        }
    }
}
