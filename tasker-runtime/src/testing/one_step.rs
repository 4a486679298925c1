//! One attempt of one handler, with a context that the test writes down.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tasker_store::{Json, TaskId};
use tasker_template::{
    HandlerTemplate, Lifecycle, RetryPolicy, StepIndex, StepTemplate, StepType, TaskTemplate,
};
use tokio_util::sync::CancellationToken;

use crate::client::tasker::Tasker;
use crate::handler::step_error::StepError;
use crate::handler::{
    ResultWrites, RunFacts, Runtime, States, StepContext, StepFacts, StepHandler, StepOutcome, TaskFacts,
};
use crate::testing::call_values::{json, reads_what};
use crate::testing::{block_on, short_name};

/// Begins to describe a call of the handler `H`. By default it is the first attempt of a step with the
/// function's name, in a task with an empty context.
///
/// ```
/// use serde_json::json;
/// use tasker::testing::call;
/// use tasker::{State, StepContext, StepError, step_handler};
///
/// #[derive(Clone)]
/// struct Currency(&'static str);
///
/// #[step_handler("Docs::Account")]
/// async fn create_account() -> String { "acc_1".to_owned() }
///
/// #[step_handler("Docs::Charge")]
/// async fn charge(
///     #[input("cents")] cents: u64,
///     #[depends_on(create_account)] account: String,
///     State(Currency(currency)): State<Currency>,
///     context: StepContext,
/// ) -> Result<String, StepError> {
///     match context.attempt() {
///         1 => Err(StepError::retryable("the bank is closed")),
///         _ => Ok(format!("{account} pays {cents} {currency}")),
///     }
/// }
///
/// let charged = call::<charge>()
///     .input(json!({"cents": 500}))
///     .result_of::<create_account>(&"Ada".to_owned())
///     .state(Currency("EUR"));
/// assert!(charged.clone().run_blocking().unwrap_err().is_retryable());
/// assert_eq!(charged.attempt(2).run_blocking().unwrap(), "Ada pays 500 EUR");
/// ```
pub fn call<H: StepHandler>() -> Call<H> {
    Call {
        input: Json::from_value(&Map::new()).expect("an empty object is JSON"),
        step: short_name::<H>().to_owned(),
        attempt: 1,
        retry: RetryPolicy::default(),
        config: Map::new(),
        task: TaskId::random(),
        results: vec![None; H::DEPENDS_ON.len()],
        states: States::default(),
        cancellation: CancellationToken::new(),
        runtime: None,
        writes: ResultWrites::default(),
        handler: PhantomData,
    }
}

/// A call of the handler `H`. See [`call`].
#[must_use = "a call does nothing until it is run"]
pub struct Call<H> {
    input: Json,
    step: String,
    attempt: u32,
    retry: RetryPolicy,
    config: Map<String, Value>,
    task: TaskId,
    /// In the order of the handler's dependencies.
    results: Vec<Option<Json>>,
    states: States,
    cancellation: CancellationToken,
    runtime: Runtime,
    pub(super) writes: ResultWrites,
    handler: PhantomData<fn() -> H>,
}

impl<H> Clone for Call<H> {
    fn clone(&self) -> Self {
        Self {
            input: self.input.clone(),
            step: self.step.clone(),
            attempt: self.attempt,
            retry: self.retry,
            config: self.config.clone(),
            task: self.task,
            results: self.results.clone(),
            states: self.states.clone(),
            cancellation: self.cancellation.clone(),
            runtime: self.runtime.clone(),
            writes: ResultWrites::default(),
            handler: PhantomData,
        }
    }
}

impl<H> fmt::Debug for Call<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("step", &self.step)
            .field("attempt", &self.attempt)
            .field("input", &self.input)
            .field("results", &self.results)
            .finish_non_exhaustive()
    }
}

