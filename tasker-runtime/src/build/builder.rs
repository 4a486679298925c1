//! The builder, which describes a runtime; `start` checks the description and starts it.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tasker_store::{DEEPEST, LARGEST, LimitScope, Store};
use tasker_template::Lifecycle;

use crate::build::fault::BuildFault;
use crate::build::range::INTERVAL;
use crate::build::registry::{DEFAULT_METHOD, Handler, Key, Registry, erased};
use crate::clock::Clock;
use crate::engine::WorkerSettings;
use crate::handler::step_error::StepError;
use crate::handler::{Registration, States, StepContext, StepHandler};
use crate::workflow::Workflow;

/// The default URL of the store.
const DEFAULT_STORE: &str = "sqlite://tasker.db";

/// Describes a runtime: templates, handlers, states and a store. See
/// [`Tasker::builder`](crate::Tasker::builder).
#[derive(Debug)]
pub struct Builder {
    pub(super) templates: Vec<TemplateSource>,
    /// Templates that are not checked; `validate` counts what they run as used.
    pub(super) set_aside: Vec<TemplateSource>,
    pub(super) deny_warnings: bool,
    pub(super) environment: Option<String>,
    pub(super) listed: Vec<(Key, Handler)>,
    pub(super) collected: bool,
    pub(super) states: States,
    pub(super) store: StoreSource,
    pub(super) clock: Clock,
    pub(super) settings: WorkerSettings,
    pub(super) works: bool,
    pub(super) grace: Duration,
    pub(super) faults: Vec<BuildFault>,
    #[cfg(feature = "testing")]
    stage: Option<crate::testing::Stage>,
}

#[derive(Debug)]
pub(super) enum TemplateSource {
    Directory(PathBuf),
    File(PathBuf),
    /// A file that takes the place of another template of its name and version; the first of all.
    Preferred(PathBuf),
    Text(String, String),
    /// The template of a workflow.
    Workflow(String, String),
}

#[derive(Debug)]
pub(super) enum StoreSource {
    Url(String),
    Value(Arc<dyn Store>),
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            templates: Vec::new(),
            set_aside: Vec::new(),
            deny_warnings: false,
            environment: None,
            listed: Vec::new(),
            collected: true,
            states: States::default(),
            store: StoreSource::Url(DEFAULT_STORE.to_owned()),
            clock: Clock::system(),
            settings: WorkerSettings::default(),
            works: true,
            grace: Duration::from_secs(10),
            faults: Vec::new(),
            #[cfg(feature = "testing")]
            stage: None,
        }
    }
}

impl Builder {
    /// All templates of a directory and the directories below it (`.yaml`, `.yml`). Entries whose names begin
    /// with a dot are left out, and a file that has several names through links counts once.
    #[must_use]
    pub fn templates(mut self, directory: impl AsRef<Path>) -> Self {
        self.templates.push(TemplateSource::Directory(directory.as_ref().to_owned()));
        self
    }

    /// A template from a file.
    #[must_use]
    pub fn template_file(mut self, path: impl AsRef<Path>) -> Self {
        self.templates.push(TemplateSource::File(path.as_ref().to_owned()));
        self
    }

    /// A template from a file, in place of any other of the same namespace, name and version.
    #[doc(hidden)]
    #[must_use]
    pub fn preferred_template_file(mut self, path: impl AsRef<Path>) -> Self {
        self.templates.insert(0, TemplateSource::Preferred(path.as_ref().to_owned()));
        self
    }

    /// A template from a text, for instance from `include_str!`. Messages call it `name`.
    #[must_use]
    pub fn template_str(mut self, name: impl Into<String>, yaml: impl Into<String>) -> Self {
        self.templates.push(TemplateSource::Text(name.into(), yaml.into()));
        self
    }

    /// Refuses to start when a template has warnings, such as a misspelt key. By default they are logged.
    #[must_use]
    pub fn deny_warnings(mut self) -> Self {
        self.deny_warnings = true;
        self
    }

