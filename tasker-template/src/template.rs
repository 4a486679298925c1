//! A task template as the engine uses it: the same form for both dialects, with every default filled in.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a task does: its steps, how they depend on each other, and how each is retried.
///
/// Serialized, it is the snapshot that a task keeps of the template it was created with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskTemplate {
    /// Unique within a namespace and version.
    pub name: String,
    /// The team or domain that owns the template.
    #[serde(rename = "namespace_name")]
    pub namespace: String,
    /// Any text; by convention `major.minor.patch`.
    pub version: String,
    /// What the workflow is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The metadata as the author wrote it: author, tags and anything else.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// The JSON schema of a task's context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Value>,
    /// The steps, in the order of the file.
    pub steps: Vec<StepTemplate>,
    /// Limits on how long a task may wait.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// Overrides by environment, in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<Environment>,
    /// The environment whose overrides have been applied; `None` for none. No key of a template file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

/// One step of a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepTemplate {
    /// Unique within the template.
    pub name: String,
    /// What the step does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How the step comes into being and what its result means.
    #[serde(rename = "type", default)]
    pub step_type: StepType,
    /// The handler that runs it.
    pub handler: HandlerTemplate,
    /// The names of the steps whose results must be recorded before this one starts.
    #[serde(default)]
    pub dependencies: Vec<String>,
    /// How often and how late it is tried again.
    pub retry: RetryPolicy,
    /// The seconds after which an attempt is ended and counts as failed; `None` for the worker's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// The system that the step talks to; documentation only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_dependency: Option<String>,
    /// Events to publish when the step ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publishes_events: Vec<EventTemplate>,
    /// How a batch worker's items are sliced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_config: Option<BatchConfig>,
    /// The JSON schema of the step's result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_schema: Option<Value>,
}

/// The entry point of a handler that has one only.
pub const DEFAULT_METHOD: &str = "call";

/// The code that runs a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandlerTemplate {
    /// The key that the handler was registered with.
    pub callable: String,
    /// The entry point of a handler that has several; `None` is `call`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Static configuration, readable through the step's context.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub initialization: Map<String, Value>,
}

impl HandlerTemplate {
    /// The name of the entry point.
    ///
    /// ```
    /// let yaml = "{name: a, namespace_name: b, version: 1, steps: [{name: s, handler: {callable: C}}]}";
    /// let template = tasker_template::load_str("demo.yaml", yaml).unwrap().into_template();
    /// assert_eq!(template.steps[0].handler.method_name(), tasker_template::DEFAULT_METHOD);
    /// ```
    #[must_use]
    pub fn method_name(&self) -> &str {
        self.method.as_deref().unwrap_or(DEFAULT_METHOD)
    }
}

/// How a step comes into being and what its result means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepType {
    /// Made with the task.
    #[default]
    Standard,
    /// Its result says which of its branches are made.
    Decision,
    /// Made with the branches or batch that reach it.
    DeferredConvergence,
    /// Its result says how many batch workers are made.
    Batchable,
    /// The pattern that batch workers are made from.
    BatchWorker,
}

impl StepType {
    pub(crate) const NAMES: [(&'static str, Self); 5] = [
        ("standard", Self::Standard),
        ("decision", Self::Decision),
        ("deferred_convergence", Self::DeferredConvergence),
        ("batchable", Self::Batchable),
        ("batch_worker", Self::BatchWorker),
    ];
}

/// How often and how late a failed step is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Whether it is tried again at all.
    pub retryable: bool,
    /// All attempts, the first included; 0 counts as 1.
    pub max_attempts: u32,
    /// How the delay grows.
    pub backoff: Backoff,
    /// The delay before the second attempt, in milliseconds.
    pub backoff_base_ms: u64,
    /// No delay is longer than this many milliseconds.
    pub max_backoff_ms: u64,
}

impl RetryPolicy {
    /// All attempts that a step has, the first included; at least 1.
    ///
    /// ```
    /// use tasker_template::RetryPolicy;
    /// assert_eq!(RetryPolicy::default().attempts(), 3);
    /// assert_eq!(RetryPolicy { retryable: false, ..RetryPolicy::default() }.attempts(), 1);
    /// ```
    #[must_use]
    pub fn attempts(&self) -> u32 {
        if self.retryable { self.max_attempts.max(1) } else { 1 }
    }

    /// The plain delay before the next attempt when `attempts` (at least 1) have been made.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tasker_template::RetryPolicy;
    /// let policy = RetryPolicy { backoff_base_ms: 2_000, ..RetryPolicy::default() };
    /// let delays = [1, 2, 3].map(|attempts| policy.delay(attempts));
    /// assert_eq!(delays, [2, 4, 8].map(Duration::from_secs));
    /// ```
    #[must_use]
    pub fn delay(&self, attempts: u32) -> Duration {
        let millis = self.backoff_base_ms.saturating_mul(self.backoff.factor(attempts.max(1)));
        Duration::from_millis(millis.min(self.max_backoff_ms))
    }

