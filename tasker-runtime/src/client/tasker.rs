//! The application's handle on a running runtime: creating tasks, reading them, waiting for them.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tasker_store::{TaskFilter, TaskId, WorkerId, WorkerInfo, WorkerRecord, chain};

use crate::build::builder::Builder;
use crate::client::error::Error;
use crate::client::event::Events;
use crate::client::look::{self, TaskSummary};
use crate::client::new_task::NewTask;
use crate::client::task::Task;
use crate::client::{create, wait};
use crate::engine::Engine;

/// A running Tasker. Clones share one engine. When the last clone is dropped, running handlers are ended at
/// once, and the next worker runs their steps again. Call [`shutdown`](Self::shutdown) first to let handlers
/// end.
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
/// let builder = Tasker::builder().template_str("greeting.yaml", TEMPLATE).store_url("memory:");
/// let tasker = builder.build().await?;
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

    /// The engine, for the contexts of handlers.
    #[cfg(feature = "testing")]
    pub(crate) fn runtime(&self) -> std::sync::Weak<dyn std::any::Any + Send + Sync> {
        Arc::<Engine>::downgrade(self.engine())
    }

    /// Creates a task. Once this has returned, the task survives any crash, and will be run.
    ///
    /// # Errors
    ///
    /// When there is no such template; when the context is not a JSON object, is too large, or does not fit
    /// the template's `input_schema`; when there is a task of the same identity ([`Error::AlreadyExists`]);
    /// when the store fails, or the runtime has been shut down.
    pub async fn create_task(&self, task: NewTask) -> Result<TaskId, Error> {
        create::create(self.engine(), task).await
    }

    /// Creates a task within the caller's own transaction: the task exists once that is committed, together
    /// with the caller's own writes, and is run from then on.
    ///
    /// The transaction must be on the store's database, which must be PostgreSQL.
    ///
    /// # Errors
    ///
    /// As [`create_task`](Self::create_task). After [`Error::AlreadyExists`] the transaction can still be
    /// used and committed. [`Error::Transaction`] when the statement fails.
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
    #[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
    pub async fn create_task_in(
        &self,
        transaction: &mut dyn tasker_postgres::Executor,
        task: NewTask,
    ) -> Result<TaskId, Error> {
        create::create_in(self.engine(), transaction, task).await
    }

    /// The task as it is now, with what it waits for.
    ///
    /// # Errors
    ///
    /// When there is no such task, or the store fails.
    pub async fn get_task(&self, id: TaskId) -> Result<Task, Error> {
        look::task_with_waits(self.engine(), id).await
    }

    /// Waits until the task is complete, whichever process runs it.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`], with the task, when it settles in any other state. Also when there is no
    /// such task, the store fails, or the runtime is shut down before the task settles.
    pub async fn wait(&self, id: TaskId) -> Result<Task, Error> {
        wait::wait(self.engine(), id).await
    }

    /// The newest tasks that meet the filter. The next page begins `before` the last of this one.
    ///
    /// ```
    /// # use tasker::{Error, TaskFilter, TaskState, Tasker};
    /// async fn blocked(tasker: &Tasker) -> Result<usize, Error> {
    ///     let tasks = tasker.list(TaskFilter::new().states([TaskState::BlockedByFailures])).await?;
    ///     Ok(tasks.len())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn list(&self, filter: TaskFilter) -> Result<Vec<TaskSummary>, Error> {
        look::list(self.engine(), filter).await
    }

    /// Whether a worker of this runtime's environment runs the task.
    #[doc(hidden)]
    pub async fn serves_environment_of(&self, id: TaskId) -> Result<bool, Error> {
        let engine = self.engine();
        let record = engine.store.task(id).await?.ok_or(Error::UnknownTask(id))?;
        let bound = engine.templates.get(record.head.template, &*engine.store).await?;
        Ok(bound.template.runs_in(engine.settings.environment.as_deref()))
    }

    /// Those of the tasks that were there before this runtime which it has claimed steps of and which have settled
    /// since, the oldest first.
    #[doc(hidden)]
    pub async fn settled_earlier_tasks(&self) -> Result<Vec<Task>, Error> {
        let engine = self.engine();
        let mut settled = Vec::new();
        for id in engine.earlier_tasks.candidates() {
            let Some(record) = engine.store.task(id).await? else { continue };
            if engine.earlier_tasks.is_earlier(record.head.created_at) && record.head.settled_at.is_some() {
                settled.push(look::task(engine, id).await?);
            }
        }
        Ok(settled)
    }

    /// The workers of the store, of all processes: those that are alive, and dead ones that the store has not
    /// forgotten yet.
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

    /// Describes this runtime.
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

    /// The events of this runtime from now on. See [`Events`].
    #[must_use]
    pub fn subscribe(&self) -> Events {
        Events::new(self.engine().subscribe())
    }

    /// Shuts the engine down: it claims nothing more, gives running handlers the builder's grace period to
    /// end, and hands the other claims back. A claim that was handed back does not count as an attempt.
    pub async fn shutdown(&self) {
        if let Err(error) = self.engine().shutdown(self.handle.grace).await {
            let error = chain(&error);
            tracing::warn!(%error, "the worker could not sign off; others take its work over all the same");
        }
    }

    /// The grace period: how long a [`shutdown`](Self::shutdown) lets handlers run.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use std::time::Duration;
    /// let builder = tasker::Tasker::builder().store_url("memory:").grace_period(Duration::from_secs(30));
    /// let tasker = builder.build().await?;
    /// assert_eq!(tasker.grace_period(), Duration::from_secs(30));
    /// # tasker.shutdown().await;
    /// # Ok::<(), tasker::BuildError>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn grace_period(&self) -> Duration {
        self.handle.grace
    }

    /// Whether everything here has ended. It is `false` after a [`shutdown`](Self::shutdown) while a handler
    /// still blocks its thread; such a handler also keeps the program from ending.
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

/// The description of a runtime: its store, its templates and its worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Description {
    /// Its worker; `None` when it runs no steps.
    pub worker: Option<WorkerId>,
    /// The name of its store in messages, without a password.
    pub store: String,
    /// The number of templates of which it can create tasks.
    pub templates: usize,
    /// What its worker says of itself.
    #[serde(flatten)]
    pub info: WorkerInfo,
}
