//! A task of a workflow: waiting for it, looking at it, cancelling it.

use std::fmt;
use std::marker::PhantomData;

use tasker_store::{ErrorRecord, TaskId};

use crate::client::error::Error;
use crate::client::operate::Operator;
use crate::client::task::{OutputError, Task, TaskFailure};
use crate::client::tasker::Tasker;
use crate::workflow::Workflow;

/// A task of the workflow `W`. The task runs whether or not anybody holds its handle.
pub struct Handle<W> {
    tasker: Tasker,
    id: TaskId,
    workflow: PhantomData<fn() -> W>,
}

impl<W: Workflow> Handle<W> {
    /// The handle of the task with this id, which must be one of the workflow.
    #[doc(hidden)]
    #[must_use]
    pub fn new(tasker: &Tasker, id: TaskId) -> Self {
        Self { tasker: tasker.clone(), id, workflow: PhantomData }
    }

    /// The task's id.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Waits until the task is complete, whichever process runs it, and returns the results of its steps.
    ///
    /// # Errors
    ///
    /// [`WorkflowError::Failed`] when the task settles in any other state; it says which steps failed.
    pub async fn wait(&self) -> Result<W::Completed, WorkflowError<W::Step>> {
        match self.tasker.wait(self.id).await {
            Ok(task) => Ok(W::completed(task)?),
            Err(Error::Failed(failure)) => {
                Err(WorkflowError::Failed(Box::new(WorkflowFailure::new::<W>(*failure))))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The task as it is now, with what it waits for.
    ///
    /// # Errors
    ///
    /// As [`Tasker::get_task`].
    pub async fn status(&self) -> Result<Task, Error> {
        self.tasker.get_task(self.id).await
    }

    /// Cancels the task.
    ///
    /// # Errors
    ///
    /// As [`Tasker::cancel`].
    pub async fn cancel(&self, operator: &Operator) -> Result<Task, Error> {
        self.tasker.cancel(self.id, operator).await
    }
}

impl<W> Clone for Handle<W> {
    fn clone(&self) -> Self {
        Self { tasker: self.tasker.clone(), id: self.id, workflow: PhantomData }
    }
}

impl<W> fmt::Debug for Handle<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why there are no results of a task; `S` names the steps of its workflow.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkflowError<S: fmt::Debug> {
    /// The task has settled in another state than `complete`.
    #[error(transparent)]
    Failed(Box<WorkflowFailure<S>>),
    /// The task is complete, but the result of a step cannot be read.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The task could not be waited for.
    #[error(transparent)]
    Tasker(#[from] Error),
}

/// A task that has settled in another state than `complete`, with its failed steps by name.
///
/// ```standalone_crate
/// # use tasker::prelude::*;
/// # #[step_handler("Docs::WorkflowGreet")]
/// # async fn greet(#[input("name")] name: String) -> String { format!("Hello, {name}!") }
/// # tasker::workflow! { pub greeting = "src/workflow/greeting.yaml" { greet } }
/// # async fn example(tasker: Tasker) -> Result<(), tasker::Error> {
/// use tasker::workflow::WorkflowError;
///
/// let handle = greeting::create(&tasker, &serde_json::json!({})).await?;
/// if let Err(WorkflowError::Failed(failure)) = handle.wait().await {
///     assert_eq!(failure.steps()[0].step, greeting::Step::Greet);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct WorkflowFailure<S> {
    steps: Vec<FailedStep<S>>,
    failure: TaskFailure,
}

/// A step that has failed for good.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FailedStep<S> {
    /// The step.
    pub step: S,
    /// The error of its last attempt.
    pub error: Option<ErrorRecord>,
}

impl<S> WorkflowFailure<S> {
    fn new<W: Workflow<Step = S>>(failure: TaskFailure) -> Self {
        let failed = failure.task().failed_steps();
        let steps = failed
            .filter_map(|failed| {
                Some(FailedStep { step: W::step(&failed.name)?, error: failed.error().cloned() })
            })
            .collect();
        Self { steps, failure }
    }

    /// The steps that have failed for good, in the order of the template. None when the task was cancelled or
    /// given up before one had.
    #[must_use]
    pub fn steps(&self) -> &[FailedStep<S>] {
        &self.steps
    }

    /// The task as it has settled.
    #[must_use]
    pub fn task(&self) -> &Task {
        self.failure.task()
    }
}

impl<S> fmt::Display for WorkflowFailure<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure.fmt(f)
    }
}

impl<S: fmt::Debug> std::error::Error for WorkflowFailure<S> {}
