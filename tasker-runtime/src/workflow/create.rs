//! Creating a task of a workflow.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tasker_store::TaskId;
use uuid::Uuid;

use crate::client::error::{ContextError, Error};
use crate::client::new_task::{IdentityStrategy, NewTask};
use crate::client::tasker::Tasker;
use crate::handler::StepError;
use crate::workflow::Workflow;
use crate::workflow::handle::Handle;

#[cfg(feature = "postgres")]
pub use tasker_postgres::Executor;

/// The caller's transaction; without the feature `postgres` there is none.
#[cfg(not(feature = "postgres"))]
#[diagnostic::on_unimplemented(
    message = "`create_in` needs the feature `postgres` of tasker",
    note = "it creates a task in the caller's transaction, which must be on PostgreSQL"
)]
pub trait Executor: Send {}

/// A task of the workflow `W` that is about to be created. Awaiting it creates the task.
///
/// ```standalone_crate
/// # use tasker::prelude::*;
/// # #[step_handler("Docs::WorkflowGreet")]
/// # async fn greet(#[input("name")] name: String) -> String { format!("Hello, {name}!") }
/// # tasker::workflow! { pub greeting = "src/workflow/greeting.yaml" { greet } }
/// # async fn example(tasker: Tasker) -> Result<(), Box<dyn std::error::Error>> {
/// let input = serde_json::json!({ "name": "Ada" });
/// let handle = greeting::create(&tasker, &input).idempotency_key("ada-1").priority(5).await?;
/// assert_eq!(handle.wait().await?.greet, "Hello, Ada!");
/// # Ok(()) }
/// ```
#[must_use = "the task is created when this is awaited"]
pub struct Create<'t, W> {
    tasker: &'t Tasker,
    task: NewTask,
    /// Why the input is refused.
    refused: Option<StepError>,
    transaction: Option<&'t mut dyn Executor>,
    workflow: PhantomData<fn() -> W>,
}

impl<'t, W: Workflow> Create<'t, W> {
    /// With what the validation of the input has found.
    #[doc(hidden)]
    pub fn new<I: Serialize + ?Sized>(tasker: &'t Tasker, input: &I, valid: Result<(), StepError>) -> Self {
        let task = NewTask::new(W::NAMESPACE, W::NAME, input).version(W::VERSION);
        Self { tasker, task, refused: valid.err(), transaction: None, workflow: PhantomData }
    }

    /// In the caller's own transaction.
    #[doc(hidden)]
    pub fn within(mut self, transaction: &'t mut dyn Executor) -> Self {
        self.transaction = Some(transaction);
        self
    }

    fn with(mut self, set: impl FnOnce(NewTask) -> NewTask) -> Self {
        self.task = set(self.task);
        self
    }

    /// As [`NewTask::idempotency_key`].
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.with(|task| task.idempotency_key(key))
    }

    /// As [`NewTask::identity`].
    pub fn identity(self, strategy: IdentityStrategy) -> Self {
        self.with(|task| task.identity(strategy))
    }

    /// As [`NewTask::correlation_id`].
    pub fn correlation_id(self, id: Uuid) -> Self {
        self.with(|task| task.correlation_id(id))
    }

    /// As [`NewTask::parent_correlation_id`].
    pub fn parent_correlation_id(self, id: Uuid) -> Self {
        self.with(|task| task.parent_correlation_id(id))
    }

    /// As [`NewTask::run_at`].
    pub fn run_at(self, time: Timestamp) -> Self {
        self.with(|task| task.run_at(time))
    }

    /// As [`NewTask::run_in`].
    pub fn run_in(self, delay: Duration) -> Self {
        self.with(|task| task.run_in(delay))
    }

    /// As [`NewTask::priority`]: from -100 to 100.
    pub fn priority(self, priority: i32) -> Self {
        self.with(|task| task.priority(priority))
    }

    /// As [`NewTask::tag`]; may be given several times.
    pub fn tag(self, tag: impl Into<String>) -> Self {
        self.with(|task| task.tag(tag))
    }

    /// As [`NewTask::initiator`].
    pub fn initiator(self, name: impl Into<String>) -> Self {
        self.with(|task| task.initiator(name))
    }

    /// As [`NewTask::source_system`].
    pub fn source_system(self, name: impl Into<String>) -> Self {
        self.with(|task| task.source_system(name))
    }

    /// As [`NewTask::reason`].
    pub fn reason(self, reason: impl Into<String>) -> Self {
        self.with(|task| task.reason(reason))
    }

    /// The runtime, for the command line.
    #[doc(hidden)]
    pub fn tasker(&self) -> &'t Tasker {
        self.tasker
    }

    /// Whether the task is created in the caller's own transaction, for the command line.
    #[doc(hidden)]
    pub fn is_in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// The task with all that was said of it, for the command line.
    ///
    /// # Errors
    ///
    /// When the input is refused.
    #[doc(hidden)]
    pub fn into_task(self) -> Result<NewTask, Error> {
        match self.refused {
            Some(error) => Err(ContextError::invalid(&error).into()),
            None => Ok(self.task),
        }
    }

    async fn create(mut self) -> Result<Handle<W>, Error> {
        let (tasker, transaction) = (self.tasker, self.transaction.take());
        let task = self.into_task()?;
        let id = match transaction {
            None => tasker.create_task(task).await?,
            Some(transaction) => create_in(tasker, transaction, task).await?,
        };
        Ok(Handle::new(tasker, id))
    }
}

#[cfg(feature = "postgres")]
async fn create_in(tasker: &Tasker, transaction: &mut dyn Executor, task: NewTask) -> Result<TaskId, Error> {
    tasker.create_task_in(transaction, task).await
}

#[cfg(not(feature = "postgres"))]
async fn create_in(_: &Tasker, _: &mut dyn Executor, _: NewTask) -> Result<TaskId, Error> {
    unreachable!("nothing implements `Executor`")
}

impl<'t, W: Workflow> IntoFuture for Create<'t, W> {
    type Output = Result<Handle<W>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 't>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.create())
    }
}

impl<W> fmt::Debug for Create<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Create").field("task", &self.task).finish_non_exhaustive()
    }
}
