//! The grants that docs/scaling.md gives a worker's role on PostgreSQL.

use std::time::Duration;

use serde_json::json;
use tasker_runtime::{NewTask, StepContext, StepError, StepResult, TaskState, Tasker};

use crate::patience::within;
use crate::postgres::{Schema, server};
use crate::program::{migrated, root};
use crate::support::{ended, template};

/// A role that may log in; dropped with this, after what was granted to it.
struct Role<'s> {
    name: String,
    schema: &'s Schema,
}

impl<'s> Role<'s> {
    async fn new(schema: &'s Schema) -> Self {
        let name = format!("tasker_role_{}", uuid::Uuid::now_v7().simple());
        schema.execute(&format!("CREATE ROLE {name} LOGIN PASSWORD 'secret'")).await;
        Self { name, schema }
    }

    fn url(&self) -> String {
        let (scheme, rest) = server().split_once("://").unwrap();
        let (_, place) = rest.split_once('@').unwrap();
        let url = self.schema.url();
        let (_, query) = url.split_once('?').unwrap();
        format!("{scheme}://{}:secret@{}?{query}", self.name, place.split('?').next().unwrap())
    }

    async fn drop(self) {
        self.schema.execute(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.name)).await;
    }
}

/// A block of SQL in docs/scaling.md, for this role and schema.
fn grants(after: &str, role: &Role<'_>) -> String {
    let page = std::fs::read_to_string(root().join("docs/scaling.md")).unwrap();
    let (_, rest) = page.split_once(after).unwrap();
    let (_, block) = rest.split_once("```sql\n").unwrap();
    let (sql, _) = block.split_once("```").unwrap();
    sql.replace("tasker_worker", &role.name)
        .replace("tasker.", &format!("{}.", role.schema.name()))
        .replace("SCHEMA tasker ", &format!("SCHEMA {} ", role.schema.name()))
}

fn flow(url: &str) -> tasker_runtime::Builder {
    Tasker::builder()
        .only_listed_handlers()
        .template_str(
            "flow.yaml",
            template("a\nb: a | retry: {max_attempts: 2, backoff: none}\nc: a\nd: b, c"),
        )
        .store_url(url)
        .poll_interval(Duration::from_millis(20))
        .handler_fn("a", |_: StepContext| async { StepResult::Ok("a") })
        .handler_fn("b", |context: StepContext| async move {
            if context.attempt() == 1 { Err(StepError::retryable("busy")) } else { Ok("b") }
        })
        .handler_fn("c", |context: StepContext| async move {
            let fails: bool = context.input_field("fails")?;
            if fails { Err(StepError::permanent("declined")) } else { Ok("c") }
        })
        .handler_fn("d", |_: StepContext| async { StepResult::Ok("d") })
}

#[tokio::test]
async fn a_worker_runs_with_no_more_than_the_documented_grants() {
    use tasker_runtime::TaskFilter;
    use tasker_runtime::error::chain;
    use tasker_runtime::limits::{FleetLimit, LimitScope};
    use tasker_runtime::operate::{Operator, RetryScope};
    let schema = Schema::new();
    let role = Role::new(&schema).await;
    let url = role.url();

    // It may not make the tables, and says who may.
    let error = flow(&url).build().await.unwrap_err().to_string();
    assert!(
        error.contains("it has no tables yet") && error.contains("`tasker migrate --store URL`"),
        "{error}"
    );
    assert!(!error.contains("secret"), "{error}");
    let owner = schema.url();
    tokio::task::spawn_blocking(move || migrated(&owner, &[])).await.unwrap();
    let error = flow(&url).build().await.unwrap_err().to_string();
    assert!(error.contains("permission denied") && error.contains("docs/scaling.md"), "{error}");

    schema.execute(&grants("What a worker needs", &role)).await;
    let tasker = flow(&url).build().await.unwrap();
    let create = async |fails: bool| {
        let task = NewTask::new("test", "flow", &json!({ "fails": fails, "n": uuid::Uuid::now_v7() }));
        tasker.create_task(task.tag("red").identity(tasker_runtime::IdentityStrategy::Strict)).await.unwrap()
    };
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(create(false).await);
    }
    for id in &ids {
        assert_eq!(tasker.wait(*id).await.unwrap().state, TaskState::Complete);
    }
    // What operators do.
    let limit = FleetLimit::new(LimitScope::Callable("a".to_owned())).concurrency(3);
    tasker.set_limit(limit.rate("1000/s".parse().unwrap())).await.unwrap();
    let all_known = async || tasker.limits().await.unwrap().iter().all(|one| one.workers > 0);
    let known = async {
        while !all_known().await {
            let id = create(false).await;
            tasker.wait(id).await.unwrap();
            ids.push(id);
        }
    };
    within("a worker that knows the limit", known).await;
    tasker.remove_limit(LimitScope::Callable("a".to_owned())).await.unwrap();
    let by = Operator::new("ada").because("a test");
    let failed = create(true).await;
    assert_eq!(ended(tasker.wait(failed).await).state, TaskState::BlockedByFailures);
    tasker.resolve_step_anyway(failed, "c", &by).await.unwrap();
    assert_eq!(tasker.wait(failed).await.unwrap().state, TaskState::Complete);
    let failed = create(true).await;
    ended(tasker.wait(failed).await);
    tasker.give_up(failed, &by).await.unwrap();
    tasker.retry(failed, &RetryScope::All, &by).await.unwrap();
    ended(tasker.wait(failed).await);
    tasker.cancel(failed, &by).await.unwrap();
    assert_eq!(tasker.list(TaskFilter::new().tag("red").limit(1_000)).await.unwrap().len(), ids.len() + 2);
    assert_eq!(tasker.workers().await.unwrap().len(), 1);

    // Deleting takes more.
    let error = chain(&tasker.prune(Duration::ZERO, 100).await.unwrap_err());
    assert!(error.contains("permission denied"), "{error}");
    schema.execute(&grants("deletes old tasks", &role)).await;
    assert_eq!(tasker.prune(Duration::ZERO, 1_000).await.unwrap(), ids.len() + 2);
    tasker.shutdown().await;
    assert!(flow(&url).without_worker().build().await.unwrap().workers().await.unwrap().is_empty());
    role.drop().await;
}

#[test]
fn the_grants_name_every_table() {
    let page = std::fs::read_to_string(root().join("docs/scaling.md")).unwrap();
    let migrations = std::fs::read_dir(root().join("tasker-postgres/migrations")).unwrap();
    let tables: String =
        migrations.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    for table in tables.split("CREATE TABLE {schema}.").skip(1).map(|rest| rest.split(' ').next().unwrap()) {
        assert!(page.contains(&format!("tasker.{table}")), "docs/scaling.md grants nothing on `{table}`");
    }
}
