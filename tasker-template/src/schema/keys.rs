//! Every key of a template file, as editors explain and check it. [`read`](crate::read) reads the same keys.

use serde_json::{Value, json};

use crate::bounds;
use crate::schema::shape::Shape;
use crate::template::{Backoff, DEFAULT_METHOD, FailureStrategy, RetryPolicy, StepType};

/// What is said of a key that other Taskers have, and that has no meaning here.
const NO_MEANING: &str = "Has no meaning here: it is read over with a warning.";

/// The whole template.
pub(super) fn template() -> Shape {
    Shape::mapping()
        .about(
            "A task template of Tasker: the steps of a task, how they depend on each other, and how \
             each is retried.",
        )
        .required(
            "name",
            Shape::line(bounds::NAME)
                .about("The template's name, unique within its namespace and version.")
                .example(json!("user_registration")),
        )
        .required("namespace_name", namespace())
        .required(
            "version",
            Shape::line(bounds::VERSION)
                .about(
                    "Any text, by convention `major.minor.patch`. A task keeps the template that it was \
                     created with.",
                )
                .example(json!("1.0.0")),
        )
        .key("description", Shape::text().about("What the workflow is for."))
        .key("metadata", metadata())
        .key(
            "input_schema",
            Shape::defined("json_schema")
                .about("The JSON schema of a task's context. A context that does not fit is refused.")
                .example(json!({"type": "object", "required": ["id"]})),
        )
        .required(
            "steps",
            Shape::list(Shape::defined("step"))
                .with("minItems", json!(1))
                .about("The steps. Their order is that of `dependencies`, not that of the file."),
        )
        .key(
            "environments",
            Shape::map(environment())
                .about(
                    "Overrides by environment: `--environment test` applies those of `test`. A task keeps \
                     the environment that it is created in.",
                )
                .example(json!({"test": {"steps": [{"name": "ALL", "timeout_seconds": 5}]}})),
        )
        .key("lifecycle", lifecycle())
        .key(
            "system_dependencies",
            Shape::any().about("The systems that the workflow talks to. Documentation only."),
        )
        .key("domain_events", Shape::any().about("A catalogue of the workflow's events. Documentation only."))
        .without_effect("task_handler", NO_MEANING)
        .without_effect("identity_strategy", NO_MEANING)
        .without_effect("default_context", NO_MEANING)
        .without_effect("default_options", NO_MEANING)
}

fn namespace() -> Shape {
    Shape::any()
        .with("type", json!(["string", "boolean"]))
        .with("maxLength", json!(bounds::NAME))
        .with("pattern", json!("^[A-Za-z_][A-Za-z0-9_]*$"))
        .with("patternErrorMessage", json!("must be letters, digits and `_`, not beginning with a digit"))
        .about(&format!(
            "The team or domain that owns the template: letters, digits and `_`. More than {} characters \
             is a warning.",
            bounds::QUEUED_NAMESPACE
        ))
        .example(json!("billing"))
}

fn metadata() -> Shape {
    Shape::map(Shape::any())
        .about("For people: author, tags, and anything else.")
        .key("author", Shape::any().about("Who answers for the template."))
        .key("tags", Shape::any().about("Words to find the template by."))
        .key("documentation_url", Shape::any().about("Where the workflow is explained."))
        .key("created_at", Shape::any().about("When the template was written."))
        .key("updated_at", Shape::any().about("When the template was changed last."))
}

