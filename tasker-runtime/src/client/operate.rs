//! Operators' actions on tasks, from any process that has the store open. Who acted and why is recorded.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tasker_store::{
    Acted, ActionRequest, AttemptOutcome, AttemptRecord, DeadLetterReason, DeadLetterStatus, OperatorAction,
    Refusal, StepKey, StepState, TaskFilter, TaskId, TaskRecord, TaskState,
};
use tasker_template::{StepIndex, nearest};

use crate::build::bind::BoundTemplate;
use crate::build::payload_limits::result_refused;
use crate::client::create;
use crate::client::error::Error;
use crate::client::needs::{self, Needs};
use crate::client::new_task::written_context;
use crate::client::stale::{self, TaskAge};
use crate::client::task::Task;
use crate::client::tasker::Tasker;
use crate::client::text;

/// Who asks for an action, and why; both are recorded with the task.
///
/// ```
/// let operator = tasker::operate::Operator::new("ada").because("the card was replaced");
/// assert_eq!(operator.reason(), "the card was replaced");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    by: String,
    reason: String,
}

/// Which failed steps are tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryScope {
    /// This one.
    Step(String),
    /// This one, and the failed ones among the steps that depend on it, directly or indirectly.
    Downstream(String),
    /// All failed steps. A task that was cancelled or given up is reopened as a whole, with any scope: every
    /// step that is not complete runs again.
    All,
}

/// The effect of a retry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RetryPlan {
    /// The steps that are tried again, with a fresh budget of attempts.
    pub retried: Vec<String>,
    /// The steps that depend on those, and run after them.
    pub then: Vec<String>,
}

impl Operator {
    /// An operator, by name.
    #[must_use]
    pub fn new(by: impl Into<String>) -> Self {
        Self { by: by.into(), reason: "no reason given".to_owned() }
    }

    /// Sets the reason, which is recorded with the action.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    /// The reason that is recorded.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// Operators' actions. Each is atomic: it is done and recorded, or nothing is changed.
impl Tasker {
    /// Ends a task. Running handlers are told through
    /// [`StepContext::cancelled`](crate::StepContext::cancelled), and ended after the grace period.
    ///
    /// # Errors
    ///
    /// [`Error::NotPossible`] when the task is over. When there is no such task, or the store fails.
    pub async fn cancel(&self, id: TaskId, operator: &Operator) -> Result<Task, Error> {
        let (_, bound) = self.look_up(id).await?;
        self.act(id, &bound, OperatorAction::Cancel, operator).await
    }

    /// Tries failed steps again, each with a fresh budget of attempts. Complete steps remain complete, and
    /// the steps that depend on the retried ones run after them.
    ///
    /// # Errors
    ///
    /// [`Error::NotPossible`] when nothing in the scope has failed. When there is no such task or step,
    /// or the store fails.
    ///
    /// ```
    /// # use tasker::{Error, TaskId, Tasker, operate::{Operator, RetryScope}};
    /// async fn card_replaced(tasker: &Tasker, id: TaskId) -> Result<(), Error> {
    ///     let operator = Operator::new("ada").because("the card was replaced");
    ///     tasker.retry(id, &RetryScope::Step("charge".to_owned()), &operator).await?;
    ///     tasker.wait(id).await.map(drop)
    /// }
    /// ```
    pub async fn retry(&self, id: TaskId, scope: &RetryScope, operator: &Operator) -> Result<Task, Error> {
        let (record, bound) = self.look_up_for_retry(id, scope).await?;
        let steps = retried(&record, &bound, scope)?;
        let numbered = steps.iter().flat_map(|step| runs_to_retry(&record, *step)).map(|run| {
            let attempts = record.attempts.iter().filter(|attempt| attempt.key == run);
            (run, attempts.map(|attempt| attempt.attempt).max().unwrap_or_default())
        });
        self.act(id, &bound, OperatorAction::Retry { runs: numbered.collect() }, operator).await
    }

