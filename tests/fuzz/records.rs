//! What holds for whoever looks at a task, whatever text one of its records holds.

use rusqlite::Connection;
use rusqlite::types::Value;
use serde_json::json;
use tasker::doctor::DoctorOptions;
use tasker::operate::{Operator, RetryScope};
use tasker::store::StoreError;
use tasker::{Error, NewTask, StepContext, StepError, StepResult, Task, TaskFilter, TaskId, Tasker};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const YAML: &str = "{name: flow, namespace_name: fuzz, version: 1, steps: [
    {name: a, handler: {callable: A}},
    {name: b, handler: {callable: B}, dependencies: [a]},
    {name: c, handler: {callable: C}, dependencies: [b]}]}";

/// The columns that hold what people and handlers have written, with the rows that are meant.
const TEXTS: [[&str; 3]; 7] = [
    ["task", "context", "TRUE"],
    ["task", "origin", "TRUE"],
    ["attempt", "result", "step = 0"],
    ["attempt", "error", "step = 1"],
    ["action", "details", "TRUE"],
    ["action", "reason", "TRUE"],
    ["template", "snapshot", "TRUE"],
];

/// Those that say where the task is: what cannot be read of them cannot be guessed.
const STATES: [[&str; 3]; 5] = [
    ["task", "state", "TRUE"],
    ["task", "claimed", "TRUE"],
    ["attempt", "claimed", "step = 0"],
    ["attempt", "outcome", "step = 0"],
    ["step", "state", "TRUE"],
];

/// A file with a task whose first step is complete, and whose second has failed for good.
pub struct Blocked {
    directory: TempDir,
    runtime: Runtime,
    /// Looks at the task.
    tasker: Tasker,
    task: TaskId,
}

impl Blocked {
    /// Makes the file.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let task = runtime.block_on(async {
            let tasker = Tasker::builder()
                .only_listed_handlers()
                .store_url(url(&directory))
                .template_str("flow.yaml", YAML)
                .handler_fn("A", |_: StepContext| async { StepResult::Ok("a") })
                .handler_fn("B", |_: StepContext| async {
                    StepResult::<()>::Err(StepError::permanent("declined").with_context(json!({ "card": 7 })))
                })
                .handler_fn("C", |_: StepContext| async { StepResult::Ok("c") })
                .build()
                .await
                .unwrap();
            let new = NewTask::new("fuzz", "flow", &json!({ "order": 7 })).reason("an order").tag("urgent");
            let task = tasker.create_task(new).await.unwrap();
            tasker.wait(task).await.unwrap_err();
            let operator = Operator::new("ada").because("another card");
            tasker.retry(task, &RetryScope::All, &operator).await.unwrap();
            tasker.wait(task).await.unwrap_err();
            tasker.shutdown().await;
            task
        });
        let tasker = runtime.block_on(onlooker(&directory));
        Self { directory, runtime, tasker, task }
    }

    /// Puts a text in the place of one of the records, chosen by its number, and looks at the task.
    pub fn check(&self, number: u8, record: &str) {
        let number = usize::from(number) % (TEXTS.len() + STATES.len());
        let [table, column, rows] = TEXTS.into_iter().chain(STATES).nth(number).unwrap();
        let file = Connection::open(self.directory.path().join("t.db")).unwrap();
        let of_rows = format!("SELECT {column} FROM {table} WHERE {rows}");
        let before: Value = file.query_row(&of_rows, [], |row| row.get(0)).unwrap();
        let set = format!("UPDATE {table} SET {column} = ?1 WHERE {rows}");
        assert!(file.execute(&set, [record]).unwrap() > 0);
        let _restored = Restored { file, set, before };
        self.runtime.block_on(async {
            // A template is read once.
            let other = if table == "template" { Some(onlooker(&self.directory).await) } else { None };
            let tasker = other.as_ref().unwrap_or(&self.tasker);
            if number < TEXTS.len() {
                self.can_be_looked_at(tasker).await;
            } else {
                self.is_refused_at_most(tasker).await;
            }
            tasker.doctor(&DoctorOptions::default()).await.unwrap();
            if let Some(other) = other {
                other.shutdown().await;
            }
        });
    }

    /// The task can be shown, listed, waited and planned for, and what is shown can be read again.
    async fn can_be_looked_at(&self, tasker: &Tasker) {
        let shown = tasker.get_task(self.task).await.unwrap();
        let text = serde_json::to_string(&shown).unwrap();
        assert_eq!(serde_json::from_str::<Task>(&text).unwrap().id, self.task);
        assert_eq!(tasker.list(TaskFilter::new()).await.unwrap().len(), 1);
        assert!(matches!(tasker.wait(self.task).await, Err(Error::Failed(_))));
        tasker.plan_retry(self.task, &RetryScope::All).await.unwrap();
    }

    /// The task is shown, or the answer is that a record of it cannot be read. The list is there all the same.
    async fn is_refused_at_most(&self, tasker: &Tasker) {
        match tasker.get_task(self.task).await {
            Ok(_) | Err(Error::Store(StoreError::Unreadable { .. })) => {}
            Err(error) => panic!("{error:?}"),
        }
        tasker.list(TaskFilter::new()).await.unwrap();
    }
}

/// Puts back what was there before, also when a check fails: it is tried again with shorter texts then.
struct Restored {
    file: Connection,
    set: String,
    before: Value,
}

impl Drop for Restored {
    fn drop(&mut self) {
        self.file.execute(&self.set, [&self.before]).unwrap();
    }
}

async fn onlooker(directory: &TempDir) -> Tasker {
    let builder = Tasker::builder().only_listed_handlers().store_url(url(directory));
    builder.without_worker().build().await.unwrap()
}

fn url(directory: &TempDir) -> String {
    format!("sqlite://{}", directory.path().join("t.db").display())
}