    /// The longest delay.
    #[must_use]
    pub fn cap(&self) -> Duration {
        Duration::from_millis(self.max_backoff_ms)
    }
}

impl Default for RetryPolicy {
    /// Three attempts, exponential from one second to thirty.
    fn default() -> Self {
        Self {
            retryable: true,
            max_attempts: 3,
            backoff: Backoff::Exponential,
            backoff_base_ms: 1_000,
            max_backoff_ms: 30_000,
        }
    }
}

/// How the delay between attempts grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// No delay.
    None,
    /// base, 2 × base, 3 × base, …
    Linear,
    /// base, 2 × base, 4 × base, …
    #[default]
    Exponential,
    /// base, 1 × base, 2 × base, 3 × base, 5 × base, …
    Fibonacci,
}

impl Backoff {
    pub(crate) const NAMES: [(&'static str, Self); 4] = [
        ("none", Self::None),
        ("linear", Self::Linear),
        ("exponential", Self::Exponential),
        ("fibonacci", Self::Fibonacci),
    ];

    /// How many times the base delay to wait after `attempts` attempts.
    fn factor(self, attempts: u32) -> u64 {
        match self {
            Self::None => 0,
            Self::Linear => u64::from(attempts),
            Self::Exponential => 1_u64.checked_shl(attempts - 1).unwrap_or(u64::MAX),
            Self::Fibonacci => {
                let (mut this, mut next) = (1_u64, 1_u64);
                for _ in 1..attempts.min(100) {
                    (this, next) = (next, this.saturating_add(next));
                }
                this
            }
        }
    }
}

/// An event that a step publishes when it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventTemplate {
    /// Dotted, in lower case: `order.created`.
    pub name: String,
    /// The rest as the author wrote it: condition, schema, delivery mode, publisher.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
}

/// How a batch worker's items are sliced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchConfig {
    /// Items in a batch.
    pub batch_size: u32,
    /// Workers at a time.
    pub parallelism: u32,
    /// The field that the cursor walks.
    pub cursor_field: String,
    /// The step that workers are made from.
    pub worker_template: String,
    /// What one failed worker means to the others.
    pub failure_strategy: FailureStrategy,
}

/// What one failed batch worker means to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureStrategy {
    /// The others go on.
    ContinueOnFailure,
    /// The others are stopped.
    FailFast,
    /// The failed one is isolated.
    Isolate,
}

impl FailureStrategy {
    pub(crate) const NAMES: [(&'static str, Self); 3] = [
        ("continue_on_failure", Self::ContinueOnFailure),
        ("fail_fast", Self::FailFast),
        ("isolate", Self::Isolate),
    ];
}

/// Limits on how long a task may wait before it is reported as stale; all in minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// The task's whole life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration_minutes: Option<u32>,
    /// Waiting for dependencies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_waiting_for_dependencies_minutes: Option<u32>,
    /// Waiting for a retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_waiting_for_retry_minutes: Option<u32>,
    /// Steps in process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_steps_in_process_minutes: Option<u32>,
    /// `dlq`, `error` or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staleness_action: Option<String>,
    /// Whether a task that exceeds a limit fails automatically.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_fail_on_timeout: Option<bool>,
    /// Whether a task that exceeds a limit becomes a dead letter automatically.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_dlq_on_timeout: Option<bool>,
}

/// The overrides of one environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// `production`, `test`, …
    pub name: String,
    /// Applied in this order, so that a later entry wins.
    pub steps: Vec<StepOverride>,
}

/// What an environment changes about a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepOverride {
    /// The step, or `ALL` for every one.
    pub name: String,
    /// Merged over the handler's `initialization`, key by key.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub initialization: Map<String, Value>,
    /// Replaces the timeout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// Replaces the whole retry policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
}

impl TaskTemplate {
    /// The template with the overrides of `environment` applied; as it is, when it has no such environment.
    ///
    /// ```
    /// let yaml = "
    /// name: a
    /// namespace_name: b
    /// version: 1.0
    /// steps: [{name: s, handler: {callable: C}, timeout_seconds: 30}]
    /// environments: {test: {steps: [{name: ALL, timeout_seconds: 5}]}}
    /// ";
    /// let template = tasker_template::load_str("demo.yaml", yaml).unwrap().into_template();
    /// assert_eq!(template.for_environment("test").steps[0].timeout_seconds, Some(5));
    /// assert_eq!(template.for_environment("other").steps[0].timeout_seconds, Some(30));
    /// ```
    #[must_use]
    pub fn for_environment(&self, environment: &str) -> Self {
        let mut resolved = self.clone();
        for Environment { name, steps } in self.environments.iter().filter(|one| one.name == environment) {
            resolved.environment = Some(name.clone());
            resolved.apply(steps);
        }
        resolved
    }

