//! The outcome of a run, and assertions about it.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tasker_store::{ErrorRecord, StepState, TaskState, chain};

use crate::client::task::{Attempt, OutputError, Step, Task};
use crate::handler::{States, StepHandler};
use crate::testing::crash::Crash;
use crate::testing::history::Entry;
use crate::testing::stage::unknown_step;

/// The outcome of a run of a [`TestEngine`](crate::testing::TestEngine). Its `Display` is the whole history,
/// which every failed assertion shows.
///
/// ```
/// use tasker::testing::TestEngine;
/// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
/// #     steps: [{name: a, handler: {callable: a}}, {name: b, handler: {callable: b}, dependencies: [a]}]}";
/// let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1).returns("b", &2);
/// let run = engine.run_blocking(serde_json::json!({}));
/// run.assert_complete();
/// run.assert_before("a", "b");
/// assert_eq!(run.order(), ["a#1", "b#1"]);
/// println!("{run}");
/// ```
#[derive(Clone, Debug)]
pub struct TestRun {
    pub(crate) task: Task,
    pub(crate) entries: Vec<Entry>,
    pub(crate) crash: Option<Crash>,
    pub(crate) states: States,
    /// The store, where it is a file.
    #[cfg(feature = "sqlite")]
    pub(crate) file: Option<std::sync::Arc<tasker_sqlite::SqliteStore>>,
}

