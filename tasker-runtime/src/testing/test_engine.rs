//! A whole template in virtual time, with some of its steps replaced.

use std::any::Any;
use std::collections::HashMap;
use std::fmt::{self, Display};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use tasker_template::{Diagnostics, LoadedTemplate, TaskTemplate, load_file, load_str};
use tokio_util::sync::CancellationToken;

use crate::builder::Builder;
use crate::clock::Clock;
use crate::handler::{States, StepContext, StepHandler, StepOutcome};
use crate::json::Json;
use crate::registry::erased;
use crate::step_error::StepError;
use crate::store::{MemoryStore, Store};
use crate::task::Task;
use crate::tasker::{Error, NewTask, Tasker};
use crate::testing::crash::{Crash, CrashPoint, MortalStore};
use crate::testing::history::{Entry, History};
use crate::testing::stage::{Replacement, Stage, Target};
use crate::testing::test_run::TestRun;
use crate::testing::{block_on, require_virtual_time};

/// When runs begin, in virtual time.
const START: Timestamp = Timestamp::constant(1_800_000_000, 0);
/// Runs are alike to the last jitter.
const SEED: u64 = 7;

/// What a test adds to the builder of each worker.
type Configure = Arc<dyn Fn(Builder) -> Builder + Send + Sync>;
/// Makes it anew for each run.
type Prepare = Arc<dyn Fn(&mut States) -> Configure + Send + Sync>;

/// A template to be run in virtual time, on a store in memory that is new for each run.
///
/// The handlers are those that the program has, as in production, but for the steps that the test
/// replaces. A replaced step asks for no state, and its replacement may read the results of all steps
/// before it.
///
/// Time goes on only while nothing runs, and then jumps: backoffs and timeouts pass at once. So should
/// every wait of a handler, as with `tokio::time::sleep`; one that waits for a real socket would see its
/// timeout first, and belongs behind a [`State`](crate::State) that the test fakes.
///
/// ```
/// use std::time::Duration;
/// use tasker_runtime::testing::TestEngine;
/// use tasker_runtime::{StepContext, StepError, StepResult, step_handler};
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
    template: Arc<TaskTemplate>,
    replacements: HashMap<String, Replacement>,
    prepare: Vec<Prepare>,
}

impl fmt::Debug for TestEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestEngine")
            .field("template", &self.template.name)
            .field("replacements", &self.replacements)
            .finish_non_exhaustive()
    }
}

/// What the workers of one run share.
struct World {
    store: Arc<MemoryStore>,
    clock: Clock,
    history: History,
    states: States,
    configure: Vec<Configure>,
}

