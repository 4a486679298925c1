//! Records that cannot be read: they harm no other, and whoever looks at their task or steers it can.

use std::sync::Arc;

use serde_json::json;
use tasker_runtime::operate::{Operator, RetryScope};
use tasker_runtime::store::{PostgresStore, StoreError};
use tasker_runtime::worker::WorkerId;
use tasker_runtime::{
    Error, StepContext, StepError, StepResult, StepState, Task, TaskFilter, TaskId, TaskState, Tasker,
};
use tasker_store::conformance::{Shape, at, new, new_task as new_record, template};
use tasker_store::{ClaimRequest, Finished, FinishedAttempt, Store, WorkerInfo};

use crate::postgres::Schema;
use crate::program::{sqlite, tasker as tasker_program, text};
use crate::support::{new_task, on_store};

/// A store in which anything can be put in the place of what it holds of a task.
enum Damaged {
    File(tempfile::TempDir),
    Schema(Schema),
}

impl Damaged {
    fn url(&self) -> String {
        match self {
            Self::File(directory) => sqlite(directory),
            Self::Schema(schema) => schema.url(),
        }
    }

    /// Overwrites columns of a task's rows; `{table}` and `{task}` are filled in.
    async fn overwrite(&self, table: &str, set: &str, and: &str, task: TaskId) {
        let key = if table == "task" { "id" } else { "task_id" };
        match self {
            Self::File(directory) => {
                let file = rusqlite::Connection::open(directory.path().join("t.db")).unwrap();
                let sql = format!("UPDATE {table} SET {set} WHERE {key} = ?1 {and}");
                assert!(file.execute(&sql, [task.0.as_bytes().as_slice()]).unwrap() > 0);
            }
            Self::Schema(schema) => {
                let name = schema.name();
                schema
                    .execute(&format!("UPDATE {name}.{table} SET {set} WHERE {key} = '{task}' {and}"))
                    .await;
            }
        }
    }
}

impl Damaged {
    /// Overwrites the snapshots of all templates, by what stands between quotes in SQL.
    async fn overwrite_templates(&self, snapshot: &str) {
        match self {
            Self::File(directory) => {
                let file = rusqlite::Connection::open(directory.path().join("t.db")).unwrap();
                assert!(
                    file.execute(&format!("UPDATE template SET snapshot = '{snapshot}'"), []).unwrap() > 0
                );
            }
            Self::Schema(schema) => {
                let name = schema.name();
                schema.execute(&format!("UPDATE {name}.template SET snapshot = '{snapshot}'")).await;
            }
        }
    }
}

/// Step `a` is complete, step `b` has failed for good, and step `c` waits for both.
async fn blocked(tasker: &Tasker) -> TaskId {
    let id = tasker.create_task(new_task().reason("an order")).await.unwrap();
    tasker.wait(id).await.unwrap_err();
    id
}

/// Whatever an operator does to such a task is done, although none of these texts can be read.
async fn an_operator_can_look_and_steer(store: &Damaged, error: &str, result: &str, other: &str) {
    let builder = on_store(&store.url(), "a\nb | retry: {max_attempts: 1}\nc: a, b\nd: b");
    let tasker = builder
        .handler_fn("a", |_: StepContext| async { StepResult::Ok("a") })
        .handler_fn("b", |context: StepContext| async move {
            if context.attempt() < 2 { Err(StepError::permanent("declined")) } else { Ok("b") }
        })
        .handler_fn("c", |context: StepContext| async move { context.dependency::<String>("a") })
        .handler_fn("d", |_: StepContext| async { StepResult::Ok("d") })
        .build()
        .await
        .unwrap();
    let operator = Operator::new("ada");
    let mut ids = Vec::new();
    for number in 0..6 {
        let id = blocked(&tasker).await;
        store.overwrite("attempt", &format!("error = '{error}'"), "AND step = 1", id).await;
        store.overwrite("attempt", &format!("result = '{result}'"), "AND step = 0", id).await;
        // Handlers that are to run need the context.
        if [0, 4, 5].contains(&number) {
            store.overwrite("task", &format!("context = '{other}', origin = '{other}'"), "", id).await;
        }
        ids.push(id);
    }
    let task = tasker.get_task(ids[0]).await.unwrap();
    let shown = task.step("b").unwrap().error().unwrap();
    assert!(shown.code.as_deref() == Some("UNREADABLE") || shown.message == "declined", "{shown}");
    assert_eq!(task.step("a").unwrap().result.as_ref().unwrap().get(), result);
    assert!(task.step_output::<String>("a").is_err());
    assert!(task.origin.reason.as_ref().unwrap().contains("cannot be read"), "{:?}", task.origin);
    assert!(matches!(tasker.wait(ids[0]).await, Err(Error::Failed(_))));
    let listed = tasker.list(TaskFilter::new()).await.unwrap();
    assert_eq!(listed.len(), ids.len());
    for command in ["show", "timeline"] {
        for more in [&[][..], &["--json"]] {
            let id = ids[0].to_string();
            let url = store.url();
            let output = tasker_program([&["task", command, &id, "--store", &url][..], more].concat());
            assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
            if !more.is_empty() && command == "show" {
                let shown: Task = serde_json::from_slice(&output.stdout).unwrap();
                assert_eq!(shown.id, task.id);
            }
        }
    }

    let scope = RetryScope::Step("b".to_owned());
    tasker.plan_retry(ids[1], &scope).await.unwrap();
    tasker.retry(ids[1], &scope, &operator).await.unwrap();
    let error = tasker.wait(ids[1]).await.unwrap_err();
    let Error::Failed(failure) = error else { panic!("{error}") };
    // The step that needs what cannot be read fails, and can be completed by hand.
    let failed = failure.task().step("c").unwrap();
    assert_eq!(failed.state, StepState::Error, "{failure}");
    let steered = tasker.complete_step(ids[1], "c", &json!("c"), &operator).await.unwrap();
    assert_eq!(steered.state, TaskState::Complete);
    tasker.complete_step(ids[2], "b", &json!("b"), &operator).await.unwrap();
    tasker.resolve_step_anyway(ids[3], "b", &operator).await.unwrap();
    for id in [ids[2], ids[3]] {
        tasker.wait(id).await.unwrap_err();
        let task = tasker.get_task(id).await.unwrap();
        let states = ["b", "c", "d"].map(|step| task.step(step).unwrap().state);
        assert!(matches!(states[0], StepState::Complete | StepState::ResolvedManually));
        assert_eq!(states[1..], [StepState::Error, StepState::Complete]);
    }
    let task = tasker.give_up(ids[4], &operator).await.unwrap();
    assert_eq!(task.state, TaskState::Error);
    store.overwrite("action", &format!("details = '{other}'"), "", ids[4]).await;
    assert_eq!(tasker.get_task(ids[4]).await.unwrap().actions.len(), 1);
    assert_eq!(tasker.cancel(ids[5], &operator).await.unwrap().state, TaskState::Cancelled);
    tasker.shutdown().await;
}