impl TestRun {
    /// The task as it ended.
    ///
    /// ```
    /// # use tasker::{TaskState, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}]}";
    /// # let run = TestEngine::template_str("t.yaml", TEMPLATE)
    /// #     .returns("a", &1)
    /// #     .run_blocking(serde_json::json!({}));
    /// assert_eq!(run.task().state, TaskState::Complete);
    /// ```
    #[must_use]
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// The crash of the run; `None` when there was none.
    ///
    /// ```
    /// # use tasker::testing::TestEngine;
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}, \
    /// #     {name: b, handler: {callable: b}, dependencies: [a]}]}";
    /// # let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1).returns("b", &2);
    /// let run = engine.run_blocking(serde_json::json!({}));
    /// assert!(run.crash().is_none());
    /// ```
    #[must_use]
    pub fn crash(&self) -> Option<&Crash> {
        self.crash.as_ref()
    }

    /// A state that the engine was given, as the handlers saw it.
    /// See [`TestEngine::state_of_run`](crate::testing::TestEngine::state_of_run).
    ///
    /// ```
    /// # use tasker::testing::TestEngine;
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}, \
    /// #     {name: b, handler: {callable: b}, dependencies: [a]}]}";
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE)
    ///     .returns("a", &1)
    ///     .returns("b", &2)
    ///     .state(5_u8);
    /// let run = engine.run_blocking(serde_json::json!({}));
    /// assert_eq!(*run.state::<u8>(), 5);
    /// ```
    ///
    /// # Panics
    ///
    /// When there is none of this type.
    #[track_caller]
    #[must_use]
    pub fn state<T: 'static>(&self) -> &T {
        let missing = || panic!("the engine was given no state of type `{}`", std::any::type_name::<T>());
        self.states.get().unwrap_or_else(missing)
    }

    /// The steps in the order in which their handlers were called, each with the number of the attempt.
    ///
    /// ```
    /// # use tasker::{StepError, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}]}";
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE)
    ///     .fails("a", [StepError::retryable("503")])
    ///     .returns("a", &1);
    /// assert_eq!(engine.run_blocking(serde_json::json!({})).order(), ["a#1", "a#2"]);
    /// ```
    #[must_use]
    pub fn order(&self) -> Vec<String> {
        let began = |entry: &Entry| match entry {
            Entry::Began { step, attempt, .. } => Some(format!("{step}#{attempt}")),
            Entry::Completed { .. } | Entry::Crashed => None,
        };
        self.entries.iter().filter_map(began).collect()
    }

    /// The attempts of a step that were recorded, the oldest first.
    ///
    /// ```
    /// # use tasker::{StepError, testing::TestEngine, task::AttemptOutcome};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}]}";
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE)
    ///     .fails("a", [StepError::retryable("503")])
    ///     .returns("a", &1);
    /// let run = engine.run_blocking(serde_json::json!({}));
    /// let first = &run.attempts("a")[0];
    /// assert_eq!(first.outcome, AttemptOutcome::Failed);
    /// assert_eq!(first.error.as_ref().unwrap().to_string(), "503");
    /// ```
    ///
    /// # Panics
    ///
    /// When the template has no such step.
    #[track_caller]
    #[must_use]
    pub fn attempts(&self, step: &str) -> &[Attempt] {
        &self.step(step).attempts
    }

    /// A step of the task.
    ///
    /// ```
    /// # use tasker::{StepState, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}]}";
    /// # let run = TestEngine::template_str("t.yaml", TEMPLATE)
    /// #     .returns("a", &1)
    /// #     .run_blocking(serde_json::json!({}));
    /// assert_eq!(run.step("a").state, StepState::Complete);
    /// ```
    ///
    /// # Panics
    ///
    /// When the template has no such step.
    #[track_caller]
    #[must_use]
    pub fn step(&self, name: &str) -> &Step {
        let names = self.task.steps.iter().map(|step| step.name.as_str());
        self.task.step(name).unwrap_or_else(|| panic!("{}", unknown_step(names, name)))
    }

    /// What the handler `H` returned.
    ///
    /// ```
    /// # use tasker::{step_handler, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: seven, handler: {callable: 'Docs::Lucky'}}]}";
    /// #[step_handler("Docs::Lucky")]
    /// async fn seven() -> u64 { 7 }
    ///
    /// let run = TestEngine::template_str("t.yaml", TEMPLATE).run_blocking(serde_json::json!({}));
    /// assert_eq!(run.output::<seven>(), 7);
    /// ```
    ///
    /// # Panics
    ///
    /// When it runs no step of the template or several, or its step is not complete.
    #[track_caller]
    #[must_use]
    pub fn output<H: StepHandler<Output: DeserializeOwned>>(&self) -> H::Output {
        self.expect(self.task.output::<H>())
    }

    /// What a step returned, read as a `T`.
    ///
    /// ```
    /// # use tasker::testing::TestEngine;
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}]}";
    /// # let run = TestEngine::template_str("t.yaml", TEMPLATE)
    /// #     .returns("a", &1)
    /// #     .run_blocking(serde_json::json!({}));
    /// assert_eq!(run.step_output::<u64>("a"), 1);
    /// ```
    ///
    /// # Panics
    ///
    /// When there is no such step, it is not complete, or its result is no `T`.
    #[track_caller]
    #[must_use]
    pub fn step_output<T: DeserializeOwned>(&self, step: &str) -> T {
        self.expect(self.task.step_output(step))
    }

    #[track_caller]
    fn expect<T>(&self, output: Result<T, OutputError>) -> T {
        match output {
            Ok(output) => output,
            Err(error) => self.fail(chain(&error)),
        }
    }

    /// How long it took, in virtual time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tasker::{StepError, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}]}";
    /// let in_an_hour = StepError::retryable("closed").with_retry_after(Duration::from_secs(3600));
    /// let run = TestEngine::template_str("t.yaml", TEMPLATE)
    ///     .fails("a", [in_an_hour])
    ///     .returns("a", &1)
    ///     .run_blocking(serde_json::json!({}));
    /// assert_eq!(run.elapsed().as_secs(), 3600);
    /// ```
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.task.settled_at.map_or(Duration::ZERO, |end| self.since_start(end))
    }

    fn since_start(&self, time: Timestamp) -> Duration {
        Duration::try_from(time.duration_since(self.task.created_at)).unwrap_or_default()
    }

    /// Asserts that the task is complete.
    ///
    /// ```
    /// # use tasker::testing::TestEngine;
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}, \
    /// #     {name: b, handler: {callable: b}, dependencies: [a]}]}";
    /// # let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1).returns("b", &2);
    /// let run = engine.run_blocking(serde_json::json!({}));
    /// run.assert_complete();
    /// ```
    ///
    /// # Panics
    ///
    /// With the history, when it is not.
    #[track_caller]
    pub fn assert_complete(&self) {
        if self.task.state != TaskState::Complete {
            self.fail("the task is not complete");
        }
    }

    /// Asserts that the step has failed for good, so that the task is blocked. Returns the error.
    ///
    /// ```
    /// # use tasker::{StepError, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}]}";
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE)
    ///     .fails("a", [StepError::permanent("declined")])
    ///     .returns("a", &1);
    /// let run = engine.run_blocking(serde_json::json!({}));
    /// assert_eq!(run.assert_failed("a").to_string(), "declined");
    /// ```
    ///
    /// # Panics
    ///
    /// With the history, when it has not.
    #[track_caller]
    pub fn assert_failed(&self, step: &str) -> &ErrorRecord {
        let found = self.step(step);
        match found.error().filter(|_| found.state == StepState::Error) {
            Some(error) => error,
            None => self.fail(format_args!("step `{step}` has not failed for good: it is {}", found.state)),
        }
    }

    /// Asserts that the step `first` was complete before the handler of `second` was called.
    ///
    /// ```
    /// # use tasker::testing::TestEngine;
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}, \
    /// #     {name: b, handler: {callable: b}, dependencies: [a]}]}";
    /// # let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1).returns("b", &2);
    /// let run = engine.run_blocking(serde_json::json!({}));
    /// run.assert_before("a", "b");
    /// ```
    ///
    /// # Panics
    ///
    /// With the history, when it was not, or one of them was never reached.
    #[track_caller]
    pub fn assert_before(&self, first: &str, second: &str) {
        let (first, second) = (&self.step(first).name, &self.step(second).name);
        let completed =
            self.entries.iter().position(|one| matches!(one, Entry::Completed { step } if step == first));
        let began =
            self.entries.iter().position(|one| matches!(one, Entry::Began { step, .. } if step == second));
        match (completed, began) {
            (Some(completed), Some(began)) if completed < began => {}
            (None, _) => self.fail(format_args!("step `{first}` has never been complete")),
            (_, None) => self.fail(format_args!("step `{second}` has never begun")),
            _ => self.fail(format_args!("step `{second}` began before `{first}` was complete")),
        }
    }

    #[track_caller]
    fn fail(&self, what: impl fmt::Display) -> ! {
        panic!("{what}\n\n{self}")
    }

    /// The attempts that a worker had claimed when it died, before it called the handler.
    fn never_called(&self) -> Vec<(String, String)> {
        let called = self.order();
        let of_step = |step: &Step| -> Vec<_> {
            let all = step.attempts.iter().map(|one| one.attempt);
            all.map(|number| (format!("{}#{number}", step.name), self.ending(step, number))).collect()
        };
        self.task.steps.iter().flat_map(of_step).filter(|(name, _)| !called.contains(name)).collect()
    }

    /// How an attempt ended, for the history.
    fn ending(&self, step: &Step, attempt: u32) -> String {
        let Some(found) = step.attempts.iter().find(|one| one.attempt == attempt) else {
            return "was not recorded".to_owned();
        };
        match &found.error {
            Some(error) => format!("{}: {error}", found.outcome),
            None => match &step.result {
                Some(result) => format!("{}: {}", found.outcome, shortened(result.get())),
                None => found.outcome.to_string(),
            },
        }
    }
}