    /// The effect that [`retry`](Self::retry) would have now. Changes nothing.
    ///
    /// # Errors
    ///
    /// As `retry`.
    pub async fn plan_retry(&self, id: TaskId, scope: &RetryScope) -> Result<RetryPlan, Error> {
        let (record, bound) = self.look_up_for_retry(id, scope).await?;
        let steps = retried(&record, &bound, scope)?;
        let names = |steps: &[StepIndex]| -> Vec<String> {
            steps.iter().map(|step| bound.template.steps[*step as usize].name.clone()).collect()
        };
        let task = Task::new(record, &bound);
        let is_open = |step: &StepIndex| !is_done(task.steps[*step as usize].state) && !steps.contains(step);
        let then: Vec<StepIndex> = downstream(&bound, &steps).into_iter().filter(is_open).collect();
        Ok(RetryPlan { retried: names(&steps), then: names(&then) })
    }

    /// Runs a step now that waits for its next attempt.
    ///
    /// # Errors
    ///
    /// [`Error::NotPossible`] when the step does not wait. When there is no such task or step, or the
    /// store fails.
    pub async fn retry_now(&self, id: TaskId, step: &str, operator: &Operator) -> Result<Task, Error> {
        let (_, bound) = self.look_up(id).await?;
        let step = index(&bound, id, step)?;
        self.act(id, &bound, OperatorAction::RetryNow { run: step.into() }, operator).await
    }

    /// Completes a step with this result, which the steps that depend on it read. A running attempt of the
    /// step is told to end, and its answer is dropped. A step that was resolved can still be given its result,
    /// while no step that may read it has begun or completed without it.
    ///
    /// # Errors
    ///
    /// [`Error::NotPossible`] when the step is done, or its dependencies are not.
    /// [`Error::ResultRefused`] when the result breaks the step's `result_schema` or a limit. When
    /// there is no such task or step, or the store fails.
    pub async fn complete_step<T: Serialize + ?Sized>(
        &self,
        id: TaskId,
        step: &str,
        result: &T,
        operator: &Operator,
    ) -> Result<Task, Error> {
        let (record, bound) = self.look_up_whole(id).await?;
        let index = index(&bound, id, step)?;
        let refused = |reason: String| Error::ResultRefused { task: id, step: step.to_owned(), reason };
        let limits = self.engine().settings.payload_limits;
        let result = limits.write_result(result);
        let result = result.map_err(|error| refused(result_refused(step, &error).message()))?;
        let own = &bound.steps[index as usize];
        own.check_result(&result, limits).map_err(|error| refused(error.message()))?;
        let run = StepKey::from(index);
        let resolved =
            |one: &AttemptRecord| one.key == run && one.outcome == AttemptOutcome::ResolvedManually;
        let action = if record.attempts.iter().any(resolved) {
            OperatorAction::GiveResult { run, result, readers: needs::readers(&bound, index) }
        } else {
            OperatorAction::Complete { run, result, graph: Arc::clone(bound.plan.graph()) }
        };
        self.act(id, &bound, action, operator).await
    }

    /// Marks a step as done without a result, so that the steps which depend on it can run, unless one of them
    /// needs the result. A running attempt of the step is told to end, and its answer is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::ResultNeeded`] when the handler of a step that is not done needs the result, or when that is
    /// not known, because this program has no handler for a step that depends on this one, or has one that does
    /// not declare what it reads. [`Error::NotPossible`] when the step is done, or its dependencies are not.
    /// When there is no such task or step, or the store fails.
    pub async fn resolve_step(&self, id: TaskId, step: &str, operator: &Operator) -> Result<Task, Error> {
        let (record, bound) = self.look_up_whole(id).await?;
        let resolved = index(&bound, id, step)?;
        let task = Task::new(record, &bound);
        let needs = needs::of(&bound, resolved, |step| is_done(task.steps[step as usize].state));
        if !is_done(task.steps[resolved as usize].state) && !needs.is_nothing() {
            let Needs { needed_by, unknown } = needs;
            return Err(Error::ResultNeeded { task: id, step: step.to_owned(), needed_by, unknown });
        }
        self.resolve_step_anyway(id, step, operator).await
    }