impl TestEngine {
    /// For the template of this text; `name` is for messages.
    ///
    /// ```
    /// # use tasker_runtime::testing::TestEngine;
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
    /// # use tasker_runtime::testing::TestEngine;
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
        Self { template, replacements: HashMap::new(), prepare: Vec::new() }.configure(source)
    }

    /// Runs a closure instead of a step's handler. It may read the result of every step before it.
    ///
    /// ```
    /// # use tasker_runtime::testing::TestEngine;
    /// # use tasker_runtime::{StepContext, StepResult};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, steps: [{name: double, handler: {callable: a}}]}";
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE).replace("double", |context: StepContext| async move {
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
    /// # use tasker_runtime::testing::TestEngine;
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, steps: [{name: charge, handler: {callable: a}}]}";
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
    /// # use tasker_runtime::{step_handler, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, steps: [{name: pay, handler: {callable: 'Docs::Pay'}}]}";
    /// #[step_handler("Docs::Pay")]
    /// async fn pay() -> u64 { 100 }
    ///
    /// let run = TestEngine::template_str("t.yaml", TEMPLATE).result_of::<pay>(&5).run_blocking(serde_json::json!({}));
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

    /// Fails a step's first attempts with these errors, one each. The later attempts are made by what
    /// [`replace`](Self::replace) or [`returns`](Self::returns) say, or by the step's own handler.
    ///
    /// ```
    /// # use tasker_runtime::{StepError, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, steps: [{name: charge, handler: {callable: a}}]}";
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

    /// A value that handlers can take as [`State<T>`](crate::State). All runs share it; for one that
    /// begins anew with each see [`state_of_run`](Self::state_of_run).
    ///
    /// ```
    /// # use tasker_runtime::{State, step_handler, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, steps: [{name: wave, handler: {callable: 'Docs::Signal'}}]}";
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

    /// A state that is made anew for each run, and outlives the crashes in it: a fake of what lies
    /// outside the program. [`TestRun::state`] gives it to the assertions.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use tasker_runtime::{State, step_handler, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, steps: [{name: ring, handler: {callable: 'Docs::Ring'}}]}";
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

    /// Whatever else the builder can do. Called for each worker; its store and clock stay the test's.
    ///
    /// ```
    /// # use tasker_runtime::{StepContext, StepResult, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, steps: [{name: a, handler: {callable: a}}]}";
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

    /// Runs one task with this context to its end, good or bad.
    ///
    /// ```
    /// # use tasker_runtime::testing::TestEngine;
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, steps: [{name: a, handler: {callable: a}}]}";
    /// // #[tokio::test(start_paused = true)]
    /// async fn a_test() {
    ///     let run = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1).run(serde_json::json!({})).await;
    ///     run.assert_complete();
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// When the program has no handler for a step, or lacks something else that keeps a runtime from
    /// starting; when the context is no JSON object; when time is not paused.
    pub async fn run(&self, context: impl Serialize) -> TestRun {
        require_virtual_time();
        self.run_once(&self.new_task(&context), None).await
    }

    /// As [`run`](Self::run), in a plain `#[test]`: on a runtime of its own, whose time is virtual.
    ///
    /// ```
    /// # use tasker_runtime::testing::TestEngine;
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, steps: [{name: a, handler: {callable: a}}, {name: b, handler: {callable: b}, dependencies: [a]}]}";
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1).returns("b", &2);
    /// engine.run_blocking(serde_json::json!({})).assert_complete();
    /// ```
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run), and within a tokio runtime.
    pub fn run_blocking(&self, context: impl Serialize) -> TestRun {
        block_on(self.run(context))
    }

    /// As [`run`](Self::run), with a worker that dies at `point`, and another that ends the task. For
    /// the one crash in which [`crash_everywhere`](Self::crash_everywhere) has found something.
    ///
    /// ```
    /// # use tasker_runtime::testing::{CrashPoint, TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, steps: [{name: a, handler: {callable: a}}]}";
    /// # async fn a_test() {
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1);
    /// let run = engine.run_with_crash(serde_json::json!({}), CrashPoint::Before(4)).await;
    /// // The handler had run, and its answer was lost.
    /// assert_eq!(run.order(), ["a#1", "a#2"]);
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(a_test());
    /// ```
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    pub async fn run_with_crash(&self, context: impl Serialize, point: CrashPoint) -> TestRun {
        require_virtual_time();
        self.run_once(&self.new_task(&context), Some(point)).await
    }

    /// As [`run_with_crash`](Self::run_with_crash), in a plain `#[test]`.
    ///
    /// ```
    /// # use tasker_runtime::testing::{CrashPoint, TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, steps: [{name: a, handler: {callable: a}}, {name: b, handler: {callable: b}, dependencies: [a]}]}";
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1).returns("b", &2);
    /// let run = engine.run_with_crash_blocking(serde_json::json!({}), CrashPoint::After(4));
    /// assert!(run.crash().is_some());
    /// run.assert_complete();
    /// ```
    ///
    /// # Panics
    ///
    /// As [`run_blocking`](Self::run_blocking).
    pub fn run_with_crash_blocking(&self, context: impl Serialize, point: CrashPoint) -> TestRun {
        block_on(self.run_with_crash(context, point))
    }

    /// Runs the task again and again: the worker dies before, then after each of its commits in turn,
    /// and another ends the task. `assertions` is called for each run, the last two of which have no
    /// crash. How many crashes there were.
    ///
    /// A crash counts as an attempt of every step that the worker had claimed, so that a step with one
    /// attempt may fail of it. A function that is not async goes on in its thread after the worker's
    /// death, which no test can end.
    ///
    /// ```
    /// use std::collections::BTreeSet;
    /// use std::sync::{Arc, Mutex};
    /// use tasker_runtime::{State, StepContext, step_handler, testing::TestEngine};
    ///
    /// /// A bank that charges once for each key.
    /// #[derive(Clone, Default)]
    /// struct Bank(Arc<Mutex<BTreeSet<String>>>);
    ///
    /// #[step_handler("Docs::PayOnce")]
    /// async fn pay(State(Bank(charged)): State<Bank>, context: StepContext) {
    ///     charged.lock().unwrap().insert(context.idempotency_key());
    /// }
    ///
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, steps: [{name: pay, handler: {callable: 'Docs::PayOnce'}}]}";
    /// # async fn a_test() {
    /// let engine = TestEngine::template_str("orders.yaml", TEMPLATE).state_of_run(Bank::default);
    /// let crashes = engine
    ///     .crash_everywhere(serde_json::json!({}), |run| {
    ///         run.assert_complete();
    ///         assert_eq!(run.state::<Bank>().0.lock().unwrap().len(), 1);
    ///     })
    ///     .await;
    /// assert!(crashes > 0);
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(a_test());
    /// ```
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run), and with the crash and the history when `assertions` does.
    pub async fn crash_everywhere(
        &self,
        context: impl Serialize,
        mut assertions: impl FnMut(&TestRun),
    ) -> usize {
        require_virtual_time();
        let task = self.new_task(&context);
        let mut crashes = 0;
        for point in [CrashPoint::Before as fn(usize) -> CrashPoint, CrashPoint::After] {
            for number in 1.. {
                let run = self.run_once(&task, Some(point(number))).await;
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| assertions(&run))) {
                    panic!("{}\n\n{run}", text(&*panic));
                }
                if run.crash().is_none() {
                    break;
                }
                crashes += 1;
            }
        }
        crashes
    }

    /// As [`crash_everywhere`](Self::crash_everywhere), in a plain `#[test]`.
    ///
    /// ```
    /// # use tasker_runtime::testing::TestEngine;
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, steps: [{name: a, handler: {callable: a}}, {name: b, handler: {callable: b}, dependencies: [a]}]}";
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1).returns("b", &2);
    /// engine.crash_everywhere_blocking(serde_json::json!({}), |run| run.assert_complete());
    /// ```
    ///
    /// # Panics
    ///
    /// As [`crash_everywhere`](Self::crash_everywhere), and within a tokio runtime.
    pub fn crash_everywhere_blocking(
        &self,
        context: impl Serialize,
        assertions: impl FnMut(&TestRun),
    ) -> usize {
        block_on(self.crash_everywhere(context, assertions))
    }

    /// The builder of a worker like those of [`run`](Self::run), on a store of its own: for tests that
    /// create their tasks themselves, several or with a shutdown between.
    ///
    /// ```
    /// # use tasker_runtime::{NewTask, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, steps: [{name: a, handler: {callable: a}}]}";
    /// # async fn a_test() {
    /// let tasker = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1).builder().build().await.unwrap();
    /// let id = tasker.create_task(NewTask::new("docs", "t", &serde_json::json!({}))).await.unwrap();
    /// assert_eq!(tasker.wait(id).await.unwrap().step_output::<u64>("a").unwrap(), 1);
    /// tasker.shutdown().await;
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(a_test());
    /// ```
    ///
    /// # Panics
    ///
    /// When time is not paused, and outside a tokio runtime.
    #[must_use]
    pub fn builder(&self) -> Builder {
        require_virtual_time();
        let world = self.world();
        self.worker(&world, Arc::<MemoryStore>::clone(&world.store), &CancellationToken::new())
    }

    fn new_task<C: Serialize>(&self, context: &C) -> NewTask {
        NewTask::new(&self.template.namespace, &self.template.name, context).version(&self.template.version)
    }

    fn world(&self) -> World {
        let mut states = States::default();
        let configure = self.prepare.iter().map(|prepare| prepare(&mut states)).collect();
        World {
            store: Arc::new(MemoryStore::new()),
            clock: Clock::paused(START, SEED),
            history: History::default(),
            states,
            configure,
        }
    }

    async fn run_once(&self, task: &NewTask, point: Option<CrashPoint>) -> TestRun {
        let world = self.world();
        let mut crash = None;
        let mut ended = None;
        if let Some(point) = point {
            let dead = CancellationToken::new();
            let store = Arc::new(MortalStore::new(Arc::clone(&world.store), point, dead.clone()));
            ended = self.live(&world, task, Arc::<MortalStore>::clone(&store), dead.clone()).await;
            if ended.is_none() {
                store.bury();
                world.history.write(Entry::Crashed);
                crash = Some(Crash { point, operation: store.operation(), task: self.look(&world).await });
            }
        }
        let task = match ended {
            Some(ended) => ended,
            None => {
                let living = self.live(
                    &world,
                    task,
                    Arc::<MemoryStore>::clone(&world.store),
                    CancellationToken::new(),
                );
                living.await.expect("this worker does not die")
            }
        };
        TestRun { task, entries: world.history.entries(), crash, states: world.states }
    }

    /// The life of one worker: the task as it ended, or `None` when the worker died.
    async fn live(
        &self,
        world: &World,
        task: &NewTask,
        store: Arc<dyn Store>,
        dead: CancellationToken,
    ) -> Option<Task> {
        let living = async {
            let tasker = unless(&dead, self.worker(world, store, &dead).build().await).await;
            let known = unless(
                &dead,
                tasker
                    .list(crate::store::TaskFilter { limit: 1, ..crate::store::TaskFilter::default() })
                    .await,
            )
            .await;
            let id = match known.first() {
                Some(summary) => summary.id,
                None => unless(&dead, tasker.create_task(task.clone()).await).await,
            };
            let settled = match tasker.wait(id).await {
                Err(Error::Failed(_)) => Ok(()),
                other => other.map(drop),
            };
            unless(&dead, settled).await;
            let task = unless(&dead, tasker.get_task(id).await).await;
            tasker.shutdown().await;
            task
        };
        tokio::select! {
            biased;
            () = dead.cancelled() => None,
            task = living => (!dead.is_cancelled()).then_some(task),
        }
    }

    /// The task as it lies in the store.
    async fn look(&self, world: &World) -> Option<Task> {
        let dead = CancellationToken::new();
        let builder = self.worker(world, Arc::<MemoryStore>::clone(&world.store), &dead).without_worker();
        let tasker = unless(&dead, builder.build().await).await;
        let id = unless(
            &dead,
            tasker.list(crate::store::TaskFilter { limit: 1, ..crate::store::TaskFilter::default() }).await,
        )
        .await
        .first()?
        .id;
        Some(unless(&dead, tasker.get_task(id).await).await)
    }

    fn worker(&self, world: &World, store: Arc<dyn Store>, dead: &CancellationToken) -> Builder {
        let stage = Stage {
            template: Arc::clone(&self.template),
            replacements: Arc::new(self.replacements.clone()),
            history: world.history.clone(),
            clock: world.clock.clone(),
            dead: dead.clone(),
        };
        let builder = world.configure.iter().fold(Tasker::builder(), |builder, change| change(builder));
        builder.shared_store(store).clock(world.clock.clone()).stage(stage)
    }
}

/// The value. What fails because the worker has died goes no further, and every other failure is the
/// test's.
async fn unless<T, E: Display>(dead: &CancellationToken, result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(_) if dead.is_cancelled() => pending().await,
        Err(error) => panic!("{error}"),
    }
}

/// What a panic says.
fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or(panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("an assertion failed")
}