    /// Whether a worker of this environment, or of none, runs the template's tasks as they were created: with
    /// the overrides of the same environment, or with others only where the template has none to apply.
    ///
    /// ```
    /// let yaml = "
    /// name: a
    /// namespace_name: b
    /// version: 1.0
    /// steps: [{name: s, handler: {callable: C, initialization: {url: live}}}]
    /// environments: {test: {steps: [{name: s, handler: {initialization: {url: sandbox}}}]}}
    /// ";
    /// let plain = tasker_template::load_str("demo.yaml", yaml).unwrap().into_template();
    /// let test = plain.for_environment("test");
    /// assert!(plain.runs_in(None) && plain.runs_in(Some("production")) && !plain.runs_in(Some("test")));
    /// assert!(test.runs_in(Some("test")) && !test.runs_in(Some("production")) && !test.runs_in(None));
    /// ```
    #[must_use]
    pub fn runs_in(&self, environment: Option<&str>) -> bool {
        match (self.environment.as_deref(), environment) {
            (None, None) => true,
            // A snapshot of an earlier version does not say its environment: what this one would apply may
            // have been applied already.
            (None, Some(environment)) => self.for_environment(environment).steps == self.steps,
            (own, environment) => own == environment,
        }
    }

    fn apply(&mut self, overrides: &[StepOverride]) {
        for change in overrides {
            for step in self.steps.iter_mut().filter(|step| change.name == "ALL" || step.name == change.name)
            {
                step.handler.initialization.extend(change.initialization.clone());
                step.timeout_seconds = change.timeout_seconds.or(step.timeout_seconds);
                step.retry = change.retry.unwrap_or(step.retry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(backoff: Backoff, seconds: [u64; 6]) {
        let policy = RetryPolicy { backoff, max_backoff_ms: 10_000, ..RetryPolicy::default() };
        let delays = [1, 2, 3, 4, 5, 6].map(|attempts| policy.delay(attempts).as_secs());
        assert_eq!(delays, seconds);
    }

    #[test]
    fn delays_grow_as_named_and_stop_at_the_cap() {
        check(Backoff::None, [0; 6]);
        check(Backoff::Linear, [1, 2, 3, 4, 5, 6]);
        check(Backoff::Exponential, [1, 2, 4, 8, 10, 10]);
        check(Backoff::Fibonacci, [1, 1, 2, 3, 5, 8]);
    }

    #[test]
    fn very_many_attempts_do_not_overflow() {
        for (_, backoff) in Backoff::NAMES {
            let policy = RetryPolicy { backoff, ..RetryPolicy::default() };
            assert!(policy.delay(u32::MAX) <= policy.cap());
        }
    }

    #[test]
    fn a_later_override_of_an_environment_wins_and_merges_initialization() {
        let yaml = "
name: a
namespace_name: b
version: 1
steps:
  - {name: s, handler: {callable: C, initialization: {url: x, keep: 1}}, retry: {max_attempts: 7}}
  - {name: t, handler: {callable: D}}
environments:
  test:
    steps:
      - {name: ALL, timeout_seconds: 9, retry: {max_attempts: 2}}
      - {name: s, timeout_seconds: 1, handler: {initialization: {url: y}}}
";
        let template = crate::load_str("t.yaml", yaml).unwrap().into_template().for_environment("test");
        let [s, t] = &template.steps[..] else { panic!("two steps") };
        assert_eq!((s.timeout_seconds, t.timeout_seconds), (Some(1), Some(9)));
        assert_eq!(s.retry, RetryPolicy { max_attempts: 2, ..RetryPolicy::default() });
        assert_eq!(Value::from(s.handler.initialization.clone()), serde_json::json!({"url": "y", "keep": 1}));
    }

    #[test]
    fn a_snapshot_says_its_environment_and_one_of_an_earlier_version_need_not() {
        let yaml = "{name: a, namespace_name: b, version: 1,
            steps: [{name: s, handler: {callable: C}}],
            environments: {test: {steps: [{name: s, timeout_seconds: 5}]}, other: }}";
        let plain = crate::load_str("t.yaml", yaml).unwrap().into_template();
        let json = |template: &TaskTemplate| serde_json::to_value(template).unwrap();
        // Without an environment, the snapshot and so its id are what they were.
        assert!(json(&plain).get("environment").is_none());
        assert_eq!(plain.for_environment("nowhere"), plain);
        assert_eq!(json(&plain.for_environment("other"))["environment"], "other");
        let mut earlier = json(&plain.for_environment("test"));
        earlier.as_object_mut().unwrap().remove("environment");
        let earlier: TaskTemplate = serde_json::from_value(earlier).unwrap();
        assert!(earlier.runs_in(Some("test")) && earlier.runs_in(Some("other")) && earlier.runs_in(None));
    }
}