    /// As [`resolve_step`](Self::resolve_step), whoever needs the result. A step that needs it fails with the
    /// code `MISSING_DEPENDENCY`; it can be retried once the result was given by
    /// [`complete_step`](Self::complete_step).
    ///
    /// # Errors
    ///
    /// As `resolve_step`, but for [`Error::ResultNeeded`].
    ///
    /// ```
    /// # use tasker::{Error, TaskId, Tasker, operate::Operator};
    /// async fn go_on_without_a_discount(tasker: &Tasker, id: TaskId) -> Result<(), Error> {
    ///     let operator = Operator::new("ada").because("the discount service is gone");
    ///     tasker.resolve_step_anyway(id, "discount", &operator).await.map(drop)
    /// }
    /// ```
    pub async fn resolve_step_anyway(
        &self,
        id: TaskId,
        step: &str,
        operator: &Operator,
    ) -> Result<Task, Error> {
        let (_, bound) = self.look_up_whole(id).await?;
        let step = index(&bound, id, step)?;
        let graph = Arc::clone(bound.plan.graph());
        let action = OperatorAction::Resolve { run: step.into(), graph };
        self.act(id, &bound, action, operator).await
    }

    /// Replaces the context of a task that is not complete; it may be cancelled or given up. Attempts that begin
    /// later read the new one; what is complete stays as it is. Steps that have failed are not tried again by
    /// this: see [`retry`](Self::retry). The task's [identity](crate::IdentityStrategy) stays that of the context
    /// that it was created with.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidContext`] when the context is not a JSON object, breaks a limit, or does not fit the
    /// template's `input_schema`. [`Error::NotPossible`] when the task is complete, or an attempt of it is running.
    /// When there is no such task, or the store fails.
    ///
    /// ```
    /// # use tasker::{Error, TaskId, Tasker, operate::{Operator, RetryScope}};
    /// async fn correct(tasker: &Tasker, id: TaskId) -> Result<(), Error> {
    ///     let operator = Operator::new("ada").because("the address had a typing error");
    ///     let context = serde_json::json!({ "email": "ada@example.com" });
    ///     tasker.amend(id, &context, &operator).await?;
    ///     tasker.retry(id, &RetryScope::All, &operator).await.map(drop)
    /// }
    /// ```
    pub async fn amend<T: Serialize + ?Sized>(
        &self,
        id: TaskId,
        context: &T,
        operator: &Operator,
    ) -> Result<Task, Error> {
        let (_, bound) = self.look_up_whole(id).await?;
        let context = create::checked_context(self.engine(), &bound, written_context(context))?;
        self.act(id, &bound, OperatorAction::Amend { context }, operator).await
    }

    /// Ends a task in the state `error`: it is not worth more attempts. The task has a pending
    /// [dead letter](crate::operate::DeadLetter) until an operator sets its status with
    /// [`investigate`](Self::investigate), or reopens the task with [`retry`](Self::retry).
    ///
    /// # Errors
    ///
    /// [`Error::NotPossible`] when the task is over. When there is no such task, or the store fails.
    pub async fn give_up(&self, id: TaskId, operator: &Operator) -> Result<Task, Error> {
        let (_, bound) = self.look_up(id).await?;
        self.act(id, &bound, OperatorAction::GiveUp { reason: DeadLetterReason::ManualDlq }, operator).await
    }

    /// Sets the status of the [dead letter](crate::operate::DeadLetter) of a task that was given up, with the
    /// operator's reason as its notes. Nothing else of the task changes.
    ///
    /// # Errors
    ///
    /// [`Error::NotPossible`] when the task is in another state than `error`. When there is no such task, or
    /// the store fails.
    ///
    /// ```
    /// # use tasker::{Error, TaskId, Tasker, operate::{DeadLetterStatus, Operator}};
    /// async fn paid_back(tasker: &Tasker, id: TaskId) -> Result<(), Error> {
    ///     let operator = Operator::new("ada").because("the customer was paid back");
    ///     tasker.investigate(id, DeadLetterStatus::ManuallyResolved, &operator).await.map(drop)
    /// }
    /// ```
    pub async fn investigate(
        &self,
        id: TaskId,
        status: DeadLetterStatus,
        operator: &Operator,
    ) -> Result<Task, Error> {
        let (_, bound) = self.look_up(id).await?;
        self.act(id, &bound, OperatorAction::Investigate { status }, operator).await
    }

