//! Handlers that create tasks and look at them.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tasker_runtime::events::Event;
use tasker_runtime::limits::{FleetLimit, LimitScope};
use tasker_runtime::operate::Operator;
use tasker_runtime::testing::{TestEngine, call};
use tasker_runtime::{
    Error, NewTask, State, StepContext, StepError, StepResult, StepState, Task, TaskFilter, TaskId,
    TaskState, Tasker, step_handler,
};
use uuid::Uuid;

use crate::support::{ended, new_task, virtual_time};

const PARCELS: &str = "
name: parcels
namespace_name: step_tasks
version: 1.0.0
steps:
  - name: split
    handler: {callable: StepTasks::Split}
    retry: {max_attempts: 3, initial_delay: 1}
";
const PARCEL: &str = "
name: parcel
namespace_name: step_tasks
version: 1.0.0
steps:
  - name: pack
    handler: {callable: StepTasks::Pack}
";

#[step_handler("StepTasks::Pack")]
async fn pack(#[input("item")] item: u64) -> u64 {
    item
}

/// A task for each item, the same ones however often the step is tried.
#[step_handler("StepTasks::Split")]
async fn split(#[input("items")] items: Vec<u64>, step: StepContext) -> Result<Vec<TaskId>, StepError> {
    let (tasks, mut parcels) = (step.tasks(), Vec::new());
    for item in items {
        let key = format!("{}/{item}", step.idempotency_key());
        let parcel = NewTask::new("step_tasks", "parcel", &json!({ "item": item }));
        parcels.push(match tasks.create(parcel.idempotency_key(key)).await {
            Err(Error::AlreadyExists { task: Some(id), same_context: Some(true), .. }) => id,
            created => created?,
        });
    }
    if step.attempt() == 1 {
        return Err(StepError::retryable("once more"));
    }
    assert_eq!(tasks.get(step.task_id()).await?.step("split").unwrap().state, StepState::InProgress);
    // This task's own id is its correlation id; it is in the list as well.
    let related = tasks.list(TaskFilter::new().correlation_id(step.correlation_id())).await?;
    assert_eq!(related.len(), parcels.len() + 1);
    Ok(parcels)
}

#[tokio::test(start_paused = true)]
async fn a_handler_creates_tasks_that_belong_to_its_own() {
    let engine = TestEngine::template_str("parcels.yaml", PARCELS)
        .configure(|builder| builder.template_str("parcel.yaml", PARCEL));
    let tasker = engine.builder().build().await.unwrap();
    let task = NewTask::new("step_tasks", "parcels", &json!({ "items": [3, 4] }));
    let id = tasker.create_task(task).await.unwrap();
    let parcels = tasker.wait(id).await.unwrap().output::<split>().unwrap();
    let mut packed = Vec::new();
    for parcel in &parcels {
        let parcel = tasker.wait(*parcel).await.unwrap();
        assert_eq!((parcel.correlation_id, parcel.origin.parent_correlation_id), (id.0, Some(id.0)));
        packed.push(parcel.output::<pack>().unwrap());
    }
    assert_eq!(packed, [3, 4]);
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_anywhere_creates_no_task_twice() {
    let engine = TestEngine::template_str("parcels.yaml", PARCELS)
        .configure(|builder| builder.template_str("parcel.yaml", PARCEL));
    engine
        .crash_everywhere(json!({ "items": [3] }), |run| {
            run.assert_complete();
            assert_eq!(run.output::<split>().len(), 1);
        })
        .await;
}

/// What the handler was told, or creates a task with ids of its own.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Option<StepContext>>>);

#[step_handler("StepTasks::Keep")]
async fn keep(State(Told(told)): State<Told>, step: StepContext) {
    *told.lock().unwrap() = Some(step);
}

#[tokio::test(start_paused = true)]
async fn ids_that_a_task_is_given_stay_and_mistakes_are_told() {
    let told = Told::default();
    let yaml = PARCELS.replace("StepTasks::Split", "StepTasks::Keep");
    let tasker =
        TestEngine::template_str("keep.yaml", yaml).state(told.clone()).builder().build().await.unwrap();
    let id = tasker.create_task(NewTask::new("step_tasks", "parcels", &json!({}))).await.unwrap();
    tasker.wait(id).await.unwrap();
    let step = told.0.lock().unwrap().clone().unwrap();

    let own = Uuid::from_u128(7);
    let child = NewTask::new("step_tasks", "parcels", &json!({})).correlation_id(own);
    let child = step.tasks().create(child).await.unwrap();
    let child = step.tasks().get(child).await.unwrap();
    assert_eq!((child.correlation_id, child.origin.parent_correlation_id), (own, Some(id.0)));

    let unknown = step.tasks().create(NewTask::new("step_tasks", "parcel", &json!({}))).await.unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "there is no template `step_tasks/parcel`; did you mean `step_tasks/parcels`?"
    );
    assert!(!StepError::from(unknown).is_retryable());

    // What a handler leaves behind does not keep the runtime.
    let tasks = step.tasks();
    tasker.shutdown().await;
    let late = tasks.create(NewTask::new("step_tasks", "parcels", &json!({}))).await.unwrap_err();
    assert!(matches!(late, Error::ShutDown), "{late}");
    drop(tasker);
    let late = tasks.get(id).await.unwrap_err();
    assert!(matches!(late, Error::ShutDown), "{late}");
    assert!(StepError::from(late).is_retryable());
}

