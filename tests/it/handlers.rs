//! What `#[step_handler]` hands to a function, and what it makes of the answer.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tasker_runtime::error::ErrorKind;
use tasker_runtime::handler::StateRequirement;
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::{
    FromStep, NewTask, State, StepContext, StepError, StepState, Task, TaskState, Tasker, step_handler,
};
use validator::Validate;

use crate::support::ended;

#[derive(Clone, Debug, Deserialize, Serialize, Validate)]
struct Person {
    #[validate(length(min = 2, message = "is too short"))]
    name: String,
    #[validate(range(min = 18))]
    age: u32,
    #[serde(default)]
    #[validate(nested)]
    addresses: Vec<Address>,
}

#[derive(Clone, Debug, Deserialize, Serialize, Validate)]
struct Address {
    #[validate(length(min = 1, message = "is empty"))]
    city: String,
}

#[derive(Clone, Debug)]
struct Suffix(&'static str);

/// A parameter kind of our own.
struct Shout(String);

impl FromStep for Shout {
    fn from_step(context: &StepContext) -> Result<Self, StepError> {
        let State(Suffix(suffix)) = State::from_step(context)?;
        Ok(Self(suffix.to_uppercase()))
    }

    fn requires() -> Vec<StateRequirement> {
        State::<Suffix>::requires()
    }
}

#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("declined")]
    Declined,
    #[error("busy")]
    Busy,
}

impl From<Refusal> for StepError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Declined => Self::permanent(refusal).with_code("DECLINED"),
            Refusal::Busy => Self::retryable(refusal),
        }
    }
}

#[step_handler("H::Whole")]
async fn whole(#[input] person: Person) -> Person {
    person
}

#[step_handler("H::Fields")]
async fn fields(
    #[input("name")] name: String,
    #[input("nickname")] nickname: Option<String>,
    #[input("age")] age: &u32,
) -> (String, Option<String>, u32) {
    (name, nickname, *age)
}

#[step_handler("H::ValidatedField")]
async fn validated_field(#[input("person")] person: Option<Person>) -> bool {
    person.is_some()
}

/// Runs on the blocking pool, and may block it.
#[step_handler("H::Sync")]
fn blocking(#[depends_on(whole)] person: &Person, State(Suffix(suffix)): State<Suffix>) -> String {
    std::thread::yield_now();
    format!("{}{suffix}", person.name)
}

/// Another view of the same result, by the step's name, and a result that is not there.
#[step_handler("H::View")]
async fn view(
    #[depends_on("whole")] view: Value,
    #[depends_on(blocking)] text: Option<String>,
    #[depends_on("absent")] absent: Option<Value>,
    shout: Shout,
) -> (Value, Option<String>, bool, String) {
    (view["age"].clone(), text, absent.is_none(), shout.0)
}

#[step_handler("H::Renamed")]
async fn renamed(#[depends_on(whole, step = "person_step")] person: Person) -> u32 {
    person.age
}

#[step_handler("H::Method", method = "refund")]
async fn refund(context: &StepContext) -> Result<String, StepError> {
    context.config("currency")
}

#[step_handler("H::Unit")]
async fn unit() {}

#[step_handler("H::Anyhow")]
async fn with_anyhow(#[input("kind")] kind: String) -> anyhow::Result<()> {
    match kind.as_str() {
        "any" => anyhow::bail!("anything"),
        "permanent" => Err(StepError::permanent("inner").with_code("INNER"))?,
        _ => Ok(()),
    }
}

#[step_handler("H::Refusal")]
async fn with_refusal(#[input("kind")] kind: String) -> Result<(), Refusal> {
    match kind.as_str() {
        "declined" => Err(Refusal::Declined),
        _ => Err(Refusal::Busy),
    }
}

/// One attempt of one step of a template with these steps.
async fn run(steps: &str, context: Value) -> Task {
    let yaml = format!("name: h\nnamespace_name: test\nversion: 1\nsteps:\n{steps}");
    let tasker = Tasker::builder()
        .template_str("h.yaml", yaml)
        .store_url("memory:")
        .state(Suffix("!"))
        .build()
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let id = tasker.create_task(NewTask::new("test", "h", &context)).await.unwrap();
    let task = ended(tasker.wait(id).await);
    tasker.shutdown().await;
    task
}

async fn run_single(callable: &str, context: Value) -> Task {
    run(&format!("- {{name: s, handler: {{callable: {callable}}}, retry: {{max_attempts: 1}}}}\n"), context)
        .await
}

#[track_caller]
fn failure(task: &Task) -> (ErrorKind, String) {
    let step = task.step("s").unwrap();
    assert_eq!((step.state, step.attempts.len()), (StepState::Error, 1));
    let error = step.error().unwrap();
    (error.kind, error.to_string())
}

