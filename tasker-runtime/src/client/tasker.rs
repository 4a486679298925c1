//! The handle that an application holds: create tasks, look at them, wait for them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tasker_store::{
    Json, LimitScope, NewTaskRecord, Origin, StoreError, TaskFilter, TaskId, TaskState, TemplateRecord,
    WorkerId, WorkerInfo, WorkerRecord,
};
use tasker_template::nearest;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::build::bind::BoundTemplate;
use crate::build::builder::Builder;
use crate::build::payload_limits::Excess;
use crate::build::violations::Violations;
use crate::client::event::Event;
use crate::client::identity;
use crate::client::task::{Task, TaskFailure};
use crate::engine::Engine;
use crate::handler::TaskFacts;

/// A running Tasker. Clones share one engine. When the last is dropped, running handlers are ended at
/// once, and their steps are run again by the next one: call [`shutdown`](Self::shutdown) first to
/// let them end.
///
/// ```
/// use tasker::{NewTask, Tasker, step_handler};
///
/// #[step_handler("Greeter")]
/// async fn greet(#[input("name")] name: String) -> String {
///     format!("Hello, {name}!")
/// }
///
/// const TEMPLATE: &str = "
/// name: greeting
/// namespace_name: docs
/// version: 1.0.0
/// steps:
///   - name: greet
///     handler: {callable: Greeter}
/// ";
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let tasker = Tasker::builder().template_str("greeting.yaml", TEMPLATE).store_url("memory:").build().await?;
/// let context = serde_json::json!({ "name": "Ada" });
/// let id = tasker.create_task(NewTask::new("docs", "greeting", &context)).await?;
/// let task = tasker.wait(id).await?;
/// assert_eq!(task.output::<greet>()?, "Hello, Ada!");
/// tasker.shutdown().await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Tasker {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    engine: Arc<Engine>,
    grace: Duration,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.engine.abort();
    }
}

/// A task to create.
#[derive(Clone, Debug)]
pub struct NewTask {
    namespace: String,
    name: String,
    version: Option<String>,
    context: Result<Json, String>,
    correlation_id: Option<Uuid>,
    identity: IdentityStrategy,
    run_at: Option<Timestamp>,
    priority: i32,
    origin: Origin,
}

/// What makes a task the same as another one. It holds for as long as the other is kept, whatever
/// became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityStrategy {
    /// Nothing: every task is a new one.
    #[default]
    AlwaysUnique,
    /// The template and the context, in which the order of keys does not matter.
    Strict,
    /// The template and this key. The same key with another context is an error of its own.
    CallerProvided(String),
}