/// One step.
pub(super) fn step() -> Shape {
    Shape::mapping()
        .about("A unit of work: a handler runs it as soon as the steps that it depends on are complete.")
        .required(
            "name",
            Shape::line(bounds::NAME)
                .about("The step's name, unique in the template.")
                .example(json!("charge_card")),
        )
        .required("handler", Shape::defined("handler").about("The handler that runs the step."))
        .key("dependencies", dependencies())
        .key("depends_on", dependencies().about("Another spelling of `dependencies`."))
        .key("retry", Shape::defined("retry").about(RETRY))
        .key("timeout_seconds", timeout())
        .key("type", step_type())
        .key("step_type", step_type().about("Another spelling of `type`."))
        .key("description", Shape::text().about("What the step does."))
        .key(
            "system_dependency",
            Shape::text().about("The system that the step talks to. Documentation only."),
        )
        .key(
            "result_schema",
            Shape::defined("json_schema").about(
                "The JSON schema of the step's result. A result that does not fit fails the step for good, \
                 with the code `RESULT_SCHEMA`.",
            ),
        )
        .key(
            "publishes_events",
            Shape::list(event()).about("Events that the step publishes when it ends. Read, not acted upon."),
        )
        .key("batch_config", batch_config())
        .without_effect("composition", "Is not run: the handler's callable is.")
        .without_effect("conditions", NO_MEANING)
        .without_effect("lifecycle", "Has no meaning in a step: `lifecycle` belongs to the template.")
        .not_both("dependencies", "depends_on")
        .not_both("type", "step_type")
        .rule(json!({"if": is_of_type("decision"), "then": {
            "anyOf": [has_an_item("dependencies"), has_an_item("depends_on")],
            "errorMessage": "a decision must depend on a step",
        }}))
        .rule(json!({"if": is_of_type("batch_worker"), "then": {
            "required": ["batch_config"],
            "properties": {"batch_config": {"type": "object"}},
        }}))
}

fn is_of_type(word: &str) -> Value {
    let says = |key: &str| json!({"required": [key], "properties": {key: {"const": word}}});
    json!({"anyOf": [says("type"), says("step_type")]})
}

fn has_an_item(key: &str) -> Value {
    json!({"required": [key], "properties": {key: {"type": "array", "minItems": 1}}})
}

fn dependencies() -> Shape {
    Shape::list(Shape::text())
        .about(
            "The names of the steps whose results must be recorded before this one starts. Without any it \
             starts with the task.",
        )
        .default(json!([]))
        .example(json!(["create_account"]))
}

fn step_type() -> Shape {
    Shape::word(&StepType::NAMES)
        .about(
            "What the step's result means. Only `standard` steps are run today; the others are refused \
             at the start.",
        )
        .default(json!("standard"))
}

fn timeout() -> Shape {
    Shape::integer(bounds::TIMEOUT_SECONDS)
        .about(
            "The seconds after which an attempt is ended and counts as failed. Without it the worker's \
             limit holds, which is 30 unless the program says otherwise.",
        )
        .example(json!(30))
}

/// What runs a step.
pub(super) fn handler() -> Shape {
    Shape::mapping()
        .about("The handler that runs the step.")
        .required(
            "callable",
            Shape::line(bounds::CALLABLE)
                .about("The name that the handler is registered by: what `#[step_handler(\"…\")]` says.")
                .example(json!("Billing::Charge")),
        )
        .key(
            "method",
            Shape::text()
                .about("The entry point of a handler that has several: what `method = \"…\"` says.")
                .default(json!(DEFAULT_METHOD)),
        )
        .key("initialization", initialization())
        .without_effect("resolver", "Has no effect: a callable is looked up as it is written.")
}

fn initialization() -> Shape {
    Shape::map(Shape::any()).about("The handler's settings, the same for every task.").default(json!({}))
}

const RETRY: &str = "How often and how late a failed step is tried again. Without it: three attempts, \
                     exponential from 1 second to 30.";

/// How a step is retried.
pub(super) fn retry() -> Shape {
    let policy = RetryPolicy::default();
    let base = "The delay before the second attempt";
    let cap = "No delay is longer than this";
    let milliseconds = |about: &str, default: u64| {
        Shape::integer(bounds::DELAY_MS).about(&format!("{about}, in milliseconds.")).default(json!(default))
    };
    let seconds = |about: &str, default: u64| {
        Shape::seconds(bounds::LONGEST_DELAY_SECONDS)
            .about(&format!("{about}, in seconds; fractions are allowed."))
            .default(json!(default / 1_000))
    };
    let attempts = Shape::integer(bounds::ATTEMPTS)
        .about("All attempts, the first included; 0 counts as 1.")
        .default(json!(policy.max_attempts));
    Shape::mapping()
        .about(RETRY)
        .key(
            "retryable",
            Shape::flag()
                .about("Whether it is tried again at all; `false` is one attempt and no more.")
                .default(json!(policy.retryable)),
        )
        .key("max_attempts", attempts.clone())
        .key("limit", attempts.about("Another spelling of `max_attempts`."))
        .key(
            "backoff",
            Shape::word(&Backoff::NAMES)
                .about(
                    "How the delay grows: not at all because there is none (`none`), base × n (`linear`), \
                     base × 2ⁿ⁻¹ (`exponential`), or base × the n-th Fibonacci number (`fibonacci`).",
                )
                .default(json!(policy.backoff)),
        )
        .key("initial_delay", seconds(base, policy.backoff_base_ms))
        .key("backoff_base_ms", milliseconds(base, policy.backoff_base_ms))
        .key("max_delay", seconds(cap, policy.max_backoff_ms))
        .key("max_backoff_ms", milliseconds(cap, policy.max_backoff_ms))
        .without_effect("jitter", "Has no meaning here: up to a tenth is always added at random.")
        .not_both("max_attempts", "limit")
        .not_both("initial_delay", "backoff_base_ms")
        .not_both("max_delay", "max_backoff_ms")
        .or_empty()
}

