//! From the YAML tree to a [`TaskTemplate`]: both dialects, all faults at once.

use std::collections::HashSet;

use serde_json::Map;

use crate::bounds;
use crate::diagnostic::{Code, Span};
use crate::fields::{Fields, Report, did_you_mean, to_json};
use crate::node::{Node, Value};
use crate::template::{
    Backoff, BatchConfig, DEFAULT_METHOD, Environment, EventTemplate, FailureStrategy, HandlerTemplate,
    Lifecycle, RetryPolicy, StepOverride, StepTemplate, StepType, TaskTemplate,
};

/// The places of a template's steps and callables in its text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    pub(crate) template: Span,
    pub(crate) steps: Vec<StepPlaces>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct StepPlaces {
    pub(crate) name: Span,
    pub(crate) callable: Span,
    pub(crate) dependencies: Vec<Span>,
}

/// Reads a whole template. A setting that cannot be read has its default, with a fault in `report`.
pub(crate) fn template(root: &Node, report: &mut Report<'_>) -> (TaskTemplate, Places) {
    let mut template = TaskTemplate {
        name: String::new(),
        namespace: String::new(),
        version: String::new(),
        description: None,
        metadata: Map::new(),
        input_schema: None,
        steps: Vec::new(),
        lifecycle: Lifecycle::default(),
        environments: Vec::new(),
        environment: None,
    };
    let mut places = Places::default();
    let Some(mut fields) = Fields::open(root, "the template", report) else { return (template, places) };
    places.template = fields.span();
    template.name = fields.required_text("name", bounds::NAME, report).unwrap_or_default().0;
    if let Some((namespace, span)) = fields.required_text("namespace_name", bounds::NAME, report) {
        check_namespace(&namespace, span, report);
        template.namespace = namespace;
    }
    template.version = fields.required_text("version", bounds::VERSION, report).unwrap_or_default().0;
    template.description = fields.text("description", report);
    template.metadata = fields.json_map("metadata", report);
    template.input_schema = fields.json("input_schema", report);
    // Documentation of the workflow: known keys, but nothing that runs reads them.
    fields.get(&["system_dependencies"], report);
    fields.get(&["domain_events"], report);
    for node in fields.list(&["steps"], report) {
        if let Some((step, place)) = step(node, report) {
            template.steps.push(step);
            places.steps.push(place);
        }
    }
    if let Some(node) = fields.get(&["lifecycle"], report) {
        template.lifecycle = lifecycle(node, report);
    }
    if let Some(node) = fields.get(&["environments"], report) {
        template.environments = environments(node, &template.steps, report);
    }
    fields.close(report);
    (template, places)
}

fn check_namespace(namespace: &str, span: Span, report: &mut Report<'_>) {
    let mut characters = namespace.chars();
    let starts_well = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    if !starts_well || !characters.all(|one| one.is_ascii_alphanumeric() || one == '_') {
        let message =
            format!("namespace `{namespace}` must be letters, digits and `_`, not beginning with a digit");
        report.error(span, Code::InvalidValue, message);
    } else if namespace.len() > bounds::QUEUED_NAMESPACE {
        let message = format!(
            "namespace `{namespace}` is longer than {} characters, which is as long as the queues of Tasker \
             Core allow",
            bounds::QUEUED_NAMESPACE
        );
        report.warning(span, Code::InvalidValue, message);
    }
}

fn step(node: &Node, report: &mut Report<'_>) -> Option<(StepTemplate, StepPlaces)> {
    let mut place = StepPlaces::default();
    let mut fields = Fields::open(node, "a step", report)?;
    place.name = fields.span();
    let name = match fields.required_text("name", bounds::NAME, report) {
        Some((name, span)) => {
            place.name = span;
            name
        }
        None => String::new(),
    };
    // From here on, messages contain the name of the step.
    let mut fields = if name.is_empty() { fields } else { fields.renamed(format!("step `{name}`")) };
    let handler = fields.require("handler", report).map(|node| handler(node, &name, &mut place, report));
    let mut dependencies = Vec::new();
    for node in fields.list(&["dependencies", "depends_on"], report) {
        match node.text(report.source) {
            Some(dependency) => {
                dependencies.push(dependency);
                place.dependencies.push(node.span);
            }
            None => {
                let message = format!("a dependency of step `{name}` must be the name of a step");
                report.error(node.span, Code::WrongType, message);
            }
        }
    }
    let step_type = fields.word(&["type", "step_type"], &StepType::NAMES, report).unwrap_or_default();
    let retry = fields.get(&["retry"], report).map(|node| retry(node, &name, report));
    let timeout_seconds =
        fields.integer(&["timeout_seconds"], bounds::TIMEOUT_SECONDS, report).map(|(seconds, _)| seconds);
    let publishes_events = fields
        .list(&["publishes_events"], report)
        .iter()
        .filter_map(|node| event(node, &name, report))
        .collect();
    let batch_config =
        fields.get(&["batch_config"], report).and_then(|node| batch_config(node, &name, report));
    if let Some(node) = fields.get(&["composition"], report) {
        let message = format!("`composition` of step `{name}` is not run; its handler's callable is");
        report.warning(node.span, Code::Unsupported, message);
    }
    let step = StepTemplate {
        description: fields.text("description", report),
        system_dependency: fields.text("system_dependency", report),
        result_schema: fields.json("result_schema", report),
        name,
        step_type,
        handler: handler.unwrap_or_else(|| HandlerTemplate {
            callable: String::new(),
            method: None,
            initialization: Map::new(),
        }),
        dependencies,
        retry: retry.unwrap_or_default(),
        timeout_seconds,
        publishes_events,
        batch_config,
    };
    fields.close(report);
    Some((step, place))
}

