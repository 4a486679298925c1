//! Templates and the handlers that run them: what does not fit is found here, before anything runs.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tasker_template::{
    Code, Diagnostic, Diagnostics, HandlerTemplate, LoadedTemplate, Plan, Source, Span, StepIndex,
    StepTemplate, StepType, TaskTemplate, TemplateDraft, nearest,
};

use crate::handler::{Dependency, StepFacts};
use crate::id::TemplateId;
use crate::registry::{DEFAULT_METHOD, Handler, Registry};
use crate::store::{Dependent, Store, StoreError, TemplateRecord};

/// A template snapshot with everything that running it takes.
#[derive(Debug)]
pub(crate) struct BoundTemplate {
    pub(crate) id: TemplateId,
    pub(crate) template: Arc<TaskTemplate>,
    pub(crate) plan: Plan,
    pub(crate) steps: Vec<BoundStep>,
    /// The steps that nobody waits for.
    pub(crate) ends: Arc<[StepIndex]>,
}

#[derive(Debug)]
pub(crate) struct BoundStep {
    /// `None` when this process has no handler for it.
    pub(crate) handler: Option<Arc<Handler>>,
    pub(crate) facts: Arc<StepFacts>,
    pub(crate) dependents: Arc<[Dependent]>,
    pub(crate) timeout: Option<Duration>,
}

impl BoundTemplate {
    pub(crate) fn new(id: TemplateId, template: TaskTemplate, plan: Plan, registry: &Registry) -> Self {
        let template = Arc::new(template);
        let indices = || (0..).zip(&template.steps).map(|(index, _)| index);
        let parents: Vec<Arc<[StepIndex]>> = indices().map(|step| plan.parents(step).into()).collect();
        let ends = indices().filter(|step| plan.dependents(*step).is_empty()).collect();
        let steps = (0..)
            .zip(&template.steps)
            .map(|(index, step)| {
                let handler = registry.get(&step.handler.callable, step.handler.method.as_deref()).cloned();
                let reads = reads(&template, &plan, index, handler.as_deref());
                let dependents = plan.dependents(index).iter().map(|dependent| Dependent {
                    step: *dependent,
                    parents: Arc::clone(&parents[*dependent as usize]),
                });
                BoundStep {
                    handler,
                    facts: Arc::new(StepFacts { template: Arc::clone(&template), index, reads }),
                    dependents: dependents.collect(),
                    timeout: step.timeout_seconds.map(|seconds| Duration::from_secs(seconds.into())),
                }
            })
            .collect();
        Self { id, template, plan, steps, ends }
    }

    /// When nobody waits for the step: all steps of which that is true.
    pub(crate) fn ends(&self, step: StepIndex) -> Option<Arc<[StepIndex]>> {
        self.steps[step as usize].dependents.is_empty().then(|| Arc::clone(&self.ends))
    }

    /// The record of a template as it is kept with its tasks.
    pub(crate) fn record(template: &TaskTemplate) -> TemplateRecord {
        // A template came from text or JSON, so that it can be written as JSON.
        let snapshot = serde_json::to_string(template).expect("a template is JSON");
        TemplateRecord {
            id: TemplateId::of(&snapshot),
            namespace: template.namespace.clone(),
            name: template.name.clone(),
            version: template.version.clone(),
            snapshot,
        }
    }
}

/// The steps whose results the handler is handed.
fn reads(
    template: &TaskTemplate,
    plan: &Plan,
    step: StepIndex,
    handler: Option<&Handler>,
) -> Vec<(String, StepIndex)> {
    let ancestors = plan.ancestors(step);
    let Some(handler) = handler else { return Vec::new() };
    match handler.depends_on {
        Some(named) => named
            .iter()
            .filter_map(|one| Some((one.step.to_owned(), plan.index(one.step)?)))
            .filter(|(_, index)| ancestors.binary_search(index).is_ok())
            .collect(),
        None => {
            ancestors.into_iter().map(|index| (template.steps[index as usize].name.clone(), index)).collect()
        }
    }
}

/// Reports every way in which the handlers do not fit the template.
pub(crate) fn check(loaded: &LoadedTemplate, registry: &Registry, faults: &mut Diagnostics) {
    let template = loaded.template();
    for (index, step) in template.steps.iter().enumerate() {
        if step.step_type != StepType::Standard {
            let message = format!(
                "step `{}` is of type `{}`, and this version runs steps of type `standard` only",
                step.name,
                serde_json::to_value(step.step_type).unwrap_or_default().as_str().unwrap_or_default()
            );
            faults.push(loaded.source().error(loaded.step_span(index), Code::Unsupported, message, None));
        }
        match registry.get(&step.handler.callable, step.handler.method.as_deref()) {
            None => {
                let span = loaded.callable_span(index);
                faults.push(unknown_callable(loaded.source(), span, step, registry));
            }
            Some(handler) => {
                for dependency in handler.depends_on.unwrap_or_default() {
                    check_dependency(loaded, index, handler, dependency, registry, faults);
                }
            }
        }
    }
}

/// Reports the callables that no handler is registered for, in a template whose graph is wrong as well.
pub(crate) fn check_callables(draft: &TemplateDraft, registry: &Registry, faults: &mut Diagnostics) {
    for (index, step) in draft.template().steps.iter().enumerate() {
        let HandlerTemplate { callable, method, .. } = &step.handler;
        // One that is missing or empty has been told.
        if !callable.is_empty() && registry.get(callable, method.as_deref()).is_none() {
            faults.push(unknown_callable(draft.source(), draft.callable_span(index), step, registry));
        }
    }
}

