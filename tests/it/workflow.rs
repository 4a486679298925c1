//! The typed client that `workflow!` makes. What it refuses to compile is in `tests/ui/workflow`.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::task::WaitKind;
use tasker::workflow::{Workflow as _, WorkflowError};
use tasker::{Error, TaskFilter, TaskState};
use tempfile::TempDir;
use tokio_postgres::NoTls;
use validator::Validate;

use crate::postgres::{Schema, server};

#[derive(Debug, Serialize, Deserialize, Validate, WorkflowInput)]
pub struct Wish {
    #[validate(length(min = 2, message = "must name a place"))]
    pub place: String,
    pub days: u32,
    #[serde(rename = "class")]
    pub train_class: Option<u8>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub title: String,
}

#[step_handler("Tour::Plan")]
async fn plan(#[input("place")] place: String, #[input("days")] days: u32) -> Plan {
    Plan { title: format!("{days} days in {place}") }
}

#[step_handler("Tour::Book")]
async fn book(
    #[depends_on("type")] plan: Plan,
    #[input("class")] class: Option<u8>,
    step: StepContext,
) -> Vec<String> {
    vec![step.step_name().to_owned(), plan.title, format!("{class:?}")]
}

#[step_handler("Tour::Confirm")]
async fn confirm(
    #[depends_on(book, step = "book-hotel")] hotel: Vec<String>,
    #[depends_on("book-train", view)] train: (String, String, Value),
    #[input("days")] days: u32,
) -> Result<String, StepError> {
    match days {
        0 => Err(StepError::permanent("a tour takes a day").with_code("TOO_SHORT")),
        _ => Ok(format!("{} and {}: {}", hotel[0], train.0, hotel[1])),
    }
}

tasker::workflow! {
    /// Books a tour.
    pub tour(Wish) = "tests/it/workflow.yaml" {
        plan, "book-hotel" => book, "book-train" => book, confirm,
    }
}

tasker::workflow! {
    /// The same with any input.
    tour_for_anybody = "workflow.yaml" { plan, book, confirm }
}

fn wish(days: u32) -> Wish {
    Wish { place: "Turku".to_owned(), days, train_class: Some(2) }
}

async fn tasker() -> Tasker {
    let builder = Tasker::builder().only_listed_handlers().workflow(tour);
    builder.store_url("memory:").build().await.unwrap()
}

