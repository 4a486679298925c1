//! A file in which tasks come and go does not grow.

use std::time::Duration;

use serde_json::json;
use tasker_runtime::{NewTask, StepContext, StepResult};
use tempfile::tempdir;

use crate::support::on_file;

/// Tasks that come and go in one cycle.
const TASKS: usize = 40;

#[tokio::test]
async fn what_was_deleted_makes_room_for_what_comes() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("t.db");
    let mut builder = on_file(&path, "a\nb: a\nc: a\nd: b, c").concurrency(64);
    for name in ["a", "b", "c", "d"] {
        builder =
            builder.handler_fn(name, |_: StepContext| async { StepResult::Ok("a result ".repeat(100)) });
    }
    let tasker = builder.build().await.unwrap();
    let file = rusqlite::Connection::open(&path).unwrap();
    let mut pages = Vec::new();
    for cycle in 0..30 {
        let mut ids = Vec::new();
        for number in 0..TASKS {
            let task = NewTask::new("test", "flow", &json!({"cycle": cycle, "number": number}));
            ids.push(tasker.create_task(task.tag("red")).await.unwrap());
        }
        for id in ids {
            tasker.wait(id).await.unwrap();
        }
        assert_eq!(tasker.prune(Duration::ZERO, usize::MAX).await.unwrap(), TASKS);
        pages.push(file.pragma_query_value(None, "page_count", |row| row.get::<_, u32>(0)).unwrap());
    }
    assert!(pages[29] * 10 <= pages[4] * 12, "{pages:?}");
    tasker.shutdown().await;
}
