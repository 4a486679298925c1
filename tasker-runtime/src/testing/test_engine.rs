//! A whole template in virtual time, with some of its steps replaced.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tasker_store::Json;
use tasker_template::{Diagnostics, LoadedTemplate, TaskTemplate, load_file, load_str};

use crate::build::builder::Builder;
use crate::build::registry::erased;
use crate::handler::step_error::StepError;
use crate::handler::{States, StepContext, StepHandler, StepOutcome};
use crate::testing::stage::{Replacement, Target};

/// A change that a test makes to the builder of each worker.
pub(super) type Configure = Arc<dyn Fn(Builder) -> Builder + Send + Sync>;
/// Makes such a change for each run, with states of its own.
pub(super) type Prepare = Arc<dyn Fn(&mut States) -> Configure + Send + Sync>;

/// The default limit of calls: a run with more is taken for an endless loop.
const MAX_CALLS: usize = 10_000;
/// The default limit of a run's duration, in virtual time.
const MAX_ELAPSED: Duration = Duration::from_secs(7 * 86_400);

/// A template to be run in virtual time, on a store that is new for each run: in memory, or with
/// [`tables`](Self::tables) in a SQLite file.
///
/// Steps run the program's handlers, as in production, except those that the test replaces. A replaced step
/// needs no state, and its replacement may read the results of all ancestors.
///
/// Virtual time stands still while something runs, and otherwise jumps to the next timer: backoffs and
/// timeouts pass at once. A handler should wait by this clock only, as with `tokio::time::sleep`. A handler
/// that waits for a real socket would run into its timeout; put the connection behind a
/// [`State`](crate::State) that the test replaces by a fake.
///
/// ```
/// use std::time::Duration;
/// use tasker::testing::TestEngine;
/// use tasker::{StepContext, StepError, StepResult, step_handler};
///
/// #[step_handler("Docs::Invoice")]
/// async fn invoice(#[depends_on("charge")] receipt: String) -> String {
///     format!("invoice for {receipt}")
/// }
///
/// const TEMPLATE: &str = "
/// name: orders
/// namespace_name: docs
/// version: 1.0.0
/// steps:
///   - name: charge
///     handler: {callable: Docs::Charge}
///     retry: {max_attempts: 2, initial_delay: 1800, max_delay: 1800}
///   - name: invoice
///     handler: {callable: Docs::Invoice}
///     dependencies: [charge]
/// ";
///
/// let engine = TestEngine::template_str("orders.yaml", TEMPLATE).replace(
///     "charge",
///     |context: StepContext| async move {
///         match context.attempt() {
///             1 => Err(StepError::retryable("the bank is closed")),
///             _ => Ok("receipt 7"),
///         }
///     },
/// );
/// let run = engine.run_blocking(serde_json::json!({}));
/// run.assert_complete();
/// run.assert_before("charge", "invoice");
/// assert_eq!(run.output::<invoice>(), "invoice for receipt 7");
/// assert!(run.elapsed() > Duration::from_secs(1800)); // of virtual time
/// ```
#[derive(Clone)]
#[must_use = "an engine does nothing until it is told to run"]
pub struct TestEngine {
    pub(super) template: Arc<TaskTemplate>,
    pub(super) replacements: HashMap<String, Replacement>,
    pub(super) prepare: Vec<Prepare>,
    pub(super) max_calls: usize,
    pub(super) max_elapsed: Duration,
    /// Statements that create tables, each in the schema of a name.
    #[cfg(feature = "sqlite")]
    pub(super) tables: Vec<(Option<String>, String)>,
}

impl fmt::Debug for TestEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestEngine")
            .field("template", &self.template.name)
            .field("replacements", &self.replacements)
            .finish_non_exhaustive()
    }
}

impl TestEngine {
    /// For the template of this text; `name` is for messages.
    ///
    /// ```
    /// # use tasker::testing::TestEngine;
    /// const TEMPLATE: &str = "
    /// name: greeting
    /// namespace_name: docs
    /// version: 1.0.0
    /// steps:
    ///   - name: greet
    ///     handler: {callable: Greeter}
    /// ";
    /// let engine = TestEngine::template_str("greeting.yaml", TEMPLATE);
    /// ```
    ///
    /// # Panics
    ///
    /// When the template has faults.
    #[track_caller]
    pub fn template_str(name: impl Into<String>, yaml: impl Into<String>) -> Self {
        let (name, yaml) = (name.into(), yaml.into());
        let loaded = load_str(&name, &yaml);
        Self::new(loaded, move |builder| builder.template_str(name.clone(), yaml.clone()))
    }

