//! `tasker task …` from another process, on the file of a worker that runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tasker_runtime::{NewTask, StepContext, StepError, StepResult, TaskId, TaskState, Tasker};
use tempfile::TempDir;

use crate::patience::within;
use crate::program::{json, tasker, text};
use crate::support::{ended, template};

/// A worker in this process, on a file of its own.
struct Bench {
    _directory: TempDir,
    path: PathBuf,
    tasker: Tasker,
}

impl Bench {
    /// `b` fails for good in its first attempt; `slow` never ends by itself.
    async fn new(steps: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("t.db");
        let builder = Tasker::builder()
            .only_listed_handlers()
            .template_str("flow.yaml", template(steps))
            .store_url(format!("sqlite://{}", path.display()))
            .poll_interval(Duration::from_millis(20))
            .grace_period(Duration::from_millis(50))
            .handler_fn("a", |_: StepContext| async { StepResult::Ok("a") })
            .handler_fn("b", |context: StepContext| async move {
                if context.attempt() == 1 { Err(StepError::permanent("declined")) } else { Ok("b") }
            })
            .handler_fn("c", |context: StepContext| async move { context.optional_dependency::<Value>("b") })
            .handler_fn("later", |context: StepContext| async move {
                if context.attempt() == 1 { Err(StepError::retryable("busy")) } else { Ok(()) }
            })
            .handler_fn("slow", |context: StepContext| async move {
                context.cancelled().await;
                StepResult::<()>::Err(StepError::retryable("told to end"))
            });
        Self { _directory: directory, tasker: builder.build().await.unwrap(), path }
    }

    async fn create(&self, tag: &str) -> TaskId {
        self.tasker.create_task(NewTask::new("test", "flow", &json!({})).tag(tag)).await.unwrap()
    }

    async fn task(&self, arguments: &[&str]) -> std::process::Output {
        let (path, arguments) = (self.path.clone(), arguments.iter().map(|one| (*one).to_owned()).collect());
        tokio::task::spawn_blocking(move || run(&path, arguments)).await.unwrap()
    }

    async fn answer(&self, arguments: &[&str]) -> Value {
        let output = self.task(&[arguments, &["--json"]].concat()).await;
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        json(&output)
    }

    async fn blocked(&self, tag: &str) -> TaskId {
        let id = self.create(tag).await;
        assert_eq!(ended(self.tasker.wait(id).await).state, TaskState::BlockedByFailures);
        id
    }
}

fn run(path: &Path, arguments: Vec<String>) -> std::process::Output {
    let store = ["--store".to_owned(), format!("sqlite://{}", path.display())];
    tasker(["task".to_owned()].into_iter().chain(arguments).chain(store))
}

#[tokio::test]
async fn a_failed_step_is_retried_while_the_worker_runs() {
    let bench = Bench::new("a\nb: a\nc: b").await;
    let id = bench.blocked("red").await;
    let name = id.to_string();
    let plan = bench.answer(&["retry", &name, "b", "--dry-run"]).await;
    assert_eq!(plan, json!({ "retried": ["b"], "then": ["c"] }));
    let output = bench.task(&["retry", &name, "b", "--by", "ada", "-r", "new card"]).await;
    assert!(text(&output.stdout).starts_with("tried again: b; then: c; task"), "{}", text(&output.stdout));
    let task = bench.tasker.wait(id).await.unwrap();
    assert_eq!(task.state, TaskState::Complete);
    let timeline = bench.answer(&["timeline", &name]).await;
    let lines: Vec<&str> =
        timeline.as_array().unwrap().iter().map(|one| one["what"].as_str().unwrap()).collect();
    assert_eq!(lines[0], "created, as test/flow 1.0.0");
    assert!(
        lines.contains(&"retry b by ada: new card") && lines.contains(&"b: attempt 2 complete"),
        "{lines:?}"
    );
    assert_eq!(*lines.last().unwrap(), "the task is complete");
    let page = text(&bench.task(&["show", &name]).await.stdout);
    assert!(page.contains("retry b by ada: new card"), "{page}");
    bench.tasker.shutdown().await;
}