/// The number of calls that are shown from the beginning and from the end of a long history.
const SHOWN: usize = 50;

/// The beginning of a result that is too long to be shown.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl fmt::Display for TestRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = &self.task;
        let seconds = |time: Duration| format!("{:>10.3} s", time.as_secs_f64());
        let context = shortened(task.context.get());
        write!(f, "{}/{} with {context} is {}", task.namespace, task.name, task.state)?;
        match task.settled_at {
            Some(_) => writeln!(f, " after {:.3} s:", self.elapsed().as_secs_f64())?,
            None => writeln!(f, ":")?,
        }
        let width = task.steps.iter().map(|step| step.name.chars().count() + 3).max().unwrap_or(0);
        let calls = self.order().len();
        let mut call = 0;
        for entry in &self.entries {
            if let Entry::Began { .. } = entry {
                call += 1;
                if call > SHOWN && call + SHOWN <= calls {
                    if call == SHOWN + 1 {
                        writeln!(f, "{:>12}  … {} more …", "", calls - 2 * SHOWN)?;
                    }
                    continue;
                }
            }
            match entry {
                Entry::Began { step, attempt, at } => {
                    let ending =
                        task.step(step).map(|found| self.ending(found, *attempt)).unwrap_or_default();
                    let name = format!("{step}#{attempt}");
                    writeln!(f, "{}  {name:<width$}  {ending}", seconds(self.since_start(*at)))?;
                }
                Entry::Completed { .. } => {}
                Entry::Crashed => {
                    let crash = self.crash.as_ref().map(ToString::to_string).unwrap_or_default();
                    writeln!(f, "{:>12}  {crash}", "")?;
                    for (name, ending) in self.never_called() {
                        writeln!(f, "{:>12}  {name:<width$}  never called; {ending}", "")?;
                    }
                }
            }
        }
        for step in task.steps.iter().filter(|step| step.attempts.is_empty()) {
            writeln!(f, "{:>12}  {:<width$}  {}", "", step.name, step.state)?;
        }
        Ok(())
    }
}
