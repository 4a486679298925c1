//! The task that a run is asked for, and those that an earlier run left.

use tasker_runtime::{Error, NewTask, Task, TaskFilter, TaskId, TaskState, Tasker};

use crate::cli::output::{Display, print, say};

/// The task that is asked for.
pub(super) struct RequestedTask {
    pub(super) task: NewTask,
    /// How to ask for another one with the same context.
    pub(super) another: &'static str,
}

/// A task that an earlier run left unfinished. It may have ended since this runtime has begun.
struct Left {
    id: TaskId,
    /// Its context, in the form in which contexts are compared.
    context: String,
}

impl RequestedTask {
    /// The tasks to run: what was left, and the one that is asked for, which is created unless it was left.
    pub(super) async fn begin(self, tasker: &Tasker, display: Display) -> Result<Vec<Task>, Error> {
        let left = left(tasker, &self.task).await?;
        // Whoever creates the task says what is wrong with its context.
        let context = self.task.written_context().ok().map(|context| context.canonical());
        let asked_for = match left.iter().find(|task| Some(&task.context) == context.as_ref()) {
            Some(same) if !self.task.is_identified() => {
                if self.task.has_options() {
                    say(&format!(
                        "a task with this context was left unfinished, and keeps the options that it was \
                         created with; {} creates another one",
                        self.another
                    ));
                }
                same.id
            }
            _ => match tasker.create_task(self.task).await {
                Ok(id) => id,
                Err(Error::AlreadyExists { task: Some(existing), same_context: Some(true), .. })
                    if left.iter().any(|task| task.id == existing) =>
                {
                    existing
                }
                Err(error) => return Err(error),
            },
        };
        let mut tasks = Vec::new();
        for left in &left {
            let task = tasker.get_task(left.id).await?;
            if task.id == asked_for || task.begins_at().is_none() {
                tasks.push(task);
            }
        }
        if display == Display::Person && !tasks.is_empty() {
            let are_left = if tasks.len() == 1 { "task that" } else { "tasks that" };
            print(&format!("going on with {} {are_left} an earlier run left unfinished", tasks.len()));
        }
        if !tasks.iter().any(|task| task.id == asked_for) {
            tasks.push(tasker.get_task(asked_for).await?);
        }
        let asked_for = tasks.iter().find(|task| task.id == asked_for);
        if let Some((task, at)) = asked_for.and_then(|task| Some((task, task.begins_at()?))) {
            say(&format!("task {} begins at {}", task.id, at.strftime("%Y-%m-%d %H:%M:%SZ")));
        }
        Ok(tasks)
    }
}

/// The tasks of the same template that an earlier run left unfinished, the oldest first.
async fn left(tasker: &Tasker, requested: &NewTask) -> Result<Vec<Left>, Error> {
    const PAGE: usize = 100;
    let (namespace, name) = requested.template();
    let unfinished = |before| {
        let mut filter =
            TaskFilter::new().states([TaskState::InProgress]).namespace(namespace).name(name).limit(PAGE);
        filter.before = before;
        filter
    };
    let (mut left, mut before) = (Vec::new(), None);
    loop {
        let page = tasker.list(unfinished(before)).await?;
        before = page.last().map(|task| task.id);
        let is_last = page.len() < PAGE;
        for task in page {
            if tasker.serves_environment_of(task.id).await? {
                left.push(Left { id: task.id, context: task.context.canonical() });
            }
        }
        if is_last {
            break;
        }
    }
    // The worker has begun with them before anybody could ask. They are looked for last: what ends meanwhile is
    // in one list or in both.
    for task in tasker.settled_earlier_tasks().await? {
        let is_of_template = task.namespace == namespace && task.name == name;
        if is_of_template && !left.iter().any(|one| one.id == task.id) {
            left.push(Left { id: task.id, context: task.context.canonical() });
        }
    }
    left.sort_by_key(|task| task.id);
    Ok(left)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use tasker_runtime::store::MemoryStore;
    use tasker_runtime::{Builder, IdentityStrategy, StepContext, StepResult};

    use super::*;

    const TEMPLATE: &str =
        "{name: a, namespace_name: t, version: 1, steps: [{name: s, handler: {callable: C}}]}";

    fn builder(store: &Arc<MemoryStore>) -> Builder {
        Tasker::builder()
            .only_listed_handlers()
            .handler_fn("C", |_: StepContext| async { StepResult::Ok(()) })
            .template_str("a.yaml", TEMPLATE)
            .shared_store(store.clone())
    }

    fn task(number: u32) -> NewTask {
        NewTask::new("t", "a", &json!({ "number": number }))
    }

    async fn begun(tasker: &Tasker, task: NewTask) -> Vec<TaskId> {
        let requested = RequestedTask { task, another: "" };
        let tasks = requested.begin(tasker, Display::Json).await;
        tasks.unwrap_or_else(|error| panic!("{error}")).iter().map(|task| task.id).collect()
    }

    /// A runtime on a store in which an earlier run left these tasks. They have ended here already.
    async fn after_the_end_of(left: impl IntoIterator<Item = NewTask>) -> (Tasker, Vec<TaskId>) {
        let store = Arc::new(MemoryStore::new());
        let earlier = builder(&store).without_worker().build().await.expect("it starts");
        let mut ids = Vec::new();
        for task in left {
            ids.push(earlier.create_task(task).await.expect("it is created"));
        }
        earlier.shutdown().await;
        let tasker = builder(&store).build().await.expect("it starts");
        for id in &ids {
            let task = tasker.wait(*id).await.expect("it is complete");
            assert_eq!(task.state, TaskState::Complete);
        }
        (tasker, ids)
    }

    #[tokio::test]
    async fn a_left_task_that_has_ended_before_anybody_asked_is_the_one_that_was_asked_for() {
        for own in [task(1), task(1).idempotency_key("k"), task(1).identity(IdentityStrategy::Strict)] {
            let (tasker, left) = after_the_end_of([own.clone(), task(2)]).await;
            assert_eq!(begun(&tasker, own).await, left);
            assert_eq!(tasker.list(TaskFilter::new()).await.expect("the list").len(), 2);
            tasker.shutdown().await;
        }
    }

    #[tokio::test]
    async fn a_task_of_this_runtime_was_not_left() {
        let (tasker, left) = after_the_end_of([task(2)]).await;
        let first = tasker.create_task(task(1)).await.expect("it is created");
        tasker.wait(first).await.expect("it is complete");
        let begun = begun(&tasker, task(1)).await;
        assert_eq!(begun[..1], left);
        assert!(begun.len() == 2 && !begun.contains(&first), "{begun:?}");

        let own = task(1).idempotency_key("k");
        let first = tasker.create_task(own.clone()).await.expect("it is created");
        tasker.wait(first).await.expect("it is complete");
        let again = RequestedTask { task: own, another: "" }.begin(&tasker, Display::Json).await;
        assert!(matches!(again, Err(Error::AlreadyExists { task: Some(id), .. }) if id == first));
        tasker.shutdown().await;
    }

    #[tokio::test]
    async fn the_task_is_created_as_it_was_described() {
        let (tasker, _) = after_the_end_of([]).await;
        let own = task(1).priority(7).tag("red").initiator("ada");
        let id = begun(&tasker, own).await[0];
        let made = tasker.get_task(id).await.expect("it is there");
        assert_eq!((made.priority, made.origin.tags), (7, vec!["red".to_owned()]));
        assert_eq!(made.origin.initiator.as_deref(), Some("ada"));
        tasker.shutdown().await;
    }
}