    /// Deletes tasks that have been over for longer than `age`, at most `limit` of them. Returns their
    /// number. Blocked tasks are not over, and are kept.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn prune(&self, age: Duration, limit: usize) -> Result<usize, Error> {
        let engine = self.engine();
        let Ok(settled_before) = engine.clock.now().checked_sub(age) else { return Ok(0) };
        Ok(engine.prune(settled_before, limit).await?)
    }

    /// How long the unfinished tasks that meet the filter have waited for what they wait for now. The
    /// filter's states are ignored. A task that waits for nothing is left out.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn task_ages(&self, filter: TaskFilter) -> Result<Vec<TaskAge>, Error> {
        let engine = self.engine();
        let filter = filter.states([TaskState::InProgress]);
        let mut ages = Vec::new();
        for head in engine.store.tasks(filter).await? {
            let Ok(bound) = engine.templates.get(head.template, &*engine.store).await else { continue };
            let Some(record) = engine.store.task(head.id).await? else { continue };
            let lifecycle = engine.lifecycle_of(&bound.template);
            ages.extend(stale::look(&record, &lifecycle, engine.clock.now()));
        }
        Ok(ages)
    }

    /// The task with what is known of its template.
    async fn look_up(&self, id: TaskId) -> Result<(TaskRecord, Arc<BoundTemplate>), Error> {
        let engine = self.engine();
        let record = engine.store.task(id).await?.ok_or(Error::UnknownTask(id))?;
        let bound = engine.templates.of_record(&record, &*engine.store).await?;
        Ok((record, bound))
    }

    /// The task with its template, for actions that go by the order of its steps.
    async fn look_up_whole(&self, id: TaskId) -> Result<(TaskRecord, Arc<BoundTemplate>), Error> {
        let engine = self.engine();
        let record = engine.store.task(id).await?.ok_or(Error::UnknownTask(id))?;
        let bound = engine.templates.get(record.head.template, &*engine.store).await?;
        Ok((record, bound))
    }

    /// The task with what a retry in this scope takes of its template.
    async fn look_up_for_retry(
        &self,
        id: TaskId,
        scope: &RetryScope,
    ) -> Result<(TaskRecord, Arc<BoundTemplate>), Error> {
        let found = self.look_up(id).await?;
        let goes_by_order = reopens(found.0.head.state) || matches!(scope, RetryScope::Downstream(_));
        if goes_by_order { self.look_up_whole(id).await } else { Ok(found) }
    }

    async fn act(
        &self,
        task: TaskId,
        bound: &BoundTemplate,
        action: OperatorAction,
        operator: &Operator,
    ) -> Result<Task, Error> {
        let engine = self.engine();
        let (verb, runs, at) = (action.as_str(), action.runs(), engine.clock.now());
        let Operator { by, reason } = operator.clone();
        text::check_name("the operator's name", &by)?;
        text::check_reason(&reason)?;
        match engine.act(ActionRequest { task, action, by, reason, at }).await? {
            Acted::Done { .. } => self.get_task(task).await,
            Acted::NoTask => Err(Error::UnknownTask(task)),
            Acted::Refused(Refusal { run, state }) => {
                let step = run.map(|run| bound.template.steps[run.step as usize].name.clone());
                // Only a step that is resolved is refused for the sake of another step.
                let is_another = run.is_some_and(|run| !runs.is_empty() && !runs.contains(&run));
                let verb = if is_another { GIVE_RESULT } else { verb };
                Err(not_possible(task, verb, step, state))
            }
        }
    }
}

/// What `complete` does to a step that was resolved.
const GIVE_RESULT: &str = "complete the step that it depends on";

fn not_possible(task: TaskId, action: &'static str, step: Option<String>, state: &str) -> Error {
    let way_out = match (action, state) {
        ("investigate", _) => "only a task that was given up has a dead letter",
        (GIVE_RESULT, _) => "it may read the result, and has begun without it",
        ("amend", "in_progress") => {
            "an attempt runs with the context as it was: wait until it has ended, or cancel the task first"
        }
        ("resolve", "complete") => {
            "nothing is left to do; `complete` gives a result to a step that was resolved"
        }
        (_, "complete" | "resolved_manually") => "nothing is left to do",
        ("retry", "waiting_for_retry" | "ready") => "it has attempts left: use `retry_now` to run it now",
        ("retry", "in_progress") => {
            "it is running: wait for it, complete or resolve it by hand, or cancel the task"
        }
        ("retry", _) => "only steps that failed for good can be retried",
        ("retry_now", "error") => "it failed for good: use `retry`, which renews its budget of attempts",
        ("retry_now", _) => "only a step that waits for its next attempt can be run early",
        ("complete" | "resolve", "pending") => "complete or resolve the steps that it waits for first",
        (_, "cancelled" | "error") => "`retry` brings such a task back",
        _ => "look at the task first",
    };
    let what = step.map_or_else(|| format!("task {task}"), |step| format!("step `{step}` of task {task}"));
    Error::NotPossible { action, what, state: state.to_owned(), way_out }
}