#[tokio::test]
async fn a_step_is_completed_or_resolved_by_hand() {
    let bench = Bench::new("a\nb: a\nc: b").await;
    let (one, other) = (bench.blocked("red").await, bench.blocked("red").await);
    bench.answer(&["complete", &one.to_string(), "b", "--result", r#"{"by": "hand"}"#]).await;
    let task = bench.tasker.wait(one).await.unwrap();
    assert_eq!(task.step_output::<Value>("c").unwrap(), json!({ "by": "hand" }));
    bench.answer(&["resolve", &other.to_string(), "b", "--force"]).await;
    let task = bench.tasker.wait(other).await.unwrap();
    assert_eq!(task.step_output::<Value>("c").unwrap(), Value::Null);
    bench.tasker.shutdown().await;
}

#[tokio::test]
async fn a_running_handler_is_told_that_its_task_was_cancelled_elsewhere() {
    let bench = Bench::new("slow").await;
    let id = bench.create("red").await;
    let answer = bench.answer(&["cancel", &id.to_string(), "--reason", "no longer wanted"]).await;
    assert_eq!(answer["state"], "cancelled");
    // Its slot is free: a shutdown has nothing to wait for once the handler has been told.
    assert_eq!(ended(bench.tasker.wait(id).await).state, TaskState::Cancelled);
    bench.tasker.shutdown().await;
    let again = bench.task(&["cancel", &id.to_string()]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(
        text(&again.stderr).contains("is cancelled: `cancel` is not possible"),
        "{}",
        text(&again.stderr)
    );
}

#[tokio::test]
async fn a_backoff_is_cut_short() {
    let bench = Bench::new("later | retry: {max_attempts: 2, initial_delay: 1800, max_delay: 1800}").await;
    let mut events = bench.tasker.subscribe();
    let id = bench.create("red").await;
    let finished = async {
        while !matches!(events.next().await.unwrap(), tasker_runtime::events::Event::StepFinished { .. }) {}
    };
    within("the end of the step", finished).await;
    bench.answer(&["retry", &id.to_string(), "later", "--now"]).await;
    assert_eq!(bench.tasker.wait(id).await.unwrap().state, TaskState::Complete);
    bench.tasker.shutdown().await;
}

#[tokio::test]
async fn a_task_that_another_process_creates_is_run() {
    let bench = Bench::new("a\nc: a").await;
    let file = bench.path.with_file_name("flow.yaml");
    std::fs::write(&file, template("a\nc: a")).unwrap();
    let answer = bench.answer(&["create", file.to_str().unwrap(), "--tag", "red"]).await;
    let id = answer["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(bench.tasker.wait(id).await.unwrap().origin.tags, ["red"]);
    bench.tasker.shutdown().await;
}

#[tokio::test]
async fn stale_tasks_are_told() {
    let bench = Bench::new("later | retry: {max_attempts: 2, initial_delay: 3600, max_delay: 3600}").await;
    let mut events = bench.tasker.subscribe();
    let id = bench.create("red").await;
    let finished = async {
        while !matches!(events.next().await.unwrap(), tasker_runtime::events::Event::StepFinished { .. }) {}
    };
    within("the end of the step", finished).await;
    assert_eq!(bench.answer(&["stale"]).await, json!([]));
    assert_eq!(
        text(&bench.task(&["stale"]).await.stdout),
        "no unfinished task has been where it is for too long\n"
    );
    let age = json!({
        "task": id, "waiting_for": "retry", "minutes": 0, "limit_minutes": 30, "staleness": "healthy",
    });
    assert_eq!(bench.answer(&["stale", "--all"]).await, json!([age]));
    assert_eq!(bench.answer(&["stale", "--all", "--namespace", "other"]).await, json!([]));
    // As if that had been 40 minutes ago.
    let file = rusqlite::Connection::open(&bench.path).unwrap();
    file.execute_batch("UPDATE attempt SET finished_at = finished_at - 2400000000").unwrap();
    let age = &bench.answer(&["stale"]).await[0];
    assert_eq!((&age["minutes"], &age["staleness"]), (&json!(40), &json!("stale")));
    let page = text(&bench.task(&["stale"]).await.stdout);
    assert_eq!(page, format!("{id}  retry  40 of 30 minutes\n"));
    bench.tasker.shutdown().await;
}

#[tokio::test]
async fn a_task_is_given_up_and_its_dead_letter_investigated() {
    let bench = Bench::new("a\nb: a").await;
    let id = bench.blocked("red").await;
    let name = id.to_string();
    let nothing = text(&bench.task(&["dead-letters"]).await.stdout);
    assert_eq!(nothing, "no dead letter meets these conditions\n");
    let output = bench.task(&["give-up", &name, "--by", "ada", "-r", "it is\nhopeless"]).await;
    assert_eq!(text(&output.stdout), format!("given up; task {id} is error\n"));
    let again = bench.task(&["give-up", &name]).await;
    assert_eq!(again.status.code(), Some(1));
    let errors = text(&again.stderr);
    assert!(errors.contains("`retry` brings such a task back"), "{errors}");

    let letters = bench.answer(&["dead-letters"]).await;
    let letter = &letters[0];
    assert_eq!((&letter["task"], &letter["status"]), (&json!(name), &json!("pending")));
    assert_eq!(
        (&letter["reason"], &letter["original_state"], &letter["by"], &letter["priority"]),
        (&json!("manual_dlq"), &json!("blocked_by_failures"), &json!("ada"), &json!(10))
    );
    let page = text(&bench.task(&["dead-letters"]).await.stdout);
    assert!(page.starts_with(&format!("{id}  pending ")), "{page}");
    assert!(page.contains("manual_dlq by ada, was blocked_by_failures: it is\n"), "{page}");

    let noted = ["investigate", &name, "--status", "permanently_failed", "--notes", "closed", "--by", "bob"];
    let output = bench.task(&noted).await;
    assert_eq!(text(&output.stdout), format!("noted as permanently_failed; task {id} is error\n"));
    assert_eq!(bench.answer(&["dead-letters"]).await, json!([]));
    assert_eq!(bench.answer(&["dead-letters", "--status", "cancelled"]).await, json!([]));
    let letters = bench.answer(&["dead-letters", "--status", "permanently_failed"]).await;
    assert_eq!((&letters[0]["resolved_by"], &letters[0]["notes"]), (&json!("bob"), &json!("closed")));
    let page = text(&bench.task(&["dead-letters", "--all"]).await.stdout);
    assert!(page.contains("    noted by bob: closed\n"), "{page}");
    let page = text(&bench.task(&["show", &name]).await.stdout);
    assert!(page.contains("investigate as permanently_failed by bob: closed"), "{page}");

    bench.answer(&["retry", &name, "--all", "--by", "ada"]).await;
    bench.tasker.wait(id).await.unwrap();
    let letters = bench.answer(&["dead-letters", "--all"]).await;
    assert_eq!(
        (&letters[0]["status"], &letters[0]["resolved_by"], &letters[0]["state"]),
        (&json!("manually_resolved"), &json!("ada"), &json!("complete"))
    );
    let late = bench.task(&noted).await;
    assert_eq!(late.status.code(), Some(1));
    let errors = text(&late.stderr);
    assert!(errors.contains("only a task that was given up has a dead letter"), "{errors}");
    bench.tasker.shutdown().await;
}

#[tokio::test]
async fn tasks_are_listed_by_page_and_pruned() {
    let bench = Bench::new("a").await;
    let mut ids = Vec::new();
    for tag in ["red", "blue", "red"] {
        let id = bench.create(tag).await;
        bench.tasker.wait(id).await.unwrap();
        ids.push(id.to_string());
    }
    let page = bench.answer(&["list", "--state", "complete", "--limit", "2"]).await;
    let listed = |page: &Value| -> Vec<String> {
        page["tasks"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (listed(&page), page["next_before"].as_str().unwrap()),
        (vec![ids[2].clone(), ids[1].clone()], ids[1].as_str())
    );
    let page = bench.answer(&["list", "--before", &ids[1]]).await;
    assert_eq!((listed(&page), &page["next_before"]), (vec![ids[0].clone()], &Value::Null));
    assert_eq!(listed(&bench.answer(&["list", "--tag", "red"]).await), [ids[2].clone(), ids[0].clone()]);
    assert_eq!(bench.answer(&["prune", "--older-than", "1d"]).await, json!({ "pruned": 0 }));
    assert_eq!(bench.answer(&["prune", "--older-than", "0s"]).await, json!({ "pruned": 3 }));
    let output = bench.task(&["list"]).await;
    assert_eq!(text(&output.stdout), "no task meets these conditions\n");
    bench.tasker.shutdown().await;
}

#[test]
fn slips_are_told_and_make_no_file() {
    let directory = TempDir::new().unwrap();
    let output = run(&directory.path().join("no.db"), vec!["list".to_owned()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("there is no store"), "{}", text(&output.stderr));
    assert!(!directory.path().join("no.db").exists());
    let output = tasker(["task", "list", "--state", "done"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("a task is one of: in_progress, complete"),
        "{}",
        text(&output.stderr)
    );
    let output = tasker(["task", "dead-letters", "--status", "done"]);
    assert_eq!(output.status.code(), Some(2));
    let errors = text(&output.stderr);
    assert!(errors.contains("a dead letter is one of: pending, manually_resolved"), "{errors}");
    let output = tasker(["task", "investigate", &TaskId::random().to_string(), "--status", "pending"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--notes <TEXT>"), "{}", text(&output.stderr));
}
