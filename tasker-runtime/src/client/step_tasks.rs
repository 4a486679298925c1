//! Creating and reading tasks from within a handler.

use std::sync::{Arc, Weak};

use tasker_store::{TaskFilter, TaskId};
use uuid::Uuid;

use crate::client::error::Error;
use crate::client::look::TaskSummary;
use crate::client::new_task::NewTask;
use crate::client::task::Task;
use crate::client::{create, look};
use crate::engine::Engine;
use crate::handler::StepContext;

/// Tasks, for a handler: see [`StepContext::tasks`].
#[derive(Clone, Debug)]
pub struct StepTasks {
    engine: Weak<Engine>,
    /// The correlation id of the step's own task.
    correlation_id: Uuid,
}

impl StepContext {
    /// Creates and reads tasks from within a handler, as [`Tasker`](crate::Tasker) does outside.
    ///
    /// A step may be tried again after an attempt has created a task. With an idempotency key, every attempt
    /// gets the same task:
    ///
    /// ```
    /// use serde_json::json;
    /// use tasker::{Error, NewTask, StepContext, StepError, TaskId, step_handler};
    ///
    /// #[step_handler("Docs::ShipItem")]
    /// async fn ship(#[input("item")] item: u64, step: StepContext) -> Result<TaskId, StepError> {
    ///     let parcel = NewTask::new("shop", "parcel", &json!({ "item": item }));
    ///     match step.tasks().create(parcel.idempotency_key(step.idempotency_key())).await {
    ///         Err(Error::AlreadyExists { task: Some(id), .. }) => Ok(id),
    ///         created => Ok(created?),
    ///     }
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// In a call of the testing kit (`testing::call`) that has no runtime: set one with `tasker`.
    #[track_caller]
    #[must_use]
    pub fn tasks(&self) -> StepTasks {
        let Some(runtime) = self.runtime() else {
            panic!("`step.tasks()` needs a runtime: give the call one with `.tasker(&tasker)`");
        };
        // Outside of tests, only an engine makes attempts.
        let engine = runtime.upgrade().and_then(|runtime| runtime.downcast::<Engine>().ok());
        let engine = engine.as_ref().map(Arc::downgrade).unwrap_or_default();
        StepTasks { engine, correlation_id: self.correlation_id() }
    }
}

impl StepTasks {
    /// Creates a task, with the checks of [`Tasker::create_task`](crate::Tasker::create_task). It has the
    /// correlation id of the step's own task, and names that as its parent's, unless `task` says otherwise.
    /// The task is created at once, also when the attempt fails later.
    ///
    /// # Errors
    ///
    /// As [`Tasker::create_task`](crate::Tasker::create_task).
    pub async fn create(&self, mut task: NewTask) -> Result<TaskId, Error> {
        task.correlation_id.get_or_insert(self.correlation_id);
        task.origin.parent_correlation_id.get_or_insert(self.correlation_id);
        create::create(&self.engine()?, task).await
    }

    /// The task as it is now.
    ///
    /// # Errors
    ///
    /// As [`Tasker::get_task`](crate::Tasker::get_task).
    pub async fn get(&self, id: TaskId) -> Result<Task, Error> {
        look::task(&*self.engine()?, id).await
    }

    /// The newest tasks that meet the filter.
    ///
    /// # Errors
    ///
    /// As [`Tasker::list`](crate::Tasker::list).
    ///
    /// ```
    /// # use tasker::{StepContext, StepError, TaskFilter};
    /// async fn siblings(step: &StepContext) -> Result<usize, StepError> {
    ///     let filter = TaskFilter::new().correlation_id(step.correlation_id());
    ///     Ok(step.tasks().list(filter).await?.len())
    /// }
    /// ```
    pub async fn list(&self, filter: TaskFilter) -> Result<Vec<TaskSummary>, Error> {
        look::list(&*self.engine()?, filter).await
    }

    fn engine(&self) -> Result<Arc<Engine>, Error> {
        self.engine.upgrade().ok_or(Error::ShutDown)
    }
}