impl<H: StepHandler> Call<H> {
    /// The task's context.
    ///
    /// ```
    /// # use tasker::{step_handler, testing::call};
    /// #[step_handler("Docs::Hello")]
    /// async fn greet(#[input("name")] name: String) -> String { format!("Hello, {name}!") }
    ///
    /// let greeted = call::<greet>().input(serde_json::json!({"name": "Ada"})).run_blocking();
    /// assert_eq!(greeted.unwrap(), "Hello, Ada!");
    /// // As in production, down to the message.
    /// let error = call::<greet>().run_blocking().unwrap_err();
    /// assert_eq!(error.to_string(), "the task's context has no `name` [INVALID_INPUT]");
    /// ```
    ///
    /// # Panics
    ///
    /// When it is not a JSON object, which every context is.
    #[track_caller]
    pub fn input(mut self, context: impl Serialize) -> Self {
        self.input = json(&context);
        assert!(
            self.input.get().starts_with('{'),
            "the context of a task must be a JSON object: it is `{}`",
            self.input.get()
        );
        self
    }

    /// Sets the result of the handler `D`, which this handler reads.
    ///
    /// ```
    /// # use tasker::{step_handler, testing::call};
    /// #[step_handler("Docs::Number")]
    /// async fn number() -> u64 { 4 }
    ///
    /// #[step_handler("Docs::Next")]
    /// async fn next(#[depends_on(number)] number: u64) -> u64 { number + 1 }
    ///
    /// assert_eq!(call::<next>().result_of::<number>(&7).run_blocking().unwrap(), 8);
    /// // As in production, down to the message.
    /// let error = call::<next>().run_blocking().unwrap_err();
    /// assert_eq!(error.to_string(), "step `number` has no result [MISSING_DEPENDENCY]");
    /// ```
    ///
    /// # Panics
    ///
    /// When `H` does not read `D`.
    #[track_caller]
    pub fn result_of<D: StepHandler<Output: Serialize>>(mut self, value: &D::Output) -> Self {
        let name = short_name::<D>();
        let reads = |one: &crate::handler::Dependency| match one.handler {
            Some(handler) => handler == (D::CALLABLE, D::METHOD),
            None => one.step == name,
        };
        let found: Vec<usize> =
            (0..).zip(H::DEPENDS_ON).filter(|(_, one)| reads(one)).map(|(at, _)| at).collect();
        assert!(
            !found.is_empty(),
            "handler `{}` does not read `{name}`; {}",
            short_name::<H>(),
            reads_what::<H>()
        );
        for index in found {
            self.results[index] = Some(json(value));
        }
        self
    }

    /// Sets the result of the step with this name, as any value.
    ///
    /// ```
    /// # use tasker::{step_handler, testing::call};
    /// #[step_handler("Docs::Upper")]
    /// async fn upper(#[depends_on("name")] name: String) -> String { name.to_uppercase() }
    ///
    /// assert_eq!(call::<upper>().dependency("name", &"Ada").run_blocking().unwrap(), "ADA");
    /// ```
    ///
    /// # Panics
    ///
    /// When `H` does not read this step.
    #[track_caller]
    pub fn dependency<T: Serialize + ?Sized>(mut self, step: &str, value: &T) -> Self {
        let found = H::DEPENDS_ON.iter().position(|one| one.step == step);
        let index = found.unwrap_or_else(|| {
            panic!("handler `{}` does not read step `{step}`; {}", short_name::<H>(), reads_what::<H>())
        });
        self.results[index] = Some(json(value));
        self
    }