fn index(bound: &BoundTemplate, task: TaskId, name: &str) -> Result<StepIndex, Error> {
    bound.plan.index(name).ok_or_else(|| {
        let names = bound.template.steps.iter().map(|step| step.name.as_str());
        let near = nearest(name, names.clone());
        let hint = near.map_or_else(
            || format!("it has {}", names.collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        Error::UnknownStep { task, step: name.to_owned(), hint }
    })
}

fn is_done(state: StepState) -> bool {
    matches!(state, StepState::Complete | StepState::ResolvedManually | StepState::Skipped)
}

/// The steps that depend on any of these, directly or indirectly, in the order of the template.
pub(crate) fn downstream(bound: &BoundTemplate, steps: &[StepIndex]) -> Vec<StepIndex> {
    let mut found = std::collections::BTreeSet::new();
    let mut open = steps.to_vec();
    while let Some(step) = open.pop() {
        open.extend(bound.plan.dependents(step).iter().copied().filter(|next| found.insert(*next)));
    }
    found.into_iter().collect()
}

/// The runs of a step that a retry concerns: those of several that have failed or were cancelled, or the
/// only one.
fn runs_to_retry(record: &TaskRecord, step: StepIndex) -> Vec<StepKey> {
    let several = record.steps.iter().filter(|run| run.key.step == step && !run.key.is_only());
    let several: Vec<_> = several.collect();
    if several.is_empty() {
        return vec![step.into()];
    }
    let is_over = |state| matches!(state, StepState::Error | StepState::Cancelled);
    several.into_iter().filter(|run| is_over(run.state)).map(|run| run.key).collect()
}

/// Whether a retry of a task in this state reopens it as a whole.
fn reopens(state: TaskState) -> bool {
    matches!(state, TaskState::Cancelled | TaskState::Error)
}

/// The steps of the scope that can be tried again.
fn retried(record: &TaskRecord, bound: &BoundTemplate, scope: &RetryScope) -> Result<Vec<StepIndex>, Error> {
    let (id, state) = (record.head.id, record.head.state);
    let task = Task::new(record.clone(), bound);
    let state_of = |step: StepIndex| task.steps[step as usize].state;
    // In a task that was ended, every step that can run now; otherwise the failed steps.
    let reopens = reopens(state);
    let can = |step: &StepIndex| match reopens {
        true => {
            !is_done(state_of(*step))
                && bound.plan.parents(*step).iter().all(|parent| is_done(state_of(*parent)))
        }
        false => state_of(*step) == StepState::Error,
    };
    let all = || (0..).zip(&bound.template.steps).map(|(step, _)| step);
    // A task is reopened as a whole: a step that did not run again would keep it from ending.
    let scope = if reopens { &RetryScope::All } else { scope };
    match scope {
        RetryScope::Step(name) => {
            let step = index(bound, id, name)?;
            if can(&step) {
                return Ok(vec![step]);
            }
            Err(not_possible(id, "retry", Some(name.clone()), state_of(step).as_str()))
        }
        RetryScope::Downstream(name) => {
            let step = index(bound, id, name)?;
            if !can(&step) {
                return Err(not_possible(id, "retry", Some(name.clone()), state_of(step).as_str()));
            }
            let below = downstream(bound, &[step]);
            Ok(std::iter::once(step).chain(below.into_iter().filter(can)).collect())
        }
        RetryScope::All => {
            let steps: Vec<StepIndex> = all().filter(can).collect();
            if steps.is_empty() {
                return Err(not_possible(id, "retry", None, state.as_str()));
            }
            Ok(steps)
        }
    }
}
