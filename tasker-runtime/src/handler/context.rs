//! The context of an attempt, which a handler can take.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tasker_store::{Claim, Json, JsonError, TaskId, read_json};
use tasker_template::{StepIndex, TaskTemplate};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::build::payload_limits::{PayloadLimits, result_refused};
use crate::handler::cancelled::Cancelled;
use crate::handler::config::{self, Config};
use crate::handler::extract::States;
use crate::handler::result_writes::ResultWrites;
use crate::handler::step_error::StepError;
use crate::handler::{FromStep as _, State, StepFuture, StepOutcome};

/// The context of an attempt: its task, its step, its number, and the data that it may read. Cheap to clone.
///
/// ```
/// use tasker::{StepContext, step_handler};
///
/// #[step_handler("Charge")]
/// async fn charge(#[input("amount")] cents: u64, context: StepContext) -> String {
///     // The same for every attempt of this step, so that charging twice is charging once.
///     format!("charged {cents} under {}", context.idempotency_key())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct StepContext {
    task: Arc<TaskFacts>,
    step: Arc<StepFacts>,
    run: RunFacts,
    inputs: StepInputs,
    states: Arc<States>,
    cancellation: CancellationToken,
    writes: ResultWrites,
    limits: PayloadLimits,
    runtime: Runtime,
}

/// The engine that makes an attempt, without its type, for the client's [`StepContext::tasks`]. Weak, so that
/// no handler keeps the engine alive; `None` where a test calls a handler without one.
pub(crate) type Runtime = Option<Weak<dyn Any + Send + Sync>>;

/// What all steps of a task share.
#[derive(Debug)]
pub(crate) struct TaskFacts {
    pub(crate) id: TaskId,
    pub(crate) correlation_id: Uuid,
    pub(crate) context: Json,
}

/// What all attempts of a template's step share.
#[derive(Debug)]
pub(crate) struct StepFacts {
    pub(crate) template: Arc<TaskTemplate>,
    pub(crate) index: StepIndex,
    /// The steps whose results the handler can read, in the order in which the engine passes them.
    pub(crate) reads: Vec<(String, StepIndex)>,
}

/// The run that the attempt belongs to, and the attempt's number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunFacts {
    /// The number of the run, from 1; 0 for the only run of an ordinary step.
    pub(crate) instance: u32,
    /// The number of the attempt, from 1.
    pub(crate) attempt: u32,
    /// Attempts before an operator renewed the budget.
    pub(crate) attempts_before_reset: u32,
}

impl From<&Claim> for RunFacts {
    fn from(claim: &Claim) -> Self {
        let Claim { key, attempt, attempts_before_reset, .. } = *claim;
        Self { instance: key.instance, attempt, attempts_before_reset }
    }
}

/// The results that the handler can read, in the order of [`StepFacts::reads`].
pub(crate) type StepInputs = Arc<[Option<Json>]>;

impl StepContext {
    pub(crate) fn new(
        task: Arc<TaskFacts>,
        step: Arc<StepFacts>,
        run: RunFacts,
        inputs: StepInputs,
        states: Arc<States>,
        cancellation: CancellationToken,
        runtime: Runtime,
    ) -> Self {
        let (writes, limits) = (ResultWrites::default(), PayloadLimits::default());
        Self { task, step, run, inputs, states, cancellation, writes, limits, runtime }
    }

    /// With these limits of the result.
    pub(crate) fn with_limits(self, limits: PayloadLimits) -> Self {
        Self { limits, ..self }
    }

    /// What the handler has returned, as the outcome of the attempt.
    pub(crate) fn outcome<T: Serialize + ?Sized>(&self, result: &T) -> StepOutcome {
        match self.limits.write_result(result) {
            Ok(json) => StepOutcome::Complete(json),
            Err(error) => StepOutcome::Fail(result_refused(self.step_name(), &error)),
        }
    }

    /// The task.
    #[must_use]
    pub fn task_id(&self) -> TaskId {
        self.task.id
    }

    /// The id that the task shares with related work; by default the task's own id.
    #[must_use]
    pub fn correlation_id(&self) -> Uuid {
        self.task.correlation_id
    }

    /// The template that the task was created from.
    #[must_use]
    pub fn template(&self) -> &TaskTemplate {
        &self.step.template
    }

    /// The step's name in the template.
    #[must_use]
    pub fn step_name(&self) -> &str {
        &self.step().name
    }

    fn step(&self) -> &tasker_template::StepTemplate {
        &self.step.template.steps[self.step.index as usize]
    }