fn unknown_callable(source: &Source, span: Span, step: &StepTemplate, registry: &Registry) -> Diagnostic {
    let callable = &step.handler.callable;
    let methods = registry.methods(callable);
    let (message, suggestion) = if methods.is_empty() {
        let suggestion = match nearest(callable, registry.callables()) {
            Some(near) => format!(
                "did you mean `{near}`? or is the crate that has `{callable}` not linked in? `use the_crate as _;`"
            ),
            None => format!(
                "annotate a function with `#[step_handler(\"{callable}\")]`; when a crate has one, link it in: `use the_crate as _;`"
            ),
        };
        (format!("no handler is registered for callable `{callable}` of step `{}`", step.name), suggestion)
    } else {
        let method = step.handler.method.as_deref().unwrap_or(DEFAULT_METHOD);
        let message = format!("callable `{callable}` of step `{}` has no method `{method}`", step.name);
        (message, format!("it has `{}`", methods.join("`, `")))
    };
    source.error(span, Code::UnknownCallable, message, Some(suggestion))
}

fn check_dependency(
    loaded: &LoadedTemplate,
    index: usize,
    handler: &Handler,
    dependency: &Dependency,
    registry: &Registry,
    faults: &mut Diagnostics,
) {
    let (template, plan) = (loaded.template(), loaded.plan());
    let (step, wanted) = (&template.steps[index], dependency.step);
    let span = loaded.step_span(index);
    let Some(found) = plan.index(wanted) else {
        // An optional result of a step that the template does not have is simply not there.
        if !dependency.optional {
            let message = format!(
                "{} of step `{}` reads step `{wanted}`, which this template does not have",
                handler.described(),
                step.name
            );
            let near = nearest(wanted, template.steps.iter().map(|step| step.name.as_str()));
            let by_handler = dependency.handler.and_then(|handler| step_of(template, handler));
            let suggestion = match (by_handler, near) {
                (Some(name), _) => Some(format!(
                    "its handler runs step `{name}`: write `#[depends_on(…, step = \"{name}\")]`"
                )),
                (None, Some(name)) => Some(format!("did you mean `{name}`?")),
                (None, None) => None,
            };
            faults.push(loaded.source().error(span, Code::MissingDepRef, message, suggestion));
        }
        return;
    };
    let this = StepIndex::try_from(index).unwrap_or(StepIndex::MAX);
    if !plan.is_ancestor(found, this) {
        let message = format!(
            "{} of step `{}` reads step `{wanted}`, which may not be complete by then",
            handler.described(),
            step.name
        );
        let suggestion =
            format!("add `{wanted}` to the dependencies of this step, or of one that it depends on");
        faults.push(loaded.source().error(span, Code::NotAnAncestor, message, Some(suggestion)));
    }
    if let Some((callable, method)) = dependency.handler {
        let bound = &template.steps[found as usize].handler;
        let is_same = (bound.callable.as_str(), bound.method.as_deref().unwrap_or(DEFAULT_METHOD))
            == (callable, method);
        // A callable that nobody registered has been told already: most likely it is a slip of this very one.
        let is_known = registry.get(&bound.callable, bound.method.as_deref()).is_some();
        if !is_same && is_known {
            let message = format!(
                "{} of step `{}` reads step `{wanted}` as the result of `{callable}`, but this template runs another callable for it",
                handler.described(),
                step.name
            );
            let suggestion = match step_of(template, (callable, method)) {
                Some(name) => {
                    format!("`{callable}` runs step `{name}`: write `#[depends_on(…, step = \"{name}\")]`")
                }
                None => {
                    format!("run `{callable}` here, or read the step by name: `#[depends_on(\"{wanted}\")]`")
                }
            };
            let span = loaded.callable_span(found as usize);
            faults.push(loaded.source().error(span, Code::OtherHandler, message, Some(suggestion)));
        }
    }
}

/// The step that a handler runs in this template.
fn step_of<'t>(template: &'t TaskTemplate, (callable, method): (&str, &str)) -> Option<&'t str> {
    let runs = |step: &&StepTemplate| {
        step.handler.callable == callable
            && step.handler.method.as_deref().unwrap_or(DEFAULT_METHOD) == method
    };
    template.steps.iter().find(runs).map(|step| step.name.as_str())
}

/// The templates that tasks can be created from, and those that tasks in the store still run by.
#[derive(Debug)]
pub(crate) struct Templates {
    registry: Registry,
    current: Vec<Arc<BoundTemplate>>,
    by_id: RwLock<HashMap<TemplateId, Arc<BoundTemplate>>>,
}

impl Templates {
    pub(crate) fn new(registry: Registry, current: Vec<Arc<BoundTemplate>>) -> Self {
        let by_id = current.iter().map(|bound| (bound.id, Arc::clone(bound))).collect();
        Self { registry, current, by_id: RwLock::new(by_id) }
    }

    /// The templates that tasks can be created from.
    pub(crate) fn current(&self) -> &[Arc<BoundTemplate>] {
        &self.current
    }

    /// The template that a task runs by: one of ours, or the snapshot that an earlier program kept.
    pub(crate) async fn get(
        &self,
        id: TemplateId,
        store: &dyn Store,
    ) -> Result<Arc<BoundTemplate>, StoreError> {
        let known = self.by_id.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(bound) = known {
            return Ok(bound);
        }
        let record = store.template(id).await?.ok_or(StoreError::NoTemplate(id))?;
        let unreadable = |error: &dyn std::fmt::Display| StoreError::Unreadable {
            what: "template",
            value: error.to_string(),
        };
        let template: TaskTemplate =
            serde_json::from_str(&record.snapshot).map_err(|error| unreadable(&error))?;
        let plan = Plan::new(&template).map_err(|error| unreadable(&error))?;
        let bound = Arc::new(BoundTemplate::new(id, template, plan, &self.registry));
        self.by_id.write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&bound));
        Ok(bound)
    }
}