#[tokio::test(start_paused = true)]
async fn a_call_by_a_test_takes_a_runtime() {
    let tasker = TestEngine::template_str("parcel.yaml", PARCEL).builder().build().await.unwrap();
    let refused = call::<split>().input(json!({ "items": [3] })).tasker(&tasker).run().await.unwrap_err();
    assert_eq!(refused.to_string(), "once more");
    let parcel = tasker.list(TaskFilter::new()).await.unwrap().remove(0);
    assert_eq!(tasker.wait(parcel.id).await.unwrap().state, TaskState::Complete);
    tasker.shutdown().await;
}

#[test]
#[should_panic(expected = "`step.tasks()` needs a runtime: give the call one with `.tasker(&tasker)`")]
fn a_call_by_a_test_without_a_runtime_says_so() {
    let _ = call::<split>().input(json!({ "items": [3] })).run_blocking();
}

/// A client's values survive their JSON form.
#[tokio::test(start_paused = true)]
async fn tasks_events_and_lists_are_read_back_from_json() {
    fn again<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> (Value, Value) {
        let json = serde_json::to_value(value).unwrap();
        let read: T = serde_json::from_value(json.clone()).unwrap();
        (json, serde_json::to_value(&read).unwrap())
    }
    let builder = virtual_time("a:\nb: a | retry: {max_attempts: 1}\nc: a\nd: b, c");
    let builder = ["a", "c", "d"].into_iter().fold(builder, |builder, name| {
        builder.handler_fn(name, |_: StepContext| async { StepResult::Ok(json!({ "x": 1 })) })
    });
    let builder = builder.handler_fn("b", |_: StepContext| async {
        StepResult::<()>::Err(StepError::permanent("no").with_context(json!({ "why": "x" })))
    });
    let tasker: Tasker = builder.build().await.unwrap();
    let mut events = tasker.subscribe();
    let id = tasker.create_task(new_task().tag("red").initiator("ada")).await.unwrap();
    let operator = Operator::new("ada");
    ended(tasker.wait(id).await);
    let task = tasker.complete_step(id, "b", &7, &operator).await.unwrap();
    assert_eq!(task.actions.len(), 1);

    let (json, read) = again(&task);
    assert_eq!(json, read);
    let read: Task = serde_json::from_value(json).unwrap();
    let layers = |task: &Task| -> Vec<Vec<String>> {
        task.layers().iter().map(|layer| layer.iter().map(|step| step.name.clone()).collect()).collect()
    };
    assert_eq!(layers(&read), [vec!["a"], vec!["b", "c"], vec!["d"]]);
    assert_eq!(layers(&read), layers(&task));

    let summary = tasker.list(TaskFilter::new()).await.unwrap().remove(0);
    let (json, read) = again(&summary);
    assert_eq!(json, read);
    let worker = tasker.workers().await.unwrap().remove(0);
    let (json, read) = again(&worker);
    assert_eq!(json, read);
    let mut seen = 0;
    while let Some(event) = events.try_next() {
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
        seen += 1;
    }
    assert!(seen > 6, "{seen}");
    let limit = FleetLimit::new(LimitScope::Callable("a".to_owned())).concurrency(4);
    tasker.set_limit(limit.rate("100/s".parse().unwrap())).await.unwrap();
    let limit = tasker.limits().await.unwrap().remove(0);
    let (json, read) = again(&limit);
    assert_eq!(json, read);
    assert_eq!(
        json,
        json!({
            "scope": "callable", "name": "a", "concurrency": 4, "rate": "100/s",
            "held": 0, "workers": 0, "waiting": 0,
        })
    );
    tasker.shutdown().await;
}