#[tokio::test]
async fn each_step_has_a_field_of_its_handlers_type() {
    let tasker = tasker().await;
    let handle =
        tour::create(&tasker, wish(3)).priority(7).tag("holiday").idempotency_key("t-1").await.unwrap();
    let done = handle.wait().await.unwrap();
    assert_eq!(done.r#type, Plan { title: "3 days in Turku".to_owned() });
    assert_eq!(done.book_hotel, ["book-hotel", "3 days in Turku", "Some(2)"]);
    assert_eq!(done.confirm, "book-hotel and book-train: 3 days in Turku");
    assert_eq!((done.task().priority, done.task().version.as_str()), (7, "1.2.0"));
    assert_eq!(done.task().context.to::<Value>().unwrap(), json!({"place": "Turku", "days": 3, "class": 2}));
    // Any process that knows the id can wait for it.
    assert_eq!(tour::handle(&tasker, handle.id()).wait().await.unwrap().confirm, done.confirm);
    let other = wish(4);
    let again = tour::create(&tasker, &other).idempotency_key("t-1").await;
    assert!(matches!(again, Err(Error::AlreadyExists { task: Some(id), .. }) if id == handle.id()));
    assert_eq!(other.days, 4, "it was only borrowed");
    tasker.shutdown().await;
}

#[tokio::test]
async fn input_that_is_not_valid_is_refused_before_there_is_a_task() {
    let tasker = tasker().await;
    let refused = tour::create(&tasker, Wish { place: "X".to_owned(), ..wish(3) }).await.unwrap_err();
    assert_eq!(refused.to_string(), "the input is invalid: `place` must name a place");
    assert!(tasker.list(TaskFilter::new()).await.unwrap().is_empty());
    tasker.shutdown().await;
}

#[tokio::test]
async fn a_failure_names_its_steps() {
    let tasker = tasker().await;
    let failed = tour::create(&tasker, wish(0)).await.unwrap().wait().await.unwrap_err();
    let WorkflowError::Failed(failure) = failed else { panic!("{failed}") };
    let [step] = failure.steps() else { panic!("{failure}") };
    assert_eq!((step.step, step.step.name()), (tour::Step::Confirm, "confirm"));
    assert_eq!(step.error.as_ref().unwrap().code.as_deref(), Some("TOO_SHORT"));
    assert_eq!(failure.task().state, TaskState::BlockedByFailures);
    tasker.shutdown().await;
}

#[tokio::test]
async fn a_task_is_looked_at_and_cancelled() {
    let tasker = tasker().await;
    let later = std::time::Duration::from_secs(3_600);
    let handle = tour::create(&tasker, wish(3)).run_in(later).await.unwrap();
    assert_eq!(handle.status().await.unwrap().waiting_on[0].kind, WaitKind::Future);
    let operator = tasker::operate::Operator::new("test").because("it rains");
    assert_eq!(handle.cancel(&operator).await.unwrap().state, TaskState::Cancelled);
    assert!(matches!(handle.wait().await, Err(WorkflowError::Failed(failure)) if failure.steps().is_empty()));
    tasker.shutdown().await;
}

#[tokio::test]
async fn without_a_type_any_object_is_an_input() {
    let builder = Tasker::builder().only_listed_handlers().workflow(tour_for_anybody);
    let tasker = builder.store_url("memory:").build().await.unwrap();
    let handle = tour_for_anybody::create(&tasker, json!({ "place": "Turku", "days": 1 })).await.unwrap();
    assert_eq!(handle.wait().await.unwrap().book_train[2], "None");
    let refused = tour_for_anybody::create(&tasker, [1, 2]).await.unwrap_err();
    assert!(refused.to_string().contains("must be a JSON object"), "{refused}");
    tasker.shutdown().await;
}

#[tokio::test]
async fn the_file_of_a_workflow_may_be_given_besides() {
    let builder = || Tasker::builder().only_listed_handlers().store_url("memory:");
    let relative = Path::new("tests/it/workflow.yaml");
    let absolute = relative.canonicalize().unwrap();
    for file in [relative, &absolute] {
        for builder in [
            builder().workflow(tour).template_file(file),
            builder().template_file(file).workflow(tour),
            builder().workflow(tour_for_anybody).template_file(file).workflow(tour),
            builder().workflow(tour).preferred_template_file(file),
        ] {
            let read = builder.read_templates().unwrap();
            assert_eq!(read.len(), 1);
            let tasker = builder.build().await.unwrap();
            assert_eq!(tasker.describe().templates, 1);
            tasker.shutdown().await;
        }
    }
    let other = tour::Workflow::TEMPLATE.replace("max_attempts: 1", "max_attempts: 2");
    for builder in [
        builder().workflow(tour).template_str("other.yaml", &other),
        builder().template_str("other.yaml", &other).workflow(tour),
        builder().workflow(tour).template_file(relative).template_str("copy", tour::Workflow::TEMPLATE),
    ] {
        assert_eq!(builder.read_templates().unwrap().len(), 2);
        let error = builder.build().await.unwrap_err().to_string();
        assert!(error.contains("template `test/tour/1.2.0` is there twice"), "{error}");
    }
}

#[tokio::test]
async fn the_file_of_a_command_comes_before_the_template_of_a_workflow() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("tour.yaml");
    std::fs::write(&file, tour::Workflow::TEMPLATE.replace("max_attempts: 1", "max_attempts: 2")).unwrap();
    let builder = || Tasker::builder().only_listed_handlers().store_url("memory:");
    for builder in [
        builder().workflow(tour).preferred_template_file(&file),
        builder().preferred_template_file(&file).workflow(tour),
    ] {
        let tasker = builder.build().await.unwrap();
        let task = tour::create(&tasker, wish(1)).await.unwrap().wait().await.unwrap();
        assert_eq!(task.task().step("confirm").unwrap().max_attempts, 2);
        tasker.shutdown().await;
    }
}

#[tokio::test]
async fn a_task_is_created_in_the_callers_transaction() {
    let schema = Schema::new();
    let builder = Tasker::builder().only_listed_handlers().workflow(tour);
    let tasker = builder.store_url(schema.url()).build().await.unwrap();
    let (mut client, driver) = tokio_postgres::connect(server(), NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    let mut transaction = client.transaction().await.unwrap();
    let handle = tour::create_in(&tasker, &mut transaction, wish(2)).tag("paid").await.unwrap();
    assert!(matches!(handle.status().await, Err(Error::UnknownTask(_))), "it is not committed yet");
    transaction.commit().await.unwrap();
    assert_eq!(handle.wait().await.unwrap().r#type.title, "2 days in Turku");

    // A run would wait for a task that begins only when its caller goes on.
    let mut transaction = client.transaction().await.unwrap();
    let create = tour::create_in(&tasker, &mut transaction, wish(3));
    let code = tasker::cli::run_workflow(create, tasker::cli::Display::Json).await;
    assert_eq!(code, std::process::ExitCode::FAILURE);
    assert!(tasker.has_ended());
    transaction.commit().await.unwrap();
    assert_eq!(tasker.list(TaskFilter::new()).await.unwrap().len(), 1);
    drop(client);
    driver.await.unwrap().unwrap();
    tasker.shutdown().await;
}
