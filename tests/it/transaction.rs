//! Tasks that are created in the caller's own transaction, on PostgreSQL.

use serde_json::{Value, json};
use tasker_runtime::{Error, IdentityStrategy, NewTask, StepContext, TaskFilter, TaskState, Tasker};
use tokio_postgres::NoTls;

use crate::postgres::{Schema, server};
use crate::support::template;

async fn on(schema: &Schema) -> Tasker {
    let echo = async |context: StepContext| context.input::<Value>();
    Tasker::builder()
        .only_listed_handlers()
        .template_str("flow.yaml", template("a:\nb:\nc: a, b"))
        .store_url(schema.url())
        .handler_fn("a", echo)
        .handler_fn("b", echo)
        .handler_fn("c", echo)
        .build()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_task_is_there_when_the_callers_data_is() {
    let schema = Schema::new();
    let tasker = on(&schema).await;
    let (mut client, driver) = tokio_postgres::connect(server(), NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    let context = json!({ "name": "it's \\ \"quoted\" $1 \u{1f980}\n" });
    let task = || NewTask::new("test", "flow", &context).tag("a'b").priority(3);

    let mut transaction = client.transaction().await.unwrap();
    let gone = tasker.create_task_in(&mut transaction, task()).await.unwrap();
    transaction.rollback().await.unwrap();
    assert!(matches!(tasker.get_task(gone).await, Err(Error::UnknownTask(_))));

    let table = format!("{}.orders", schema.name());
    let mut transaction = client.transaction().await.unwrap();
    transaction.batch_execute(&format!("CREATE TABLE {table} (number integer)")).await.unwrap();
    let id = tasker.create_task_in(&mut transaction, task()).await.unwrap();
    transaction.batch_execute(&format!("INSERT INTO {table} VALUES (7)")).await.unwrap();
    assert!(tasker.list(TaskFilter::default()).await.unwrap().is_empty(), "it is not committed yet");
    transaction.commit().await.unwrap();
    let done = tasker.wait(id).await.unwrap();
    assert_eq!(done.state, TaskState::Complete);
    assert_eq!(done.step("c").unwrap().result.as_ref().unwrap().to::<Value>().unwrap(), context);
    let tagged = TaskFilter::new().tag("a'b");
    assert_eq!(tasker.list(tagged).await.unwrap().len(), 1);

    drop(client);
    driver.await.unwrap().unwrap();
    tasker.shutdown().await;
}

#[tokio::test]
async fn a_task_of_the_same_identity_leaves_the_transaction_as_it_is() {
    let schema = Schema::new();
    let tasker = on(&schema).await;
    let (mut client, driver) = tokio_postgres::connect(server(), NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    let task = || NewTask::new("test", "flow", &json!({})).idempotency_key("order 7");
    let first = tasker.create_task(task()).await.unwrap();
    let mut transaction = client.transaction().await.unwrap();
    let again = tasker.create_task_in(&mut transaction, task()).await;
    assert!(
        matches!(again, Err(Error::AlreadyExists { task: Some(task), same_context: Some(true), .. }) if task == first),
        "{again:?}"
    );
    let strict = NewTask::new("test", "flow", &json!({})).identity(IdentityStrategy::Strict);
    let second = tasker.create_task_in(&mut transaction, strict.clone()).await.unwrap();
    // Nobody outside the transaction can see the other one.
    let again = tasker.create_task_in(&mut transaction, strict).await;
    assert!(matches!(again, Err(Error::AlreadyExists { task: None, same_context: None, .. })), "{again:?}");
    transaction.commit().await.unwrap();
    for id in [first, second] {
        assert_eq!(tasker.wait(id).await.unwrap().state, TaskState::Complete);
    }
    assert_eq!(tasker.list(TaskFilter::default()).await.unwrap().len(), 2);

    drop(client);
    driver.await.unwrap().unwrap();
    tasker.shutdown().await;
}

#[tokio::test]
async fn a_store_without_transactions_says_so() {
    let schema = Schema::new();
    let tasker = Tasker::builder()
        .only_listed_handlers()
        .template_str("flow.yaml", template("a:"))
        .without_worker()
        .store_url("memory:")
        .build()
        .await
        .unwrap();
    let (mut client, driver) = tokio_postgres::connect(server(), NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    let mut transaction = client.transaction().await.unwrap();
    let refused = tasker.create_task_in(&mut transaction, NewTask::new("test", "flow", &json!({}))).await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "only a PostgreSQL store creates tasks in the caller's own transaction; use `create_task`"
    );
    drop(transaction);
    drop(client);
    driver.await.unwrap().unwrap();
    drop(schema);
}