#[tokio::test]
async fn an_operator_can_look_at_and_steer_a_task_of_a_file_whatever_its_records_hold() {
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    for (error, result, other) in [
        ("{\"kind\":\"permanent\",", "{", "nonsense"),
        (&*format!("{{\"kind\":\"permanent\",\"message\":\"declined\",\"context\":{deep}}}"), &*deep, "{"),
    ] {
        let store = Damaged::File(tempfile::tempdir().unwrap());
        an_operator_can_look_and_steer(&store, error, result, other).await;
    }
}

#[tokio::test]
async fn an_operator_can_look_at_and_steer_a_task_of_a_database_whatever_its_records_hold() {
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    for (error, result, other) in [
        ("[1]", "\"\\ud800\"", "7"),
        (&*format!("{{\"kind\":\"permanent\",\"message\":\"declined\",\"context\":{deep}}}"), &*deep, "[7]"),
    ] {
        an_operator_can_look_and_steer(&Damaged::Schema(Schema::new()), error, result, other).await;
    }
}

/// What an operator does to a task whose template was damaged while no program had it open. `names` are those
/// that are told of its steps.
async fn a_task_is_steered_without_its_template(store: &Damaged, snapshot: &str, names: [&str; 4]) {
    let operator = Operator::new("ada");
    let mut ids = Vec::new();
    let builder = on_store(&store.url(), "a\nb | retry: {max_attempts: 1}\nc: a, b\nd: b");
    let tasker = builder
        .handler_fn("a", |_: StepContext| async { StepResult::Ok("a") })
        .handler_fn("b", |_: StepContext| async { StepResult::<()>::Err(StepError::permanent("declined")) })
        .handler_fn("c", |_: StepContext| async { StepResult::Ok("c") })
        .handler_fn("d", |_: StepContext| async { StepResult::Ok("d") })
        .build()
        .await
        .unwrap();
    for _ in 0..4 {
        ids.push(blocked(&tasker).await);
    }
    tasker.shutdown().await;
    store.overwrite_templates(snapshot).await;

    let tasker = Tasker::builder().only_listed_handlers().store_url(store.url()).build().await.unwrap();
    assert_eq!(tasker.list(TaskFilter::new()).await.unwrap().len(), 4);
    let task = tasker.get_task(ids[0]).await.unwrap();
    let told: Vec<&str> = task.steps.iter().map(|step| step.name.as_str()).collect();
    // Of a text that cannot be read at all, only the steps are known that have begun.
    let known = if names[0] == "a" { &names[..] } else { &names[..2] };
    assert_eq!(told, known);
    assert_eq!(task.step(names[1]).unwrap().error().unwrap().message, "declined");
    assert!(matches!(tasker.wait(ids[0]).await, Err(Error::Failed(_))));
    let id = ids[0].to_string();
    let output = tasker_program(["task", "show", &id, "--store", &store.url()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    // What is to run fails, for good and with the reason.
    tasker.retry(ids[0], &RetryScope::All, &operator).await.unwrap();
    let Err(Error::Failed(failure)) = tasker.wait(ids[0]).await else { panic!("it ran") };
    let error = failure.task().step(names[1]).unwrap().error().unwrap();
    assert_eq!(error.code.as_deref(), Some("UNREADABLE"), "{error}");
    assert!(error.message.contains("template"), "{error}");
    // What goes by the order of the steps is refused, for that is not known.
    let context = json!({});
    let of_the_template = |error: Error| error.to_string().contains("holds a template that cannot be read");
    assert!(of_the_template(tasker.complete_step(ids[1], names[1], &7, &operator).await.unwrap_err()));
    assert!(of_the_template(tasker.resolve_step_anyway(ids[1], names[1], &operator).await.unwrap_err()));
    assert!(of_the_template(tasker.amend(ids[1], &context, &operator).await.unwrap_err()));
    let downstream = RetryScope::Downstream(names[1].to_owned());
    assert!(of_the_template(tasker.retry(ids[1], &downstream, &operator).await.unwrap_err()));
    assert_eq!(tasker.give_up(ids[2], &operator).await.unwrap().state, TaskState::Error);
    assert_eq!(tasker.cancel(ids[3], &operator).await.unwrap().state, TaskState::Cancelled);
    assert!(of_the_template(tasker.retry(ids[3], &RetryScope::All, &operator).await.unwrap_err()));
    tasker.shutdown().await;
}

#[tokio::test]
async fn an_operator_can_look_at_and_steer_a_task_whose_template_cannot_be_read() {
    let numbered = ["step_0", "step_1", "step_2", "step_3"];
    let newer =
        r#"{"steps":[{"name":"a"},{"name":"b","handler":7},{"name":"c","dependencies":["x"]},{"name":"d"}]}"#;
    let no_text = Damaged::File(tempfile::tempdir().unwrap());
    a_task_is_steered_without_its_template(&no_text, "' || CAST(x'ff' AS TEXT) || '", numbered).await;
    for (snapshot, names) in [("nonsense", numbered), (newer, ["a", "b", "c", "d"])] {
        let file = Damaged::File(tempfile::tempdir().unwrap());
        a_task_is_steered_without_its_template(&file, snapshot, names).await;
        a_task_is_steered_without_its_template(&Damaged::Schema(Schema::new()), snapshot, names).await;
    }
}

#[tokio::test]
async fn a_task_that_cannot_be_read_leaves_the_others_and_their_commits_alone() {
    let schema = Schema::new();
    let store = PostgresStore::open(&schema.url()).await.unwrap();
    let worker = WorkerId::random();
    let request = |limit| {
        let (excluded, namespaces) = (Arc::default(), None);
        ClaimRequest { worker, limit, any: true, now: at(0), excluded, namespaces }
    };
    store.register_worker(worker, WorkerInfo::here(), at(0)).await.unwrap();
    store.put_template(template()).await.unwrap();
    let graph = Shape::new(vec![vec![]]);
    for second in 0..2 {
        // Not known to the writer: they are claimed from the queue.
        new(store.create_task(new_record(&graph, second), request(0)).await.unwrap());
    }
    let claims = store.claim(request(2)).await.unwrap().claims;
    let [odd, other] = claims[..] else { panic!("{claims:?}") };
    let name = schema.name();
    schema.execute(&format!("UPDATE {name}.task SET state = 'odd' WHERE id = '{}'", odd.task)).await;
    let finish = |claim| {
        let ending = graph.complete("1");
        store.finish(FinishedAttempt { claim, started_at: at(0), finished_at: at(1), ending }, request(0))
    };
    let (failed, done) = tokio::join!(finish(odd), finish(other));
    assert!(matches!(failed, Err(StoreError::Unreadable { .. })), "{failed:?}");
    assert!(matches!(done.unwrap(), Finished::Recorded { settled: Some(TaskState::Complete), .. }));
    // As another process sees it: committed.
    let onlooker = PostgresStore::open(&schema.url()).await.unwrap();
    assert_eq!(onlooker.task(other.task).await.unwrap().unwrap().head.state, TaskState::Complete);
    // And what comes after a failure alone is as well.
    assert!(finish(odd).await.is_err());
    let third = new(store.create_task(new_record(&graph, 3), request(1)).await.unwrap()).claims[0];
    assert!(matches!(finish(third).await.unwrap(), Finished::Recorded { .. }));
    assert_eq!(onlooker.task(third.task).await.unwrap().unwrap().head.state, TaskState::Complete);
    // Nor does it keep the others from being listed, whatever of it cannot be read.
    let task = odd.task;
    for set in [
        String::new(),
        format!("UPDATE {name}.task SET state = 'in_progress' WHERE id = '{task}'"),
        format!("UPDATE {name}.step SET state = 'odd' WHERE task_id = '{task}'"),
    ] {
        schema.execute(&set).await;
        let glances = onlooker.glance(&[task, third.task]).await.unwrap();
        assert_eq!(glances.len(), if set.contains("in_progress") { 2 } else { 1 }, "{set}");
    }
}
