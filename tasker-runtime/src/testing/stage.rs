//! The stage between the engine and the handlers of a test: it records every call, and runs the test's
//! replacements.

use std::collections::HashMap;
use std::fmt;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use tasker_template::TaskTemplate;
use tokio_util::sync::CancellationToken;

use crate::build::registry::{Handler, Key, Registry};
use crate::clock::Clock;
use crate::handler::step_error::StepError;
use crate::handler::{StepContext, StepFuture, StepHandler, StepOutcome};
use crate::testing::history::{Entry, History};
use crate::testing::short_name;

/// Which steps a replacement is for: those of a name or callable, or those that a
/// [`handler`](handler()) runs.
///
/// ```
/// use tasker::testing::Target;
/// let target: Target = "charge".into();
/// ```
#[derive(Clone, Debug)]
pub struct Target(Which);

#[derive(Clone, Debug)]
enum Which {
    Named(String),
    RunBy { name: &'static str, key: Key },
}

impl From<&str> for Target {
    fn from(name: &str) -> Self {
        Self(Which::Named(name.to_owned()))
    }
}

/// The steps that the handler `H` runs.
///
/// ```
/// use tasker::step_handler;
/// use tasker::testing::{TestEngine, handler};
///
/// #[step_handler("Docs::Letter")]
/// async fn mail() -> u32 { 1 }
///
/// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
/// #     steps: [{name: mail, handler: {callable: 'Docs::Letter'}}]}";
/// let run = TestEngine::template_str("mails.yaml", TEMPLATE)
///     .returns(handler::<mail>(), &1)
///     .run_blocking(serde_json::json!({}));
/// assert_eq!(run.output::<mail>(), 1);
/// ```
#[must_use]
pub fn handler<H: StepHandler>() -> Target {
    let key = (H::CALLABLE.to_owned(), H::METHOD.to_owned());
    Target(Which::RunBy { name: short_name::<H>(), key })
}

impl Target {
    /// The names of its steps in the template.
    #[track_caller]
    pub(crate) fn steps(&self, template: &TaskTemplate) -> Vec<String> {
        let all = || staged(template);
        let steps: Vec<String> = match &self.0 {
            Which::RunBy { key, .. } => all().filter(|(_, own)| own == key).map(|(name, _)| name).collect(),
            Which::Named(wanted) if all().any(|(name, _)| name == *wanted) => vec![wanted.clone()],
            Which::Named(wanted) => {
                all().filter(|(_, (callable, _))| callable == wanted).map(|(name, _)| name).collect()
            }
        };
        assert!(!steps.is_empty(), "{}", self.unknown(template));
        steps
    }

    fn unknown(&self, template: &TaskTemplate) -> String {
        match &self.0 {
            Which::RunBy { name, .. } => {
                format!("handler `{name}` runs no step of template `{}`", template.name)
            }
            Which::Named(wanted) => {
                unknown_step(template.steps.iter().map(|step| step.name.as_str()), wanted)
            }
        }
    }
}

/// The message for a step that a test has misspelt.
pub(crate) fn unknown_step<'a>(steps: impl Iterator<Item = &'a str> + Clone, wanted: &str) -> String {
    match tasker_template::nearest(wanted, steps.clone()) {
        Some(near) => format!("the template has no step `{wanted}`; did you mean `{near}`?"),
        None => {
            format!("the template has no step `{wanted}`; it has {}", steps.collect::<Vec<_>>().join(", "))
        }
    }
}

/// The steps of a template by name, with the keys of their handlers.
fn staged(template: &TaskTemplate) -> impl Iterator<Item = (String, Key)> {
    template.steps.iter().map(|step| {
        let method = step.handler.method_name();
        (step.name.clone(), (step.handler.callable.clone(), method.to_owned()))
    })
}

/// What runs in place of a step's handler.
#[derive(Clone, Default)]
pub(crate) struct Replacement {
    /// The errors of the first attempts.
    pub(crate) errors: Arc<[StepError]>,
    /// The function for later attempts; `None` for the step's own handler.
    pub(crate) then: Option<Arc<dyn Fn(StepContext) -> StepFuture + Send + Sync>>,
}

impl fmt::Debug for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replacement").field("errors", &self.errors).finish_non_exhaustive()
    }
}

/// The stage between the engine of one worker and its handlers.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) template: Arc<TaskTemplate>,
    /// By the step's name.
    pub(crate) replacements: Arc<HashMap<String, Replacement>>,
    pub(crate) history: History,
    pub(crate) clock: Clock,
    /// Cancelled when the worker dies; from then on none of its handlers runs.
    pub(crate) dead: CancellationToken,
}

impl Stage {
    /// The registry with each handler of the template behind the stage.
    pub(crate) fn set(&self, mut registry: Registry) -> Registry {
        for (_, key) in staged(&self.template) {
            let own = registry.get(&key.0, Some(&key.1)).map(|handler| (**handler).clone());
            let is_replaced = staged(&self.template)
                .filter(|(_, other)| *other == key)
                .all(|(step, _)| self.replacements.get(&step).is_some_and(|one| one.then.is_some()));
            if let Some(handler) = self.behind(&key, own, is_replaced) {
                registry.put(key, handler);
            }
        }
        registry
    }

    /// The handler of these steps behind the stage. `None` when there is no handler and not all of the steps
    /// are replaced, which the builder reports.
    fn behind(&self, key: &Key, own: Option<Handler>, is_replaced: bool) -> Option<Handler> {
        let (stage, fallback) = (self.clone(), own.clone());
        let call = move |context| stage.call(fallback.as_ref(), context);
        match own {
            // It asks for no state, and may read every result.
            _ if is_replaced => Some(Handler::closure(&key.0, call)),
            Some(own) => Some(own.run_by(call)),
            None => None,
        }
    }

    fn call(&self, own: Option<&Handler>, context: StepContext) -> StepFuture {
        let step = context.step_name().to_owned();
        if self.dead.is_cancelled() || !self.history.call(&step, context.attempt(), self.clock.now()) {
            return Box::pin(pending());
        }
        let (history, dead) = (self.history.clone(), self.dead.clone());
        let mut future = self.answer(own, context);
        Box::pin(async move {
            let outcome =
                poll_fn(|cx| if dead.is_cancelled() { Poll::Pending } else { future.as_mut().poll(cx) });
            let outcome = outcome.await;
            if let StepOutcome::Complete(_) = outcome {
                history.write(Entry::Completed { step });
            }
            outcome
        })
    }

    fn answer(&self, own: Option<&Handler>, context: StepContext) -> StepFuture {
        let replacement = self.replacements.get(context.step_name()).cloned().unwrap_or_default();
        if let Some(error) = replacement.errors.get(context.attempt().saturating_sub(1) as usize) {
            let outcome = StepOutcome::Fail(error.again());
            return Box::pin(async { outcome });
        }
        match (replacement.then, own) {
            (Some(then), _) => then(context),
            (None, Some(own)) => own.call(context),
            (None, None) => panic!("step `{}` has no handler", context.step_name()),
        }
    }
}
