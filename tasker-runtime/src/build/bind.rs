//! Binds templates to the handlers that run them, and reports what does not fit before anything runs.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;
use tasker_store::{IdMap, Json, Store, StoreError, TemplateId, TemplateRecord};
use tasker_template::{
    Code, Diagnostic, Diagnostics, HandlerTemplate, LoadedTemplate, Plan, Source, Span, StepIndex,
    StepTemplate, TaskTemplate, TemplateDraft, nearest,
};

use crate::build::configs::StepConfig;
use crate::build::described;
use crate::build::payload_limits::{PayloadLimits, result_refused};
use crate::build::registry::{DEFAULT_METHOD, Handler, Registry};
use crate::build::schema::Schema;
use crate::handler::step_error::StepError;
use crate::handler::{Dependency, StepFacts};

/// A template snapshot with everything that is needed to run it.
#[derive(Debug)]
pub(crate) struct BoundTemplate {
    pub(crate) id: TemplateId,
    pub(crate) template: Arc<TaskTemplate>,
    pub(crate) plan: Plan,
    pub(crate) steps: Vec<BoundStep>,
    /// The schema of a task's context.
    pub(crate) input_schema: Option<Schema>,
}

#[derive(Debug)]
pub(crate) struct BoundStep {
    /// The step's handler; `None` when this process has none for it.
    pub(crate) handler: Option<Arc<Handler>>,
    pub(crate) facts: Arc<StepFacts>,
    pub(crate) timeout: Option<Duration>,
    result_schema: Option<Schema>,
}

impl BoundTemplate {
    pub(crate) fn new(id: TemplateId, template: TaskTemplate, plan: Plan, registry: &Registry) -> Self {
        let template = Arc::new(template);
        let steps = (0..)
            .zip(&template.steps)
            .map(|(index, step)| {
                let handler = registry.get(&step.handler.callable, step.handler.method.as_deref()).cloned();
                let reads = reads(&template, &plan, index, handler.as_deref());
                BoundStep {
                    handler,
                    facts: Arc::new(StepFacts { template: Arc::clone(&template), index, reads }),
                    timeout: step.timeout_seconds.map(|seconds| Duration::from_secs(seconds.into())),
                    result_schema: compiled(step.result_schema.as_ref(), &template, &step.name),
                }
            })
            .collect();
        let input_schema = compiled(template.input_schema.as_ref(), &template, "its context");
        Self { id, template, plan, steps, input_schema }
    }