fn handler(node: &Node, step: &str, place: &mut StepPlaces, report: &mut Report<'_>) -> HandlerTemplate {
    let mut handler = HandlerTemplate { callable: String::new(), method: None, initialization: Map::new() };
    place.callable = node.span;
    let Some(mut fields) = Fields::open(node, format!("the handler of step `{step}`"), report) else {
        return handler;
    };
    place.callable = fields.span();
    if let Some((callable, span)) = fields.required_text("callable", bounds::CALLABLE, report) {
        handler.callable = callable;
        place.callable = span;
    }
    handler.method = fields.text("method", report).filter(|method| method != DEFAULT_METHOD);
    handler.initialization = fields.json_map("initialization", report);
    if let Some(node) = fields.get(&["resolver"], report) {
        let message =
            format!("`resolver` of step `{step}` has no effect: a callable is looked up as it is written");
        report.warning(node.span, Code::Unsupported, message);
    }
    fields.close(report);
    handler
}

/// `backoff_base_ms` and `initial_delay` are two spellings of one thing, and so are the caps.
fn retry(node: &Node, step: &str, report: &mut Report<'_>) -> RetryPolicy {
    let mut policy = RetryPolicy::default();
    let Some(mut fields) = Fields::open(node, format!("`retry` of step `{step}`"), report) else {
        return policy;
    };
    policy.retryable = fields.flag("retryable", report).unwrap_or(policy.retryable);
    if let Some((attempts, span)) = fields.integer(&["max_attempts", "limit"], bounds::ATTEMPTS, report) {
        policy.max_attempts = attempts;
        if attempts == 0 {
            let message =
                format!("`max_attempts: 0` of step `{step}` counts as 1: the first attempt is always made");
            report.warning(span, Code::InvalidValue, message);
        }
    }
    policy.backoff = fields.word(&["backoff"], &Backoff::NAMES, report).unwrap_or(policy.backoff);
    let base_ms = fields.integer(&["backoff_base_ms"], bounds::DELAY_MS, report);
    let base_s = fields.seconds("initial_delay", bounds::LONGEST_DELAY_SECONDS, report);
    let cap_ms = fields.integer(&["max_backoff_ms"], bounds::DELAY_MS, report);
    let cap_s = fields.seconds("max_delay", bounds::LONGEST_DELAY_SECONDS, report);
    let base = one_of(("backoff_base_ms", base_ms), ("initial_delay", base_s), step, report);
    let cap = one_of(("max_backoff_ms", cap_ms), ("max_delay", cap_s), step, report);
    policy.backoff_base_ms = base.unwrap_or(policy.backoff_base_ms);
    // The default cap does not cut a base that is longer: the author has written the base, and not the cap.
    policy.max_backoff_ms = cap.unwrap_or(policy.max_backoff_ms.max(policy.backoff_base_ms));
    if policy.backoff_base_ms > policy.max_backoff_ms && base.is_some() && policy.backoff != Backoff::None {
        let message = format!(
            "`retry` of step `{step}` begins with a delay of {} ms, but no delay may be longer than {} ms",
            policy.backoff_base_ms, policy.max_backoff_ms
        );
        report.error(fields.span(), Code::InvalidValue, message);
    }
    fields.close(report);
    policy
}

fn one_of(
    (millis_name, millis): (&str, Option<(u32, Span)>),
    (seconds_name, seconds): (&str, Option<(u64, Span)>),
    step: &str,
    report: &mut Report<'_>,
) -> Option<u64> {
    if let (Some(_), Some((_, span))) = (millis, seconds) {
        let message = format!("`retry` of step `{step}` has both `{millis_name}` and `{seconds_name}`");
        report.error_with(span, Code::DuplicateKey, message, Some("remove one".to_owned()));
    }
    millis.map(|(millis, _)| u64::from(millis)).or(seconds.map(|(millis, _)| millis))
}