    /// Applies the overrides that the templates have for this environment, which at least one must have.
    ///
    /// A task keeps the environment that it is created in. A worker leaves the steps of tasks that were
    /// created in another one, or in none, to other workers, if its own environment would change them.
    #[must_use]
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.environment = Some(name.into());
        self
    }

    /// Registers a handler by its type. Handlers with `#[step_handler]` register themselves, unless the
    /// linker drops their crate, or [`only_listed_handlers`](Self::only_listed_handlers) is set.
    #[must_use]
    pub fn handler<H: StepHandler>(mut self) -> Self {
        let path = std::any::type_name::<H>().split('<').next().unwrap_or_default();
        let name = if H::NAME.is_empty() { path.rsplit("::").next().unwrap_or(path) } else { H::NAME };
        let registration = Registration::of::<H>(name);
        self.listed.push(listed(&registration));
        self
    }

    /// A workflow: its template, which is part of the program, and the handlers of its steps.
    ///
    /// ```standalone_crate
    /// use tasker::prelude::*;
    ///
    /// #[step_handler("Docs::WorkflowGreet")]
    /// async fn greet(#[input("name")] name: String) -> String {
    ///     format!("Hello, {name}!")
    /// }
    /// tasker::workflow! { pub greeting = "src/workflow/greeting.yaml" { greet } }
    ///
    /// let builder = Tasker::builder().workflow(greeting);
    /// ```
    #[must_use]
    pub fn workflow<W: Workflow>(mut self, _: impl FnOnce() -> W) -> Self {
        self.add_workflow::<W>();
        self
    }

    /// As [`workflow`](Self::workflow), by the type.
    pub(crate) fn add_workflow<W: Workflow>(&mut self) {
        self.listed.extend(W::handlers().iter().map(listed));
        self.templates.push(TemplateSource::Workflow(W::FILE.to_owned(), W::TEMPLATE.to_owned()));
    }

    /// Registers a closure, which may read the results of all ancestors of its step.
    ///
    /// ```
    /// use tasker::{StepContext, StepResult, Tasker};
    ///
    /// let builder = Tasker::builder().handler_fn("Double", |context: StepContext| async move {
    ///     let number: u64 = context.input_field("number")?;
    ///     StepResult::Ok(number * 2)
    /// });
    /// ```
    #[must_use]
    pub fn handler_fn<F, T, E>(
        mut self,
        callable: &str,
        handler: impl Fn(StepContext) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Serialize,
        E: Into<StepError>,
    {
        let key = (callable.to_owned(), DEFAULT_METHOD.to_owned());
        self.listed.push((key, Handler::closure(callable, erased(handler))));
        self
    }

    /// Leaves out the handlers that registered themselves.
    #[must_use]
    pub fn only_listed_handlers(mut self) -> Self {
        self.collected = false;
        self
    }

    /// A value that handlers can take as [`State<T>`](crate::State), if it is `Clone`; or the struct whose methods
    /// are handlers, by itself or in an `Arc`.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        if !self.states.insert(value) {
            self.faults.push(BuildFault::DuplicateState(std::any::type_name::<T>()));
        }
        self
    }

    /// The store, by its URL: `sqlite://PATH`, `postgres://USER@HOST/DATABASE` or `memory:`. Without one it
    /// is `sqlite://tasker.db`. A file that has tables of the application's as well is
    /// `sqlite://PATH?share=true`, and `?attach=NAME:PATH` attaches a file of the application's.
    #[must_use]
    pub fn store_url(mut self, url: impl Into<String>) -> Self {
        self.store = StoreSource::Url(url.into());
        self
    }

    /// The store itself: one of those in [`store`](crate::store).
    #[must_use]
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = StoreSource::Value(Arc::new(store));
        self
    }

    /// The store itself, shared with other runtimes of this process.
    #[must_use]
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = StoreSource::Value(store);
        self
    }

    /// At most this many attempts at a time, at least 1; 64 unless said otherwise.
    #[must_use]
    pub fn concurrency(mut self, attempts: usize) -> Self {
        let range = 1..=tokio::sync::Semaphore::MAX_PERMITS;
        if let Some(attempts) = self.in_range("concurrency", attempts, &range) {
            self.settings.concurrency = attempts;
        }
        self
    }

    /// The limit of an attempt whose step has no `timeout_seconds`; 30 seconds unless said otherwise.
    #[must_use]
    pub fn step_timeout(mut self, limit: Duration) -> Self {
        self.settings.step_timeout = limit;
        self
    }

    /// How often to look for work that another process has put into the store, and for the end of a task that
    /// another process runs. The default is every second; at least a millisecond and at most a day. Work of
    /// this process begins at once.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        if let Some(interval) = self.in_range("poll_interval", interval, &INTERVAL) {
            self.settings.poll_interval = interval;
        }
        self
    }

    /// How often to look for dead workers, whose work is then taken over. The default is every 5 seconds. At
    /// least a millisecond and at most a day; on PostgreSQL at most half of the `lease` in the store's URL.
    ///
    /// ```
    /// use std::time::Duration;
    /// let builder = tasker::Tasker::builder().reap_interval(Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn reap_interval(mut self, interval: Duration) -> Self {
        if let Some(interval) = self.in_range("reap_interval", interval, &INTERVAL) {
            self.settings.reap_interval = interval;
        }
        self
    }

    /// Multiplies the retry delays of templates: less than 1 for demonstrations and tests. A delay that a
    /// handler asks for ([`StepError::with_retry_after`](crate::StepError::with_retry_after)) is not changed.
    #[must_use]
    pub fn backoff_scale(mut self, scale: f64) -> Self {
        if let Some(scale) = self.in_range("backoff_scale", scale, &(0.0..=f64::MAX)) {
            self.settings.backoff_scale = scale;
        }
        self
    }

    /// The largest context of a task, in bytes of JSON; 1 MiB unless said otherwise, and at most 256 MiB.
    ///
    /// ```
    /// let builder = tasker::Tasker::builder().max_context_bytes(64 * 1024);
    /// ```
    #[must_use]
    pub fn max_context_bytes(mut self, bytes: usize) -> Self {
        if let Some(bytes) = self.in_range("max_context_bytes", bytes, &(1..=LARGEST)) {
            self.settings.payload_limits.context_bytes = bytes;
        }
        self
    }

    /// The largest result of a step, in bytes of JSON; 1 MiB unless said otherwise, and at most 256 MiB. A
    /// larger one fails the step permanently: store large data elsewhere, and return a reference to it.
    ///
    /// It is also the limit of an error's context. A note takes the place of a larger one.
    ///
    /// ```
    /// let builder = tasker::Tasker::builder().max_result_bytes(16 * 1024 * 1024);
    /// ```
    #[must_use]
    pub fn max_result_bytes(mut self, bytes: usize) -> Self {
        if let Some(bytes) = self.in_range("max_result_bytes", bytes, &(1..=LARGEST)) {
            self.settings.payload_limits.result_bytes = bytes;
        }
        self
    }

    /// How deeply the lists and objects of a context, a result or an error's context may be nested; 64 levels
    /// unless said otherwise, and at most 127, because deeper JSON cannot be read back.
    ///
    /// ```
    /// let builder = tasker::Tasker::builder().max_depth(16);
    /// ```
    #[must_use]
    pub fn max_depth(mut self, levels: usize) -> Self {
        if let Some(levels) = self.in_range("max_depth", levels, &(1..=DEEPEST)) {
            self.settings.payload_limits.depth = levels;
        }
        self
    }

    /// The grace period: how long a handler may continue after it was told to end, by a shutdown or because
    /// its task was cancelled. The default is 10 seconds.
    #[must_use]
    pub fn grace_period(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self.settings.grace = grace;
        self
    }

    /// Runs steps of templates in these namespaces only. Handlers and states for templates of other
    /// namespaces may be missing; their tasks can still be created. Each call adds to the list.
    ///
    /// ```
    /// let builder = tasker::Tasker::builder().namespaces(["billing", "invoices"]);
    /// ```
    #[must_use]
    pub fn namespaces(mut self, namespaces: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let served = self.settings.namespaces.get_or_insert_default();
        served.extend(namespaces.into_iter().map(Into::into));
        self
    }

    /// Limits how many attempts of steps in this namespace run at a time in this worker; at least 1.
    /// [`Tasker::set_limit`](crate::Tasker::set_limit) limits all workers together.
    #[must_use]
    pub fn namespace_concurrency(mut self, namespace: impl Into<String>, attempts: usize) -> Self {
        if let Some(attempts) = self.in_range("namespace_concurrency", attempts, &(1..=usize::MAX)) {
            self.settings.worker_limits.insert(LimitScope::Namespace(namespace.into()), attempts);
        }
        self
    }

    /// Limits how many attempts of this callable run at a time in this worker; at least 1.
    /// [`Tasker::set_limit`](crate::Tasker::set_limit) limits all workers together.
    ///
    /// ```
    /// let builder = tasker::Tasker::builder().callable_concurrency("Payments::Charge", 4);
    /// ```
    #[must_use]
    pub fn callable_concurrency(mut self, callable: impl Into<String>, attempts: usize) -> Self {
        if let Some(attempts) = self.in_range("callable_concurrency", attempts, &(1..=usize::MAX)) {
            self.settings.worker_limits.insert(LimitScope::Callable(callable.into()), attempts);
        }
        self
    }

    /// Limits on how long tasks may wait, for each limit that a template's `lifecycle` does not have. Workers
    /// give up tasks that exceed one, unless `staleness_action` is `none`; without limits nothing is given up.
    ///
    /// ```
    /// use tasker::template::Lifecycle;
    /// let lifecycle = Lifecycle { max_duration_minutes: Some(24 * 60), ..Lifecycle::default() };
    /// let builder = tasker::Tasker::builder().lifecycle(lifecycle);
    /// ```
    #[must_use]
    pub fn lifecycle(mut self, limits: Lifecycle) -> Self {
        self.settings.lifecycle = limits;
        self
    }

    /// Deletes tasks that have been complete, cancelled or given up for longer than `age`. The worker looks
    /// for them once a minute, or every half of `age` when that is shorter. By default tasks are never
    /// deleted.
    #[must_use]
    pub fn retention(mut self, age: Duration) -> Self {
        self.settings.retention = Some(age);
        self
    }

    /// The source of time and random numbers.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The name and version of the program, which each attempt can be traced to: `env!("CARGO_PKG_NAME")` and
    /// `env!("CARGO_PKG_VERSION")`. By default the name of the program's file, without a version.
    ///
    /// ```
    /// let builder = tasker::Tasker::builder().program("shop", "1.4.2");
    /// ```
    #[must_use]
    pub fn program(mut self, name: impl Display, version: impl Display) -> Self {
        self.settings.program = Some(format!("{name} {version}"));
        self
    }

    /// The name and version of the program, unless it has been said.
    #[doc(hidden)]
    #[must_use]
    pub fn program_by_default(mut self, title: impl Into<String>) -> Self {
        self.settings.program.get_or_insert_with(|| title.into());
        self
    }

    /// Creates and reads tasks, but runs no steps: another process must run them.
    #[must_use]
    pub fn without_worker(mut self) -> Self {
        self.works = false;
        self
    }

    /// The URL of the store, as set or by default; `None` when the builder was given a store itself.
    #[doc(hidden)]
    #[must_use]
    pub fn store_location(&self) -> Option<&str> {
        match &self.store {
            StoreSource::Url(url) => Some(url),
            StoreSource::Value(_) => None,
        }
    }

    /// Whether the builder was given templates: a file, a text, or a directory, even an empty one.
    #[doc(hidden)]
    #[must_use]
    pub fn has_templates(&self) -> bool {
        !self.templates.is_empty()
    }

    /// Whether there is any handler, listed or self-registered.
    #[must_use]
    pub fn has_handlers(&self) -> bool {
        !self.listed.is_empty() || (self.collected && inventory::iter::<Registration>().next().is_some())
    }

    pub(crate) fn registry(&self, faults: &mut Vec<BuildFault>) -> Registry {
        let collected = inventory::iter::<Registration>().filter(|_| self.collected).map(listed);
        let registry = Registry::collect(collected.chain(self.listed.iter().cloned()), faults);
        #[cfg(feature = "testing")]
        let registry = match &self.stage {
            Some(stage) => stage.set(registry),
            None => registry,
        };
        registry
    }

    /// Inserts the testing kit between the engine and the handlers.
    #[cfg(feature = "testing")]
    pub(crate) fn stage(mut self, stage: crate::testing::Stage) -> Self {
        self.stage = Some(stage);
        self
    }
}

fn listed(one: &Registration) -> (Key, Handler) {
    ((one.callable.to_owned(), one.method.to_owned()), one.into())
}