    /// For the template of this file; tests run in the directory of their package's `Cargo.toml`.
    ///
    /// ```no_run
    /// # use tasker::testing::TestEngine;
    /// let engine = TestEngine::template_file("templates/orders.yaml");
    /// ```
    ///
    /// # Panics
    ///
    /// When the file cannot be read, or the template has faults.
    #[track_caller]
    pub fn template_file(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        let loaded = load_file(&path);
        Self::new(loaded, move |builder| builder.template_file(&path))
    }

    #[track_caller]
    fn new(
        loaded: Result<LoadedTemplate, Diagnostics>,
        source: impl Fn(Builder) -> Builder + Send + Sync + 'static,
    ) -> Self {
        let loaded = loaded.unwrap_or_else(|faults| panic!("{faults}"));
        let template = Arc::new(loaded.into_template());
        let engine = Self {
            template,
            replacements: HashMap::new(),
            prepare: Vec::new(),
            max_calls: MAX_CALLS,
            max_elapsed: MAX_ELAPSED,
            #[cfg(feature = "sqlite")]
            tables: Vec::new(),
        };
        engine.configure(source)
    }

    /// Runs a closure instead of a step's handler. It may read the result of every step before it.
    ///
    /// ```
    /// # use tasker::testing::TestEngine;
    /// # use tasker::{StepContext, StepResult};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: double, handler: {callable: a}}]}";
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE);
    /// let engine = engine.replace("double", |context: StepContext| async move {
    ///     let number: u64 = context.input_field("number")?;
    ///     StepResult::Ok(number * 2)
    /// });
    /// let run = engine.run_blocking(serde_json::json!({"number": 4}));
    /// assert_eq!(run.step_output::<u64>("double"), 8);
    /// ```
    ///
    /// # Panics
    ///
    /// When the template has no such step.
    #[track_caller]
    pub fn replace<F, T, E>(
        self,
        step: impl Into<Target>,
        handler: impl Fn(StepContext) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Serialize,
        E: Into<StepError>,
    {
        let handler = Arc::new(erased(handler));
        self.set(step.into(), |replacement| replacement.then = Some(handler.clone()))
    }

    /// Gives a step this result, without its handler.
    ///
    /// ```
    /// # use tasker::testing::TestEngine;
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: charge, handler: {callable: a}}]}";
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("charge", "receipt 7");
    /// let run = engine.run_blocking(serde_json::json!({}));
    /// assert_eq!(run.step_output::<String>("charge"), "receipt 7");
    /// ```
    ///
    /// # Panics
    ///
    /// When the template has no such step, or the value cannot be written as JSON.
    #[track_caller]
    pub fn returns<T: Serialize + ?Sized>(self, step: impl Into<Target>, value: &T) -> Self {
        let json = Json::from_value(value)
            .unwrap_or_else(|error| panic!("a result of the test cannot be written as JSON: {error}"));
        self.set(step.into(), |replacement| {
            let json = json.clone();
            replacement.then = Some(Arc::new(move |_| {
                let outcome = StepOutcome::Complete(json.clone());
                Box::pin(async { outcome })
            }));
        })
    }

    /// Gives the steps of the handler `H` this result, of the type that it returns.
    ///
    /// ```
    /// # use tasker::{step_handler, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: pay, handler: {callable: 'Docs::Pay'}}]}";
    /// #[step_handler("Docs::Pay")]
    /// async fn pay() -> u64 { 100 }
    ///
    /// let run = TestEngine::template_str("t.yaml", TEMPLATE)
    ///     .result_of::<pay>(&5)
    ///     .run_blocking(serde_json::json!({}));
    /// assert_eq!(run.output::<pay>(), 5);
    /// ```
    ///
    /// # Panics
    ///
    /// As [`returns`](Self::returns).
    #[track_caller]
    pub fn result_of<H: StepHandler<Output: Serialize>>(self, value: &H::Output) -> Self {
        self.returns(super::handler::<H>(), value)
    }

    /// Fails a step's first attempts with these errors, one each. Later attempts use the replacement of
    /// [`replace`](Self::replace) or [`returns`](Self::returns), or the step's own handler.
    ///
    /// ```
    /// # use tasker::{StepError, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: charge, handler: {callable: a}}]}";
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE)
    ///     .fails("charge", [StepError::retryable("503"), StepError::permanent("declined")])
    ///     .returns("charge", "receipt 7");
    /// let run = engine.run_blocking(serde_json::json!({}));
    /// run.assert_failed("charge");
    /// assert_eq!(run.attempts("charge").len(), 2);
    /// ```
    ///
    /// # Panics
    ///
    /// When the template has no such step.
    #[track_caller]
    pub fn fails(self, step: impl Into<Target>, errors: impl IntoIterator<Item = StepError>) -> Self {
        let errors: Arc<[StepError]> = errors.into_iter().collect();
        self.set(step.into(), |replacement| replacement.errors = Arc::clone(&errors))
    }

    #[track_caller]
    fn set(mut self, target: Target, change: impl Fn(&mut Replacement)) -> Self {
        for step in target.steps(&self.template) {
            change(self.replacements.entry(step).or_default());
        }
        self
    }

    /// A value that handlers can take as [`State<T>`](crate::State). All runs share it; for a new value in
    /// each run see [`state_of_run`](Self::state_of_run).
    ///
    /// ```
    /// # use tasker::{State, step_handler, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: wave, handler: {callable: 'Docs::Signal'}}]}";
    /// #[derive(Clone)]
    /// struct Greeting(&'static str);
    ///
    /// #[step_handler("Docs::Signal")]
    /// async fn wave(State(Greeting(text)): State<Greeting>) -> String { text.to_owned() }
    ///
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE).state(Greeting("Hi"));
    /// assert_eq!(engine.run_blocking(serde_json::json!({})).output::<wave>(), "Hi");
    /// ```
    pub fn state<T: Clone + Send + Sync + 'static>(self, value: T) -> Self {
        self.state_of_run(move || value.clone())
    }

    /// A state that is made for each run, and survives the crashes in it: the fake of an external system.
    /// [`TestRun::state`](crate::testing::TestRun::state) gives it to the assertions.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use tasker::{State, step_handler, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: ring, handler: {callable: 'Docs::Ring'}}]}";
    ///
    /// #[derive(Clone, Default)]
    /// struct Bell(Arc<Mutex<u32>>);
    ///
    /// #[step_handler("Docs::Ring")]
    /// async fn ring(State(Bell(rung)): State<Bell>) { *rung.lock().unwrap() += 1; }
    ///
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE).state_of_run(Bell::default);
    /// for _ in 0..2 {
    ///     let run = engine.run_blocking(serde_json::json!({}));
    ///     assert_eq!(*run.state::<Bell>().0.lock().unwrap(), 1);
    /// }
    /// ```
    pub fn state_of_run<T: Clone + Send + Sync + 'static>(
        mut self,
        make: impl Fn() -> T + Send + Sync + 'static,
    ) -> Self {
        self.prepare.push(Arc::new(move |states| {
            let value = make();
            states.insert(value.clone());
            Arc::new(move |builder| builder.state(value.clone()))
        }));
        self
    }

    /// Applies any other settings of the builder. Called for each worker; the store and the clock are always
    /// those of the test.
    ///
    /// ```
    /// # use tasker::{StepContext, StepResult, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}]}";
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE).configure(|builder| {
    ///     builder
    ///         .only_listed_handlers()
    ///         .handler_fn("a", |_: StepContext| async { StepResult::Ok(1) })
    ///         .concurrency(1)
    /// });
    /// engine.run_blocking(serde_json::json!({})).assert_complete();
    /// ```
    pub fn configure(mut self, change: impl Fn(Builder) -> Builder + Send + Sync + 'static) -> Self {
        let change: Configure = Arc::new(change);
        self.prepare.push(Arc::new(move |_| Arc::clone(&change)));
        self
    }

    /// A run that calls handlers more often than this fails, with its history; 10 000 times unless said
    /// otherwise.
    ///
    /// ```should_panic
    /// # use tasker::{StepContext, StepError, StepResult, testing::TestEngine};
    /// const TEMPLATE: &str = "
    /// name: t
    /// namespace_name: docs
    /// version: 1.0.0
    /// steps: [{name: poll, handler: {callable: Poll}, retry: {max_attempts: 100}}]
    /// ";
    /// TestEngine::template_str("t.yaml", TEMPLATE)
    ///     .replace("poll", |_: StepContext| async {
    ///         StepResult::<()>::Err(StepError::retryable("not yet"))
    ///     })
    ///     .max_calls(20)
    ///     .run_blocking(serde_json::json!({}));
    /// ```
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.max_calls = calls;
        self
    }

    /// A run that takes longer than this, in virtual time, fails with its history; a week unless said
    /// otherwise.
    ///
    /// ```should_panic
    /// # use std::time::Duration;
    /// # use tasker::{StepError, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}]}";
    /// let tomorrow = StepError::retryable("closed").with_retry_after(Duration::from_secs(86_400));
    /// TestEngine::template_str("t.yaml", TEMPLATE)
    ///     .fails("a", [tomorrow])
    ///     .returns("a", &1)
    ///     .max_elapsed(Duration::from_secs(3_600))
    ///     .run_blocking(serde_json::json!({}));
    /// ```
    pub fn max_elapsed(mut self, limit: Duration) -> Self {
        self.max_elapsed = limit;
        self
    }
}