#[tokio::test]
async fn the_whole_context_and_single_fields_are_read_as_their_types() {
    let context = json!({"name": "Ada", "age": 36});
    let task = run_single("H::Whole", context.clone()).await;
    assert_eq!(task.output::<whole>().unwrap().name, "Ada");
    let task = run_single("H::Fields", context).await;
    assert_eq!(task.output::<fields>().unwrap(), ("Ada".to_owned(), None, 36));
}

#[tokio::test]
async fn input_that_cannot_be_read_is_permanent_and_says_where() {
    let task = run_single("H::Whole", json!({"name": "Ada", "age": "old"})).await;
    let (kind, message) = failure(&task);
    assert_eq!(kind, ErrorKind::Permanent);
    assert!(
        message.starts_with("the task's context cannot be read: `age`: invalid type: string \"old\""),
        "{message}"
    );
    let task = run_single("H::Fields", json!({"age": 36})).await;
    assert_eq!(failure(&task).1, "the task's context has no `name` [INVALID_INPUT]");
}

#[tokio::test]
async fn validation_lists_each_field() {
    let task =
        run_single("H::Whole", json!({"name": "A", "age": 3, "addresses": [{"city": "x"}, {"city": ""}]}))
            .await;
    let (kind, message) = failure(&task);
    assert_eq!(kind, ErrorKind::Permanent);
    assert_eq!(
        message,
        "the task's context is invalid: `addresses[1].city` is empty; `age` fails the check `range`; `name` is too short [INVALID_INPUT]"
    );
    let fields = task.step("s").unwrap().error().unwrap().context.clone().unwrap();
    assert_eq!(fields["fields"]["name"]["code"], "length");
    let task = run_single("H::ValidatedField", json!({"person": {"name": "A", "age": 30}})).await;
    assert_eq!(
        failure(&task).1,
        "`person` of the task's context is invalid: `name` is too short [INVALID_INPUT]"
    );
    let task = run_single("H::ValidatedField", json!({})).await;
    assert!(!task.output::<validated_field>().unwrap());
}

#[tokio::test]
async fn results_of_other_steps_arrive_with_their_types() {
    let task = run(
        "- {name: whole, handler: {callable: 'H::Whole'}}\n\
         - {name: blocking, handler: {callable: 'H::Sync'}, dependencies: [whole]}\n\
         - {name: view, handler: {callable: 'H::View'}, dependencies: [blocking]}\n",
        json!({"name": "Ada", "age": 36}),
    )
    .await;
    assert_eq!(task.state, TaskState::Complete);
    assert_eq!(task.output::<blocking>().unwrap(), "Ada!");
    assert_eq!(task.output::<view>().unwrap(), (json!(36), Some("Ada!".to_owned()), true, "!".to_owned()));
}

#[tokio::test]
async fn a_dependency_can_have_another_step_name() {
    let task = run(
        "- {name: person_step, handler: {callable: 'H::Whole'}}\n\
         - {name: renamed, handler: {callable: 'H::Renamed'}, dependencies: [person_step]}\n",
        json!({"name": "Ada", "age": 36}),
    )
    .await;
    assert_eq!(task.output::<renamed>().unwrap(), 36);
}

#[tokio::test]
async fn a_method_and_its_configuration() {
    let steps =
        "- {name: s, handler: {callable: 'H::Method', method: refund, initialization: {currency: EUR}}}\n";
    let task = run(steps, json!({})).await;
    assert_eq!(task.output::<refund>().unwrap(), "EUR");
}

#[tokio::test]
async fn nothing_is_a_result_too() {
    let task = run_single("H::Unit", json!({})).await;
    task.output::<unit>().unwrap();
    assert_eq!(task.step("s").unwrap().result.as_ref().unwrap().get(), "null");
}

#[tokio::test]
async fn errors_decide_whether_they_are_permanent() {
    for (callable, kind, expected) in [
        ("H::Anyhow", "any", (ErrorKind::Retryable, "anything")),
        ("H::Anyhow", "permanent", (ErrorKind::Permanent, "inner [INNER]")),
        ("H::Refusal", "declined", (ErrorKind::Permanent, "declined [DECLINED]")),
        ("H::Refusal", "busy", (ErrorKind::Retryable, "busy")),
    ] {
        let task = run_single(callable, json!({ "kind": kind })).await;
        let (kind, message) = failure(&task);
        assert_eq!((kind, message.as_str()), expected);
        assert_eq!(task.steps[0].attempts[0].outcome, AttemptOutcome::Failed);
    }
}