    /// The record of a template, which stores keep for its tasks.
    pub(crate) fn record(template: &TaskTemplate) -> TemplateRecord {
        // A template was read from YAML or JSON, and can therefore be written as JSON.
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

impl BoundStep {
    /// Checks a result of the step, from a handler or from an operator, against the payload limits and the
    /// step's schema. The error is permanent: the same code would return the same result again.
    pub(crate) fn check_result(&self, result: &Json, limits: PayloadLimits) -> Result<(), StepError> {
        let name = || self.facts.template.steps[self.facts.index as usize].name.as_str();
        limits.check_result(result).map_err(|error| result_refused(name(), &error))?;
        let Some(schema) = &self.result_schema else { return Ok(()) };
        schema.check(result).map_err(|violations| {
            let message =
                format!("the result of step `{}` does not fit its `result_schema`: {violations}", name());
            let facts = serde_json::to_value(&violations).unwrap_or_default();
            StepError::permanent(message).with_code("RESULT_SCHEMA").with_context(facts)
        })
    }
}

fn has_schemas(template: &TaskTemplate) -> bool {
    template.input_schema.is_some() || template.steps.iter().any(|step| step.result_schema.is_some())
}

/// Compiles a schema. Only the snapshot of an older program, which ignored schemas, can have an invalid one;
/// such a schema is ignored with a warning.
fn compiled(schema: Option<&Value>, template: &TaskTemplate, of: &str) -> Option<Schema> {
    match Schema::compile(schema?) {
        Ok(schema) => Some(schema),
        Err(faults) => {
            let TaskTemplate { namespace, name, version, .. } = template;
            let reason = faults.first().map(|fault| fault.reason.as_str()).unwrap_or_default();
            tracing::warn!(
                namespace,
                template = name,
                version,
                of,
                reason,
                "a stored schema is invalid and not acted upon"
            );
            None
        }
    }
}

/// The steps whose results the handler receives, by name and index.
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

/// Whether this program can check values against schemas.
const CHECKS_SCHEMAS: bool = cfg!(feature = "schemas");

/// Reports the schemas of the template that are invalid, or that this program cannot check values against.
pub(crate) fn check_schemas(loaded: &LoadedTemplate, faults: &mut Diagnostics) {
    schema_faults(loaded, CHECKS_SCHEMAS, faults);
}

fn schema_faults(loaded: &LoadedTemplate, checks_schemas: bool, faults: &mut Diagnostics) {
    let template = loaded.template();
    let input = ("/input_schema".to_owned(), template.input_schema.as_ref(), "`input_schema`".to_owned());
    let results = template.steps.iter().enumerate().map(|(index, step)| {
        let what = format!("`result_schema` of step `{}`", step.name);
        (format!("/steps/{index}/result_schema"), step.result_schema.as_ref(), what)
    });
    for (place, schema, what) in std::iter::once(input).chain(results) {
        if !checks_schemas && schema.is_some() {
            let message = format!("{what} cannot be checked by this program");
            let hint = "build it with the feature `schemas` of tasker, which is on by default".to_owned();
            let span = loaded.span_at(&place);
            faults.push(loaded.source().error(span, Code::Unsupported, message, Some(hint)));
            continue;
        }
        for fault in schema.and_then(|schema| Schema::compile(schema).err()).into_iter().flatten() {
            let span = loaded.span_at(&format!("{place}{}", fault.pointer));
            let at = match fault.pointer.as_str() {
                "" => String::new(),
                pointer => format!(" at `{pointer}`"),
            };
            let message = format!("{what} is no JSON schema{at}: {}", fault.reason);
            faults.push(loaded.source().error(span, Code::InvalidSchema, message, fault.suggestion));
        }
    }
}

/// Reports every way in which the handlers do not fit the template, and every schema that is invalid.
/// The configurations are those of the environment, or of the steps themselves.
pub(crate) fn check(
    loaded: &LoadedTemplate,
    registry: &Registry,
    environment: Option<&str>,
    faults: &mut Diagnostics,
) {
    check_schemas(loaded, faults);
    faults.extend(loaded.steps_not_run());
    let template = loaded.template();
    let changed = environment.map(|environment| template.for_environment(environment));
    let configured = changed.as_ref().unwrap_or(template);
    for (index, step) in template.steps.iter().enumerate() {
        match registry.get(&step.handler.callable, step.handler.method.as_deref()) {
            None => {
                let span = loaded.callable_span(index);
                faults.push(unknown_callable(loaded.source(), span, step, registry));
            }
            Some(handler) => {
                for dependency in handler.depends_on.unwrap_or_default() {
                    check_dependency(loaded, index, handler, dependency, registry, faults);
                }
                StepConfig { loaded, template: configured, step: index }.check(handler, faults);
                described::check(loaded, index, handler, faults);
            }
        }
    }
}

/// Reports the callables without a registered handler, for a template that has other faults as well.
pub(crate) fn check_callables(draft: &TemplateDraft, registry: &Registry, faults: &mut Diagnostics) {
    for (index, step) in draft.template().steps.iter().enumerate() {
        let HandlerTemplate { callable, method, .. } = &step.handler;
        // A missing or empty callable has been reported already.
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
                "did you mean `{near}`? or is the crate that has `{callable}` not linked in? \
                 `use the_crate as _;`"
            ),
            None => format!(
                "annotate a function with `#[step_handler(\"{callable}\")]`; when a crate has one, link it \
                 in: `use the_crate as _;`"
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
        // An optional result may belong to a step that the template does not have.
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
        // As `workflow!` says it (`workflow/verify.rs`).
        let (why, suggestion) = if found == this {
            ("is the step itself", "name the step whose result this is".to_owned())
        } else if plan.is_ancestor(this, found) {
            let suggestion =
                format!("read a step that is complete before, or change the `dependencies` of `{wanted}`");
            ("waits for it", suggestion)
        } else {
            let suggestion =
                format!("add `{wanted}` to the dependencies of this step, or of one that it depends on");
            ("may not be complete by then", suggestion)
        };
        let message =
            format!("{} of step `{}` reads step `{wanted}`, which {why}", handler.described(), step.name);
        faults.push(loaded.source().error(span, Code::NotAnAncestor, message, Some(suggestion)));
    }
    if let Some((callable, method)) = dependency.handler {
        let bound = &template.steps[found as usize].handler;
        let is_same = (bound.callable.as_str(), bound.method.as_deref().unwrap_or(DEFAULT_METHOD))
            == (callable, method);
        // A callable without a handler has been reported already; most likely it is a misspelling of this
        // one.
        let is_known = registry.get(&bound.callable, bound.method.as_deref()).is_some();
        if !is_same && is_known {
            let message = format!(
                "{} of step `{}` reads step `{wanted}` as the result of `{callable}`, but this template runs \
                 another callable for it",
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

/// The templates of which tasks can be created, and the snapshots of tasks that are in the store.
#[derive(Debug)]
pub(crate) struct Templates {
    registry: Registry,
    /// Whether steps of templates with schemas may run.
    checks_schemas: bool,
    current: Vec<Arc<BoundTemplate>>,
    by_id: RwLock<IdMap<TemplateId, Arc<BoundTemplate>>>,
}

impl Templates {
    pub(crate) fn new(registry: Registry, current: Vec<Arc<BoundTemplate>>) -> Self {
        let by_id = current.iter().map(|bound| (bound.id, Arc::clone(bound))).collect();
        Self { registry, checks_schemas: CHECKS_SCHEMAS, current, by_id: RwLock::new(by_id) }
    }

    /// The number of registered handlers.
    pub(crate) fn handlers(&self) -> usize {
        self.registry.len()
    }

    /// What this worker says of its handlers.
    pub(crate) fn callables(&self) -> Vec<String> {
        self.registry.described()
    }

    /// The templates of which tasks can be created.
    pub(crate) fn current(&self) -> &[Arc<BoundTemplate>] {
        &self.current
    }

    /// The template of a task: one of this program, or the snapshot from the store. If this program cannot
    /// check its schemas, the template has no handlers, so that its steps are left to other programs.
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
        let unreadable = |error: &dyn std::fmt::Display| StoreError::unreadable("template", &error);
        let template: TaskTemplate =
            serde_json::from_str(&record.snapshot).map_err(|error| unreadable(&error))?;
        let plan = Plan::new(&template).map_err(|error| unreadable(&error))?;
        let is_unchecked = !self.checks_schemas && has_schemas(&template);
        let registry = if is_unchecked { &Registry::default() } else { &self.registry };
        let bound = Arc::new(BoundTemplate::new(id, template, plan, registry));
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = by_id.insert(id, Arc::clone(&bound)).is_none();
        drop(by_id);
        if is_unchecked && is_new {
            let TaskTemplate { namespace, name, version, .. } = &*bound.template;
            tracing::error!(
                namespace,
                template = name,
                version,
                "a stored template has schemas that this program cannot check; its steps wait for a program \
                 with the feature `schemas` of tasker"
            );
        }
        Ok(bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITH_SCHEMA: &str = "{name: a, namespace_name: b, version: 1, steps: [
        {name: s, handler: {callable: C}, result_schema: {type: integer}}]}";

    #[test]
    fn a_template_with_schemas_is_refused_by_a_program_that_cannot_check_them() {
        let loaded = tasker_template::load_str("t.yaml", WITH_SCHEMA).unwrap();
        for (checks_schemas, faults) in [(true, 0), (false, 1)] {
            let mut diagnostics = Diagnostics::default();
            schema_faults(&loaded, checks_schemas, &mut diagnostics);
            assert_eq!(diagnostics.iter().count(), faults);
        }
    }

    #[tokio::test]
    async fn a_stored_template_with_schemas_has_no_handlers_in_a_program_that_cannot_check_them() {
        let template = tasker_template::load_str("t.yaml", WITH_SCHEMA).unwrap().into_template();
        let record = BoundTemplate::record(&template);
        let (id, store) = (record.id, tasker_store::MemoryStore::new());
        store.put_template(record).await.unwrap();
        for checks_schemas in [true, false] {
            let handler = Handler::closure("C", |_| panic!("nobody calls it"));
            let key = ("C".to_owned(), DEFAULT_METHOD.to_owned());
            let registry = Registry::collect([(key, handler)], &mut Vec::new());
            let templates = Templates { checks_schemas, ..Templates::new(registry, Vec::new()) };
            let bound = templates.get(id, &store).await.unwrap();
            assert_eq!(bound.steps[0].handler.is_some(), checks_schemas);
        }
    }

    #[cfg(feature = "schemas")]
    #[test]
    fn a_snapshot_whose_schemas_are_none_is_bound_without_them() {
        let snapshot = serde_json::json!({
            "name": "a", "namespace_name": "b", "version": "1", "input_schema": {"type": "integr"},
            "steps": [{
                "name": "s", "handler": {"callable": "C"}, "retry": tasker_template::RetryPolicy::default(),
                "result_schema": {"$ref": "#/nowhere"},
            }],
        });
        let template: TaskTemplate = serde_json::from_value(snapshot).unwrap();
        let plan = Plan::new(&template).unwrap();
        let registry = Registry::collect(std::iter::empty(), &mut Vec::new());
        let bound = BoundTemplate::new(TemplateId::of(""), template, plan, &registry);
        assert!(bound.input_schema.is_none());
        let result = Json::from_value("anything").unwrap();
        assert!(bound.steps[0].check_result(&result, PayloadLimits::default()).is_ok());
    }
}