/// What went wrong with a task.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No template has this namespace, name and version.
    #[error("there is no template `{wanted}`; {known}")]
    UnknownTemplate {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// The context cannot be used.
    #[error("the context of a task must be a JSON object: {0}")]
    Context(String),
    /// The context does not fit the `input_schema` of the template.
    #[error("the context does not fit the `input_schema` of the template: {0}")]
    InvalidContext(Violations),
    /// The context is larger than [`Builder::max_context_bytes`] allows.
    #[error("the context has {bytes} bytes, and may have {limit} (`max_context_bytes`)")]
    ContextTooLarge {
        /// What it has.
        bytes: usize,
        /// What it may have.
        limit: usize,
    },
    /// The context is nested deeper than [`Builder::max_depth`] allows.
    #[error("the context is nested {depth} levels deep, and may be {limit} (`max_depth`)")]
    ContextTooDeep {
        /// How deeply it is nested.
        depth: usize,
        /// How deeply it may be.
        limit: usize,
    },
    /// There is no such task.
    #[error("there is no task {0}")]
    UnknownTask(TaskId),
    /// There is a task of the same identity; nothing was created.
    #[error("task {existing} is the same: {why}; nothing was created")]
    Duplicate {
        /// That task.
        existing: TaskId,
        /// What is the same.
        why: String,
    },
    /// There is a task with the same idempotency key and another context; nothing was created.
    #[error(
        "task {existing} has the idempotency key `{key}` already, and another context; use another key for another task"
    )]
    KeyReused {
        /// That task.
        existing: TaskId,
        /// The key.
        key: String,
    },
    /// There is a task of the same identity; nothing was created, and the caller's transaction goes on.
    #[error("there is a task of the same identity already; nothing was created")]
    Taken,
    /// The statement in the caller's transaction failed.
    #[error("the task could not be created in the transaction: {0}")]
    Transaction(#[source] tasker_store::BoxError),
    /// A limit that limits nothing; nothing was set.
    #[error("the limit on {0} needs a concurrency or a rate")]
    EmptyLimit(LimitScope),
    /// There is no limit on this.
    #[error("there is no limit on {scope}; {known}")]
    UnknownLimit {
        /// What was asked for.
        scope: LimitScope,
        /// What there is.
        known: String,
    },
    /// The priority is out of range.
    #[error("the priority {0} is out of range: -100 to 100")]
    Priority(i32),
    /// The task has no such step.
    #[error("task {task} has no step `{step}`; {hint}")]
    UnknownStep {
        /// The task.
        task: TaskId,
        /// What was asked for.
        step: String,
        /// What there is.
        hint: String,
    },
    /// An action cannot be done to a task or step in this state; nothing was changed.
    #[error("{what} is {state}: `{action}` is not possible; {way_out}")]
    NotPossible {
        /// The action.
        action: &'static str,
        /// The task or step.
        what: String,
        /// Where it is.
        state: String,
        /// What to do instead.
        way_out: &'static str,
    },
    /// A result that was made by hand cannot be taken; nothing was changed.
    #[error("the result for step `{step}` of task {task} cannot be taken: {reason}")]
    ResultRefused {
        /// The task.
        task: TaskId,
        /// The step.
        step: String,
        /// Why.
        reason: String,
    },
    /// The task did not end well.
    #[error(transparent)]
    Failed(Box<TaskFailure>),
    /// This runtime has been shut down.
    #[error("this runtime has been shut down")]
    ShutDown,
}

/// As [`Display`](fmt::Display): a `main` that returns this error shows it in this form.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl NewTask {
    /// A task of the template `name` in `namespace`, with `context` as its input.
    #[must_use]
    pub fn new<C: Serialize + ?Sized>(
        namespace: impl Into<String>,
        name: impl Into<String>,
        context: &C,
    ) -> Self {
        let json = Json::from_value(context).map_err(|error| error.to_string());
        let context = json.and_then(|json| match json.get().as_bytes().first() {
            Some(b'{') => Ok(json),
            _ => Err(format!("it is `{}`", json.get().chars().take(40).collect::<String>())),
        });
        Self {
            namespace: namespace.into(),
            name: name.into(),
            version: None,
            context,
            correlation_id: None,
            identity: IdentityStrategy::default(),
            run_at: None,
            priority: 0,
            origin: Origin::default(),
        }
    }

    /// Of this version of the template; needed only when there are several.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Ties the task to other work.
    #[must_use]
    pub fn correlation_id(mut self, id: Uuid) -> Self {
        self.correlation_id = Some(id);
        self
    }

    /// The correlation id of the work that this is a part of.
    #[must_use]
    pub fn parent_correlation_id(mut self, id: Uuid) -> Self {
        self.origin.parent_correlation_id = Some(id);
        self
    }

    /// What makes the task the same as another one, which then keeps this from being created.
    #[must_use]
    pub fn identity(mut self, strategy: IdentityStrategy) -> Self {
        self.identity = strategy;
        self
    }

    /// Created once under this key, however often it is asked for:
    /// [`IdentityStrategy::CallerProvided`].
    ///
    /// ```
    /// use tasker::NewTask;
    /// let context = serde_json::json!({ "order": 7 });
    /// let task = NewTask::new("shop", "fulfil", &context).idempotency_key("order-7");
    /// ```
    #[must_use]
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.identity(IdentityStrategy::CallerProvided(key.into()))
    }

    /// Not before this time.
    #[must_use]
    pub fn run_at(mut self, time: Timestamp) -> Self {
        self.run_at = Some(time);
        self
    }

    /// From -100 to 100, 0 unless said otherwise: when there is more to do than room, a point is
    /// worth a minute of waiting.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// A word to find the task by; may be given several times.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.origin.tags.push(tag.into());
        self
    }

    /// Who asks for it.
    #[must_use]
    pub fn initiator(mut self, name: impl Into<String>) -> Self {
        self.origin.initiator = Some(name.into());
        self
    }

    /// The system that asks for it.
    #[must_use]
    pub fn source_system(mut self, name: impl Into<String>) -> Self {
        self.origin.source_system = Some(name.into());
        self
    }

    /// Why it is asked for.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.origin.reason = Some(reason.into());
        self
    }
}