fn event() -> Shape {
    Shape::map(Shape::any()).about("An event, with anything else about it.").required(
        "name",
        Shape::line(bounds::NAME).about("Words of `a-z0-9_` joined by dots.").example(json!("order.created")),
    )
}

fn batch_config() -> Shape {
    Shape::mapping()
        .about("How the items of a batch worker are sliced. Read, not acted upon.")
        .required("batch_size", Shape::integer(bounds::BATCH_SIZE).about("The items in a batch."))
        .required("parallelism", Shape::integer(bounds::PARALLELISM).about("The workers at a time."))
        .required("cursor_field", Shape::line(bounds::NAME).about("The field that the cursor walks."))
        .required(
            "worker_template",
            Shape::line(bounds::NAME).about("The name of the step that workers are made from."),
        )
        .required(
            "failure_strategy",
            Shape::word(&FailureStrategy::NAMES).about("What one failed worker means to the others."),
        )
}

fn lifecycle() -> Shape {
    let wait = |about: &str| Shape::integer(bounds::WAIT_MINUTES).about(about);
    Shape::mapping()
        .about("Limits on how long a task may stay where it is. Workers give up tasks that exceed one.")
        .key(
            "max_duration_minutes",
            Shape::integer(bounds::LIFE_MINUTES).about("The task's whole life, in minutes."),
        )
        .key("max_waiting_for_dependencies_minutes", wait("Waiting for dependencies, in minutes."))
        .key("max_waiting_for_retry_minutes", wait("Waiting for a retry, in minutes."))
        .key("max_steps_in_process_minutes", wait("Having steps in process, in minutes."))
        .key(
            "staleness_action",
            Shape::text()
                .about("With `none`, a task that exceeds a limit is not given up; with any other word it is.")
                .example(json!("dlq"))
                .example(json!("error"))
                .example(json!("none")),
        )
        .key("auto_fail_on_timeout", Shape::flag().about("Read, not acted upon: `staleness_action` decides."))
        .key("auto_dlq_on_timeout", Shape::flag().about("Read, not acted upon: `staleness_action` decides."))
}

fn environment() -> Shape {
    Shape::mapping()
        .about("What this environment changes.")
        .key(
            "steps",
            Shape::list(step_override()).about("Overrides, applied in this order: a later one wins."),
        )
        .or_empty()
}

fn step_override() -> Shape {
    let handler = Shape::mapping()
        .about("Changes of the step's handler.")
        .key(
            "initialization",
            Shape::map(Shape::any()).about("Merged over the step's `initialization`, key by key."),
        )
        .without_effect("callable", "Has no meaning in an override: the step's callable runs.")
        .without_effect("method", "Has no meaning in an override: the step's method runs.")
        .without_effect("resolver", "Has no meaning in an override.");
    Shape::mapping()
        .about("What the environment changes about a step.")
        .required(
            "name",
            Shape::line(bounds::NAME).about("The step, or `ALL` for every one.").example(json!("ALL")),
        )
        .key("handler", handler)
        .key("timeout_seconds", timeout().about("Replaces the step's `timeout_seconds`."))
        .key("retry", Shape::defined("retry").about("Replaces the whole `retry` of the step."))
}