    /// The number of this attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.run.attempt
    }

    /// How many attempts the step has in all; more than the template says once an operator has
    /// renewed its budget.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.run.attempts_before_reset.saturating_add(self.step().retry.attempts())
    }

    /// Whether a failure of this attempt is final.
    #[must_use]
    pub fn is_last_attempt(&self) -> bool {
        self.run.attempt >= self.max_attempts()
    }

    /// An idempotency key that all attempts of this run share, and no other run has. Pass it to external
    /// services, so that they recognize a repeated call.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        let (task, step) = (self.task.id, &self.step().name);
        match self.run.instance {
            0 => format!("{task}/{step}"),
            instance => format!("{task}/{step}#{instance:03}"),
        }
    }

    /// A value of `handler.initialization` in the template.
    ///
    /// # Errors
    ///
    /// When there is no value of this name, or it is not a `T`. The error is permanent, with the code
    /// `INVALID_CONFIG`.
    pub fn config<T: DeserializeOwned>(&self, key: &str) -> Result<T, StepError> {
        config::read(self.configuration(), Some(key))
    }

    /// The values that the template gives to the step's handler.
    pub(crate) fn configuration(&self) -> &Config {
        &self.step().handler.initialization
    }

    /// A value that the application gave to the builder.
    ///
    /// # Errors
    ///
    /// When it gave none of this type; the error is permanent.
    /// [`StepHandler::requires`](crate::StepHandler::requires) has this checked at the start.
    pub fn state<T: Clone + Send + Sync + 'static>(&self) -> Result<T, StepError> {
        State::from_step(self).map(|State(value)| value)
    }

    /// Makes the attempt with this function, for a [`StepHandler`](crate::StepHandler) that is written by hand.
    pub fn attempt_with<F, T, E>(self, handler: impl FnOnce(Self) -> F) -> StepFuture
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Serialize,
        E: Into<StepError>,
    {
        let future = handler(self.clone());
        Box::pin(async move {
            match future.await {
                Ok(value) => self.outcome(&value),
                Err(error) => StepOutcome::Fail(error.into()),
            }
        })
    }

    /// The task's context as a `T`.
    ///
    /// # Errors
    ///
    /// When it is no `T`; the error is permanent.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T, StepError> {
        self.task.context.to().map_err(|error| invalid("the task's context", &error))
    }

    /// One field of the task's context as a `T`. A field that is missing reads as `null`.
    ///
    /// # Errors
    ///
    /// When it is no `T`; the error is permanent.
    pub fn input_field<T: DeserializeOwned>(&self, name: &str) -> Result<T, StepError> {
        let fields: BTreeMap<String, &RawValue> =
            serde_json::from_str(self.task.context.get()).map_err(|_| {
                StepError::permanent("the task's context is no JSON object").with_code(INVALID_INPUT)
            })?;
        match fields.get(name) {
            Some(value) => read_json(value.get())
                .map_err(|error| invalid(&format!("`{name}` of the task's context"), &error)),
            None => serde_json::from_str("null").map_err(|_| {
                StepError::permanent(format!("the task's context has no `{name}`")).with_code(INVALID_INPUT)
            }),
        }
    }

    /// The result of another step as a `T`.
    ///
    /// # Errors
    ///
    /// When the step has no result, or is not an ancestor of this one; the error is permanent. When its result
    /// is no `T`, the error is retryable, with the code `INCOMPATIBLE_RESULT`: another version of the program,
    /// which knows the type that was recorded, may still read it.
    pub fn dependency<T: DeserializeOwned>(&self, step: &str) -> Result<T, StepError> {
        let missing =
            || StepError::permanent(format!("step `{step}` has no result")).with_code("MISSING_DEPENDENCY");
        self.optional_dependency(step)?.ok_or_else(missing)
    }

    /// The result of another step as a `T`, if it has one; `None` also when the template has no such step.
    ///
    /// # Errors
    ///
    /// When the step is not an ancestor of this one; the error is permanent. When its result is no `T`, the error
    /// is retryable, as that of [`dependency`](Self::dependency).
    pub fn optional_dependency<T: DeserializeOwned>(&self, step: &str) -> Result<Option<T>, StepError> {
        let position = self.step.reads.iter().position(|(name, _)| name == step);
        let Some(result) = position.and_then(|position| self.inputs.get(position)) else {
            if !self.template().steps.iter().any(|one| one.name == step) {
                return Ok(None);
            }
            let message = format!("step `{step}` is not among those that `{}` waits for", self.step_name());
            return Err(StepError::permanent(message).with_code("MISSING_DEPENDENCY"));
        };
        let read = |json: &Json| json.to().map_err(|error| incompatible(step, &error));
        result.as_ref().map(read).transpose()
    }

    /// Completes when the attempt should end early:
    ///
    /// - The worker is shutting down. When the handler then returns a retryable error, its step is handed
    ///   back and the attempt does not count.
    /// - The step's time is over, or an operator has cancelled the task or ended the step by hand. What the
    ///   handler returns is dropped, and the handler itself is ended after the builder's grace period.
    ///
    /// A function that is not async can only look at [`is_cancelled`](Self::is_cancelled). It cannot be ended
    /// from outside: when its time is over, the next attempt may begin while it still runs.
    pub fn cancelled(&self) -> Cancelled {
        Cancelled::new(self.cancellation.clone())
    }

    /// Whether the attempt should end early.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    /// With the list to which the handler adds the statements of its result.
    #[cfg(feature = "testing")]
    pub(crate) fn with_writes(self, writes: ResultWrites) -> Self {
        Self { writes, ..self }
    }

    /// The statements to commit together with the result.
    pub(crate) fn writes(&self) -> &ResultWrites {
        &self.writes
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn states(&self) -> &States {
        &self.states
    }
}

/// The code of errors for input that does not have the form that the handler expects.
pub(crate) const INVALID_INPUT: &str = "INVALID_INPUT";

/// The code of errors for a result that does not have the form that its reader expects. The error's context
/// names the step and the field. The engine adds who recorded it.
pub(crate) const INCOMPATIBLE_RESULT: &str = "INCOMPATIBLE_RESULT";

/// Retryable: the result is as another version of the program has recorded it, and the step may be taken by a
/// worker that can read it.
fn incompatible(step: &str, error: &JsonError) -> StepError {
    StepError::retryable(format!("the result of step `{step}` cannot be read: {error}"))
        .with_code(INCOMPATIBLE_RESULT)
        .with_context(serde_json::json!({ "step": step, "field": error.path() }))
}

fn invalid(what: &str, error: &JsonError) -> StepError {
    StepError::permanent(format!("{what} cannot be read: {error}")).with_code(INVALID_INPUT)
}