impl Tasker {
    /// Begins to describe a runtime.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(engine: Arc<Engine>, grace: Duration) -> Self {
        Self { handle: Arc::new(Handle { engine, grace }) }
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.handle.engine
    }

    /// Creates a task; once this returns, the task survives any crash and will be run.
    ///
    /// # Errors
    ///
    /// When there is no such template, the context is no JSON object, is too large or does not fit the
    /// template's `input_schema`, a task of the same identity is there ([`Error::Duplicate`],
    /// [`Error::KeyReused`]), the store fails, or the runtime has been shut down.
    pub async fn create_task(&self, task: NewTask) -> Result<TaskId, Error> {
        let engine = self.engine();
        if engine.is_stopped() {
            return Err(Error::ShutDown);
        }
        let identity = task.identity.clone();
        let record = self.record(task)?;
        let (id, context) = (record.id, record.context.clone());
        let facts = TaskFacts { id, correlation_id: record.correlation_id, context: context.clone() };
        let Some(duplicate) = engine.create(record, facts).await? else { return Ok(id) };
        let existing = duplicate.id;
        match identity {
            IdentityStrategy::CallerProvided(key) if identity::same(&duplicate.context, &context) => {
                Err(Error::Duplicate { existing, why: format!("it has the idempotency key `{key}`") })
            }
            IdentityStrategy::CallerProvided(key) => Err(Error::KeyReused { existing, key }),
            _ => Err(Error::Duplicate { existing, why: "it has the same template and context".to_owned() }),
        }
    }

    /// Creates a task in a transaction of the caller's: it is there once that is committed, together
    /// with whatever else the caller has written, and is run from then on.
    ///
    /// The transaction is one on the database of the store, which is PostgreSQL.
    ///
    /// # Errors
    ///
    /// As [`create_task`](Self::create_task); [`Error::Taken`] when there is a task of the same
    /// identity, and the transaction can go on; [`Error::Transaction`] when the statement fails.
    ///
    /// ```no_run
    /// # async fn example(mut client: tokio_postgres::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use tasker::{NewTask, Tasker};
    /// let tasker = Tasker::builder().store_url("postgres://localhost/shop").build().await?;
    /// let mut transaction = client.transaction().await?;
    /// transaction.execute("INSERT INTO orders (number) VALUES (7)", &[]).await?;
    /// let order = serde_json::json!({ "number": 7 });
    /// tasker.create_task_in(&mut transaction, NewTask::new("shop", "fulfil", &order)).await?;
    /// transaction.commit().await?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "postgres")]
    pub async fn create_task_in(
        &self,
        transaction: &mut dyn tasker_postgres::Executor,
        task: NewTask,
    ) -> Result<TaskId, Error> {
        let record = self.record(task)?;
        let statement = self.engine().store.create_task_sql(&record)?;
        match transaction.execute(&statement).await.map_err(Error::Transaction)? {
            0 => Err(Error::Taken),
            _ => Ok(record.id),
        }
    }

    /// A task as the store is asked for it, once it has been checked.
    fn record(&self, task: NewTask) -> Result<NewTaskRecord, Error> {
        let engine = self.engine();
        let bound = self.template(&task)?;
        let context = task.context.map_err(Error::Context)?;
        if !(-100..=100).contains(&task.priority) {
            return Err(Error::Priority(task.priority));
        }
        engine.settings.payload_limits.context(&context).map_err(|excess| match excess {
            Excess::Bytes(bytes, limit) => Error::ContextTooLarge { bytes, limit },
            Excess::Depth(depth, limit) => Error::ContextTooDeep { depth, limit },
        })?;
        if let Some(schema) = &bound.input_schema {
            schema.check(&context).map_err(Error::InvalidContext)?;
        }
        let created_at = engine.clock.now();
        let id = TaskId::at(created_at);
        Ok(NewTaskRecord {
            id,
            template: bound.id,
            correlation_id: task.correlation_id.unwrap_or(id.0),
            identity: identity::hash(&bound.template, &task.identity, &context),
            context,
            created_at,
            // What is due already runs at once.
            run_at: task.run_at.filter(|run_at| *run_at > created_at),
            priority: task.priority,
            origin: task.origin,
            graph: Arc::clone(bound.plan.graph()),
        })
    }

    fn template(&self, task: &NewTask) -> Result<&Arc<BoundTemplate>, Error> {
        let current = self.engine().templates.current();
        let matches: Vec<_> = current
            .iter()
            .filter(|bound| bound.template.namespace == task.namespace && bound.template.name == task.name)
            .filter(|bound| task.version.as_ref().is_none_or(|version| bound.template.version == *version))
            .collect();
        if let [bound] = matches[..] {
            return Ok(bound);
        }
        let version = task.version.as_ref().map(|version| format!("/{version}")).unwrap_or_default();
        let wanted = format!("{}/{}{version}", task.namespace, task.name);
        let known = if matches.is_empty() {
            let names = current.iter().map(|bound| {
                let template = &bound.template;
                let version =
                    task.version.as_ref().map(|_| format!("/{}", template.version)).unwrap_or_default();
                format!("{}/{}{version}", template.namespace, template.name)
            });
            let names: Vec<_> = names.collect();
            match nearest(&wanted, names.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => "none was loaded".to_owned(),
                None => format!("loaded are: {}", names.join(", ")),
            }
        } else {
            let versions: Vec<_> = matches.iter().map(|bound| bound.template.version.as_str()).collect();
            format!("but versions {}: say which, with `.version(…)`", versions.join(" and "))
        };
        Err(Error::UnknownTemplate { wanted, known })
    }

    /// The task as it is now.
    ///
    /// # Errors
    ///
    /// When there is no such task, or the store fails.
    pub async fn get_task(&self, id: TaskId) -> Result<Task, Error> {
        let engine = self.engine();
        let record = engine.store.task(id).await?.ok_or(Error::UnknownTask(id))?;
        let bound = engine.templates.get(record.head.template, &*engine.store).await?;
        Ok(Task::new(record, &bound))
    }

    /// Waits until the task is complete, whichever process runs it.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`], with the task, when it settles in any other state. Also when there is no
    /// such task, the store fails, or the runtime is shut down before the task settles.
    pub async fn wait(&self, id: TaskId) -> Result<Task, Error> {
        let engine = self.engine();
        let mut stopped = false;
        loop {
            let waiter = engine.waiters.wait_for(id);
            let mut settled = std::pin::pin!(waiter.settled());
            // From here on a call is not missed. A task under way here will make one; about any
            // other the store is asked.
            settled.as_mut().enable();
            if (stopped || !engine.is_active(id))
                && let Some(task) = settled_task(self.get_task(id).await?)?
            {
                return Ok(task);
            }
            if stopped && !engine.is_active(id) {
                return Err(Error::ShutDown);
            }
            tokio::select! {
                () = settled => {
                    if let Some(record) = waiter.ended() {
                        let bound = engine.templates.get(record.head.template, &*engine.store).await?;
                        if let Some(task) = settled_task(Task::new(record, &bound))? {
                            return Ok(task);
                        }
                    }
                }
                () = tokio::time::sleep(engine.settings.poll_interval) => {}
                () = engine.stopped(), if !stopped => stopped = true,
            }
        }
    }

    /// The newest tasks that meet the filter. The next page begins `before` the last of this one.
    ///
    /// ```
    /// # use tasker::{Error, TaskFilter, TaskState, Tasker};
    /// async fn blocked(tasker: &Tasker) -> Result<usize, Error> {
    ///     let states = vec![TaskState::BlockedByFailures];
    ///     let tasks = tasker.list(TaskFilter { states, ..TaskFilter::default() }).await?;
    ///     Ok(tasks.len())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn list(&self, filter: TaskFilter) -> Result<Vec<TaskSummary>, Error> {
        let engine = self.engine();
        let mut summaries = Vec::new();
        let mut templates = HashMap::new();
        for head in engine.store.tasks(filter).await? {
            // Its names, and not the template itself: one that cannot be read spoils no list.
            let template = match templates.entry(head.template) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(engine.store.template(head.template).await?),
            };
            let named = |name: fn(&TemplateRecord) -> &String| {
                template.as_ref().map_or_else(|| "?".to_owned(), |template| name(template).clone())
            };
            summaries.push(TaskSummary {
                id: head.id,
                namespace: named(|template| &template.namespace),
                name: named(|template| &template.name),
                version: named(|template| &template.version),
                state: head.state,
                priority: head.priority,
                correlation_id: head.correlation_id,
                tags: head.origin.tags,
                context: head.context,
                created_at: head.created_at,
                settled_at: head.settled_at,
            });
        }
        Ok(summaries)
    }

    /// The workers of the store, of all processes: those that are alive, and dead ones that have not
    /// been forgotten.
    ///
    /// ```
    /// # use tasker::{Error, Tasker};
    /// async fn busy(tasker: &Tasker) -> Result<u32, Error> {
    ///     let workers = tasker.workers().await?;
    ///     Ok(workers.iter().filter(|worker| worker.alive).map(|worker| worker.running).sum())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn workers(&self) -> Result<Vec<WorkerRecord>, Error> {
        Ok(self.engine().store.workers().await?)
    }

    /// What this runtime is made of.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let tasker = tasker::Tasker::builder().store_url("memory:").build().await?;
    /// let description = tasker.describe();
    /// assert_eq!((description.store.as_str(), description.templates), ("memory:", 0));
    /// # tasker.shutdown().await;
    /// # Ok::<(), tasker::BuildError>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn describe(&self) -> Description {
        let engine = self.engine();
        let templates = engine.templates.current().len();
        Description { worker: engine.worker(), store: engine.store.name(), templates, info: engine.info() }
    }

    /// What happens from now on, for whoever wants to watch.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.engine().subscribe()
    }

    /// Ends the engine in order: claims no more, lets running handlers end for as long as the
    /// builder's grace period, hands the rest back. What was handed back does not count as an attempt.
    pub async fn shutdown(&self) {
        if let Err(error) = self.engine().shutdown(self.handle.grace).await {
            tracing::warn!(%error, "the worker could not sign off; others take its work over all the same");
        }
    }

    /// Whether nothing runs here any more. After a [`shutdown`](Self::shutdown) it is not so when a
    /// handler does not yield; such a one would also keep the program from ending.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let tasker = tasker::Tasker::builder().store_url("memory:").build().await?;
    /// tasker.shutdown().await;
    /// assert!(tasker.has_ended());
    /// # Ok::<(), tasker::BuildError>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.engine().has_ended()
    }
}

/// What a runtime is made of.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Description {
    /// Its worker, when it runs steps.
    pub worker: Option<WorkerId>,
    /// Its store, as people call it; no password.
    pub store: String,
    /// How many templates it can create tasks of.
    pub templates: usize,
    /// What its worker says of itself.
    #[serde(flatten)]
    pub info: WorkerInfo,
}

/// The task, when it is complete; an error, when it has settled in any other state.
fn settled_task(task: Task) -> Result<Option<Task>, Error> {
    match task.state {
        TaskState::Complete => Ok(Some(task)),
        TaskState::InProgress => Ok(None),
        _ => Err(Error::Failed(Box::new(TaskFailure(task)))),
    }
}

/// A task in a list.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TaskSummary {
    /// Its id.
    pub id: TaskId,
    /// Its template's namespace.
    pub namespace: String,
    /// Its template's name.
    pub name: String,
    /// Its template's version.
    pub version: String,
    /// Where it is.
    pub state: TaskState,
    /// Its place among others.
    pub priority: i32,
    /// What ties it to other work.
    pub correlation_id: Uuid,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Its input.
    pub context: Json,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it came into its state, if that is a settled one.
    pub settled_at: Option<Timestamp>,
}
