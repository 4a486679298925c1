//! What is finished costs nothing: on PostgreSQL no statement of the engine walks over it.

use std::time::Duration;

use serde_json::json;
use tasker_runtime::{NewTask, StepResult, TaskId, Tasker};
use tokio_postgres::NoTls;

use crate::patience::within;
use crate::postgres::{Schema, server};
use crate::support::template;

/// Finished tasks of five steps, and tasks whose only step waits for tomorrow.
const FINISHED: u32 = 20_000;
const WAITING: u32 = 20_000;
/// Tasks that are run.
const RUN: u32 = 50;

/// Statements that put them into a schema.
pub fn fill(schema: &str) -> String {
    format!(
        "INSERT INTO {schema}.task
            (id, template_id, state, priority, correlation_id, created_at, settled_at, context)
        SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, gen_random_uuid(),
            CASE WHEN n <= {FINISHED} THEN 'complete' ELSE 'in_progress' END, 0, gen_random_uuid(),
            now() - interval '1 day', CASE WHEN n <= {FINISHED} THEN now() - interval '1 day' END, '{{}}'
        FROM generate_series(1, {FINISHED} + {WAITING}) AS n;
        INSERT INTO {schema}.attempt
            (task_id, step, attempt, worker_id, started_at, finished_at, outcome, result)
        SELECT id, step, 1, gen_random_uuid(), now(), now(), 'complete', '1'
        FROM {schema}.task, generate_series(0, 4) AS step
        WHERE state = 'complete';
        INSERT INTO {schema}.step (task_id, step, template_id, namespace, state, attempts, due_at, rank)
        SELECT id, 0, template_id, 'test', 'ready', 0, now() + interval '1 day',
            (extract(epoch FROM now() + interval '1 day') * 1000000)::bigint
        FROM {schema}.task
        WHERE state = 'in_progress';
        ANALYZE {schema}.task, {schema}.attempt, {schema}.step;"
    )
}

/// Rows that were read, by table: in scans of the whole table, and through its indexes.
async fn read(client: &tokio_postgres::Client, schema: &str, table: &str) -> (i64, i64) {
    let sql = "SELECT coalesce(seq_tup_read, 0), coalesce(idx_tup_fetch, 0)
        FROM pg_stat_user_tables
        WHERE schemaname = $1 AND relname = $2";
    let row = client.query_one(sql, &[&schema, &table]).await.unwrap();
    (row.get(0), row.get(1))
}

async fn create(tasker: &Tasker) -> Vec<TaskId> {
    let mut ids = Vec::new();
    for _ in 0..RUN {
        ids.push(tasker.create_task(NewTask::new("test", "flow", &json!({}))).await.unwrap());
    }
    ids
}

#[tokio::test]
async fn no_statement_walks_over_what_is_finished_or_waits() {
    let schema = Schema::new();
    let application = schema.name();
    let builder = || {
        Tasker::builder()
            .only_listed_handlers()
            .template_str("flow.yaml", template("a:\nb: a\nc: a\nd: b, c"))
            .store_url(schema.url_with(&format!("application_name={application}")))
            .handler_fn("a", async |_| StepResult::Ok(1))
            .handler_fn("b", async |_| StepResult::Ok(1))
            .handler_fn("c", async |_| StepResult::Ok(1))
            .handler_fn("d", async |_| StepResult::Ok(1))
    };
    // The schema, and nobody who works on it.
    let creator = builder().without_worker().build().await.unwrap();
    let filling = format!("SET application_name = '{application}'; {}", fill(schema.name()));
    schema.execute(&filling).await;
    let (client, driver) = tokio_postgres::connect(server(), NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    let ids = create(&creator).await;
    creator.shutdown().await;
    drop(creator);
    all_ended(&client, application).await;
    let tables = ["task", "attempt", "step"];
    let mut before = Vec::new();
    for table in tables {
        before.push(read(&client, schema.name(), table).await);
    }
    // From the queue, and by the process that creates what it runs.
    let worker = builder().poll_interval(Duration::from_millis(20)).build().await.unwrap();
    for id in ids {
        worker.wait(id).await.unwrap();
    }
    for id in create(&worker).await {
        worker.wait(id).await.unwrap();
    }
    worker.shutdown().await;
    drop(worker);
    all_ended(&client, application).await;
    let most = i64::from(RUN) * 400;
    for (table, before) in tables.into_iter().zip(before) {
        let after = read(&client, schema.name(), table).await;
        let (scanned, fetched) = (after.0 - before.0, after.1 - before.1);
        assert!(scanned < i64::from(FINISHED), "{scanned} rows of `{table}` were read by whole scans");
        assert!(fetched < most, "{fetched} rows of `{table}` were read through its indexes");
    }
    drop(client);
    driver.await.unwrap().unwrap();
}

/// Sessions write their statistics down when they end, the latest.
async fn all_ended(client: &tokio_postgres::Client, application: &str) {
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    let all = async {
        while client.query_one(sessions, &[&application]).await.unwrap().get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within("the end of all sessions", all).await;
}