fn event(node: &Node, step: &str, report: &mut Report<'_>) -> Option<EventTemplate> {
    let mut fields = Fields::open(node, format!("an event of step `{step}`"), report)?;
    let (name, span) = fields.required_text("name", bounds::NAME, report)?;
    let parts_are_words = name.split('.').all(|part| {
        !part.is_empty()
            && part.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_')
    });
    if !name.contains('.') || !parts_are_words {
        let message =
            format!("event `{name}` should be words of `a-z0-9_` joined by dots, such as `order.created`");
        report.warning(span, Code::InvalidValue, message);
    }
    let settings = match to_json(node, report) {
        serde_json::Value::Object(mut map) => {
            map.remove("name");
            map
        }
        _ => Map::new(),
    };
    Some(EventTemplate { name, settings })
}

fn batch_config(node: &Node, step: &str, report: &mut Report<'_>) -> Option<BatchConfig> {
    let mut fields = Fields::open(node, format!("`batch_config` of step `{step}`"), report)?;
    for name in ["batch_size", "parallelism", "failure_strategy"] {
        fields.require(name, report);
    }
    let batch_size = fields.integer(&["batch_size"], bounds::BATCH_SIZE, report);
    let parallelism = fields.integer(&["parallelism"], bounds::PARALLELISM, report);
    let cursor_field = fields.required_text("cursor_field", bounds::NAME, report);
    let worker_template = fields.required_text("worker_template", bounds::NAME, report);
    let failure_strategy = fields.word(&["failure_strategy"], &FailureStrategy::NAMES, report);
    fields.close(report);
    Some(BatchConfig {
        batch_size: batch_size?.0,
        parallelism: parallelism?.0,
        cursor_field: cursor_field?.0,
        worker_template: worker_template?.0,
        failure_strategy: failure_strategy?,
    })
}

fn lifecycle(node: &Node, report: &mut Report<'_>) -> Lifecycle {
    let Some(mut fields) = Fields::open(node, "`lifecycle`", report) else { return Lifecycle::default() };
    let mut minutes = |name, range, report: &mut Report<'_>| {
        fields.integer(&[name], range, report).map(|(minutes, _)| minutes)
    };
    let mut lifecycle = Lifecycle {
        max_duration_minutes: minutes("max_duration_minutes", bounds::LIFE_MINUTES, report),
        max_waiting_for_dependencies_minutes: minutes(
            "max_waiting_for_dependencies_minutes",
            bounds::WAIT_MINUTES,
            report,
        ),
        max_waiting_for_retry_minutes: minutes("max_waiting_for_retry_minutes", bounds::WAIT_MINUTES, report),
        max_steps_in_process_minutes: minutes("max_steps_in_process_minutes", bounds::WAIT_MINUTES, report),
        ..Lifecycle::default()
    };
    lifecycle.staleness_action = fields.text("staleness_action", report);
    lifecycle.auto_fail_on_timeout = fields.flag("auto_fail_on_timeout", report);
    lifecycle.auto_dlq_on_timeout = fields.flag("auto_dlq_on_timeout", report);
    fields.close(report);
    lifecycle
}

fn environments(node: &Node, steps: &[StepTemplate], report: &mut Report<'_>) -> Vec<Environment> {
    let Some(fields) = Fields::open(node, "`environments`", report) else { return Vec::new() };
    let known: HashSet<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    fields
        .entries()
        .filter_map(|(key, node)| {
            let name = key.text(report.source)?;
            if matches!(node.value, Value::Null) {
                return Some(Environment { name, steps: Vec::new() });
            }
            let mut fields = Fields::open(node, format!("environment `{name}`"), report)?;
            let overrides = fields.list(&["steps"], report);
            let steps =
                overrides.iter().filter_map(|node| step_override(node, steps, &known, report)).collect();
            fields.close(report);
            Some(Environment { name, steps })
        })
        .collect()
}

fn step_override(
    node: &Node,
    steps: &[StepTemplate],
    known: &HashSet<&str>,
    report: &mut Report<'_>,
) -> Option<StepOverride> {
    let mut fields = Fields::open(node, "an override", report)?;
    let (name, span) = fields.required_text("name", bounds::NAME, report)?;
    if name != "ALL" && !known.contains(name.as_str()) {
        let near = report.names.nearest(&name, steps.iter().map(|step| step.name.as_str()));
        let message = format!("the override of `{name}` has no effect: the template has no such step");
        report.warning_with(span, Code::MissingDepRef, message, near.map(did_you_mean));
    }
    let mut initialization = Map::new();
    if let Some(node) = fields.get(&["handler"], report)
        && let Some(mut handler) =
            Fields::open(node, format!("`handler` of the override of `{name}`"), report)
    {
        initialization = handler.json_map("initialization", report);
        handler.close(report);
    }
    let change = StepOverride {
        initialization,
        timeout_seconds: fields
            .integer(&["timeout_seconds"], bounds::TIMEOUT_SECONDS, report)
            .map(|(seconds, _)| seconds),
        retry: fields.get(&["retry"], report).map(|node| retry(node, &name, report)),
        name,
    };
    fields.close(report);
    Some(change)
}