    /// A value that the handler can take as [`State<T>`](crate::State).
    ///
    /// ```
    /// # use tasker::{State, step_handler, testing::call};
    /// #[derive(Clone)]
    /// struct Greeting(&'static str);
    ///
    /// #[step_handler("Docs::Wave")]
    /// async fn wave(State(Greeting(text)): State<Greeting>) -> String { text.to_owned() }
    ///
    /// assert_eq!(call::<wave>().state(Greeting("Hi")).run_blocking().unwrap(), "Hi");
    /// ```
    ///
    /// # Panics
    ///
    /// When there is one of this type already.
    #[track_caller]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        let is_first = self.states.insert(value);
        assert!(is_first, "the call was given two states of type `{}`", std::any::type_name::<T>());
        self
    }

    /// The number of the attempt, from 1.
    ///
    /// ```
    /// # use tasker::{StepContext, step_handler, testing::call};
    /// #[step_handler("Docs::Attempt")]
    /// async fn which(context: StepContext) -> (u32, bool) { (context.attempt(), context.is_last_attempt()) }
    ///
    /// assert_eq!(call::<which>().attempt(2).max_attempts(2).run_blocking().unwrap(), (2, true));
    /// ```
    pub fn attempt(mut self, number: u32) -> Self {
        self.attempt = number;
        self
    }

    /// How many attempts the step has in all; 3 unless said otherwise. See [`attempt`](Self::attempt).
    pub fn max_attempts(mut self, number: u32) -> Self {
        self.retry.max_attempts = number;
        self
    }

    /// A value of `handler.initialization` in the template.
    ///
    /// ```
    /// # use tasker::{StepContext, StepError, step_handler, testing::call};
    /// #[step_handler("Docs::Limit")]
    /// async fn limit(context: StepContext) -> Result<u32, StepError> { context.config("limit") }
    ///
    /// assert_eq!(call::<limit>().config("limit", &8).run_blocking().unwrap(), 8);
    /// ```
    #[track_caller]
    pub fn config<T: Serialize + ?Sized>(mut self, key: &str, value: &T) -> Self {
        let value = serde_json::to_value(value)
            .unwrap_or_else(|error| panic!("the value of `{key}` cannot be written as JSON: {error}"));
        self.config.insert(key.to_owned(), value);
        self
    }

    /// The task's id, so that the test knows the idempotency key.
    ///
    /// ```
    /// # use tasker::{StepContext, TaskId, step_handler, testing::call};
    /// #[step_handler("Docs::Key")]
    /// async fn key(context: StepContext) -> String { context.idempotency_key() }
    ///
    /// let task = TaskId::random();
    /// assert_eq!(call::<key>().task(task).run_blocking().unwrap(), format!("{task}/key"));
    /// ```
    pub fn task(mut self, id: TaskId) -> Self {
        self.task = id;
        self
    }

    /// The step's name; the function's unless said otherwise.
    ///
    /// ```
    /// # use tasker::{StepContext, step_handler, testing::call};
    /// #[step_handler("Docs::Name")]
    /// async fn name(context: StepContext) -> String { context.step_name().to_owned() }
    ///
    /// assert_eq!(call::<name>().step("other").run_blocking().unwrap(), "other");
    /// ```
    pub fn step(mut self, name: impl Into<String>) -> Self {
        self.step = name.into();
        self
    }

    /// Tells the handler from the start that it should end early, as at a shutdown.
    ///
    /// ```
    /// # use tasker::{StepContext, step_handler, testing::call};
    /// #[step_handler("Docs::Patient")]
    /// async fn patient(context: StepContext) -> bool { context.is_cancelled() }
    ///
    /// assert!(call::<patient>().cancelled().run_blocking().unwrap());
    /// ```
    pub fn cancelled(self) -> Self {
        self.cancellation.cancel();
        Self { cancellation: self.cancellation.clone(), ..self }
    }

    /// The runtime in which `step.tasks()` creates and reads tasks. The test must keep it alive.
    ///
    /// ```
    /// use serde_json::json;
    /// use tasker::testing::{TestEngine, call};
    /// use tasker::{NewTask, StepContext, StepError, TaskFilter, step_handler};
    ///
    /// #[step_handler("Docs::AskForMore")]
    /// async fn ask(step: StepContext) -> Result<(), StepError> {
    ///     step.tasks().create(NewTask::new("docs", "t", &json!({}))).await?;
    ///     Ok(())
    /// }
    ///
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}]}";
    /// # async fn a_test() {
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1);
    /// let tasker = engine.builder().build().await.unwrap();
    /// call::<ask>().tasker(&tasker).run().await.unwrap();
    /// assert_eq!(tasker.list(TaskFilter::new()).await.unwrap().len(), 1);
    /// # }
    /// # let mut runtime = tokio::runtime::Builder::new_current_thread();
    /// # runtime.enable_all().start_paused(true).build().unwrap().block_on(a_test());
    /// ```
    pub fn tasker(mut self, tasker: &Tasker) -> Self {
        self.runtime = Some(tasker.runtime());
        self
    }

    /// Calls the handler. Returns its result, read back from the JSON that would be recorded.
    ///
    /// ```
    /// # use tasker::{step_handler, testing::call};
    /// #[step_handler("Docs::Seven")]
    /// async fn seven() -> u64 { 7 }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert_eq!(call::<seven>().run().await.unwrap(), 7);
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// When the handler fails, its input is invalid, or the result of a step that it reads is missing.
    ///
    /// # Panics
    ///
    /// When the handler panics; when it takes a state that the call was not given, without which no runtime
    /// would start; or when its result cannot be read back.
    pub async fn run(self) -> Result<H::Output, StepError>
    where
        H::Output: DeserializeOwned,
    {
        let result = self.run_json().await?;
        let unreadable = |error| {
            panic!(
                "what handler `{}` returned cannot be read back: {error}: {}",
                short_name::<H>(),
                result.get()
            )
        };
        Ok(result.to().unwrap_or_else(unreadable))
    }

    /// Calls the handler. Returns the JSON that would be recorded: for results without `Deserialize`.
    ///
    /// ```
    /// # use tasker::{step_handler, testing::call};
    /// #[derive(serde::Serialize)]
    /// struct Receipt { cents: u64 }
    ///
    /// #[step_handler("Docs::Receipt")]
    /// async fn receipt() -> Receipt { Receipt { cents: 5 } }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert_eq!(call::<receipt>().run_json().await.unwrap().get(), r#"{"cents":5}"#);
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    pub async fn run_json(self) -> Result<Json, StepError> {
        for requirement in H::requires() {
            assert!(
                self.states.has(requirement),
                "handler `{}` takes `State<{}>`, but the call was given none: add `.state(…)` with a value \
                 of that type",
                short_name::<H>(),
                requirement.name
            );
        }
        match H::call(self.context()).await {
            StepOutcome::Complete(result) => Ok(result),
            StepOutcome::Fail(error) => Err(error),
        }
    }

    /// As [`run`](Self::run), in a plain `#[test]`: on a runtime of its own, whose time is virtual.
    ///
    /// ```
    /// # use tasker::{step_handler, testing::call};
    /// #[step_handler("Docs::Nine")]
    /// fn nine() -> u64 { 9 }
    ///
    /// assert_eq!(call::<nine>().run_blocking().unwrap(), 9);
    /// ```
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run), and within a tokio runtime.
    pub fn run_blocking(self) -> Result<H::Output, StepError>
    where
        H::Output: DeserializeOwned,
    {
        block_on(self.run())
    }

    /// The context that the engine would pass to the handler.
    fn context(self) -> StepContext {
        let task = TaskFacts { id: self.task, correlation_id: self.task.0, context: self.input };
        let names = H::DEPENDS_ON.iter().map(|one| one.step.to_owned());
        let reads = names.clone().zip(0..).collect();
        let method = (H::METHOD != crate::build::registry::DEFAULT_METHOD).then(|| H::METHOD.to_owned());
        let handler =
            HandlerTemplate { callable: H::CALLABLE.to_owned(), method, initialization: self.config };
        let mut steps: Vec<StepTemplate> = names.clone().map(|name| step(name, Vec::new())).collect();
        let index = StepIndex::try_from(steps.len()).unwrap_or(StepIndex::MAX);
        steps.push(StepTemplate { handler, retry: self.retry, ..step(self.step, names.collect()) });
        let template = TaskTemplate {
            name: "call".to_owned(),
            namespace: "testing".to_owned(),
            version: "1.0.0".to_owned(),
            description: None,
            metadata: Map::new(),
            input_schema: None,
            steps,
            lifecycle: Lifecycle::default(),
            environments: Vec::new(),
            environment: None,
        };
        let facts = StepFacts { template: Arc::new(template), index, reads };
        StepContext::new(
            Arc::new(task),
            Arc::new(facts),
            RunFacts { instance: 0, attempt: self.attempt, attempts_before_reset: 0 },
            self.results.into(),
            Arc::new(self.states),
            self.cancellation,
            self.runtime,
        )
        .with_writes(self.writes)
    }
}

fn step(name: String, dependencies: Vec<String>) -> StepTemplate {
    StepTemplate {
        handler: HandlerTemplate { callable: name.clone(), method: None, initialization: Map::new() },
        name,
        description: None,
        step_type: StepType::Standard,
        dependencies,
        retry: RetryPolicy::default(),
        timeout_seconds: None,
        system_dependency: None,
        publishes_events: Vec::new(),
        batch_config: None,
        result_schema: None,
    }
}
