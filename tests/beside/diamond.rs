//! A diamond on a SQLite file. Each crate here includes it, and says what `tasker` is.

use super::tasker::{NewTask, StepError, Tasker, step_handler};

const TEMPLATE: &str = "
name: diamond
namespace_name: beside
version: 1.0.0
steps:
  - name: double
    handler: {callable: Double}
  - name: left
    handler: {callable: Left}
    dependencies: [double]
  - name: right
    handler: {callable: Right}
    dependencies: [double]
  - name: sum
    handler: {callable: Sum}
    dependencies: [left, right]
";

#[step_handler("Double")]
async fn double(#[input("number")] number: u32) -> u32 {
    number * 2
}

#[step_handler("Left")]
async fn left(#[depends_on(double)] doubled: u32) -> u32 {
    doubled + 1
}

#[step_handler("Right")]
async fn right(#[depends_on(double)] doubled: u32) -> Result<u32, StepError> {
    doubled.checked_add(2).ok_or_else(|| StepError::permanent("too large"))
}

#[step_handler("Sum")]
async fn sum(#[depends_on(left)] left: u32, #[depends_on(right)] right: u32) -> u32 {
    left + right
}

/// Runs it to its end.
pub async fn run() {
    let directory = tempfile::tempdir().expect("a directory for the file");
    let url = format!("sqlite://{}", directory.path().join("diamond.db").display());
    let builder = Tasker::builder().template_str("diamond.yaml", TEMPLATE).store_url(url);
    let tasker = builder.build().await.expect("the program starts");
    let new = NewTask::new("beside", "diamond", &serde_json::json!({ "number": 20 }));
    let id = tasker.create_task(new).await.expect("the task is created");
    let task = tasker.wait(id).await.expect("the task ends");
    assert_eq!(task.output::<sum>().expect("the last step has a result"), 83);
    tasker.shutdown().await;
}
