//! PostgreSQL's plans: whatever a store sends, the server finds by an index, and never among what is
//! finished. The server explains each statement as it runs it (`auto_explain`), and a proxy listens.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize as _;
use serde_json::{Value, json};
use tasker_runtime::operate::Operator;
use tasker_runtime::{NewTask, StepContext, StepError, StepResult, Tasker};

use crate::history::fill;
use crate::postgres::proxy::Proxy;
use crate::postgres::{Schema, address};
use crate::support::template;

/// Makes the server explain all that a session runs.
const EXPLAIN: &str = "options=-c%20session_preload_libraries%3Dauto_explain\
    %20-c%20auto_explain.log_min_duration%3D0%20-c%20auto_explain.log_format%3Djson\
    %20-c%20auto_explain.log_level%3Dnotice";

/// Tables that grow with the number of tasks.
const GROWING: [&str; 6] = ["task", "attempt", "step", "action", "tag", "identity"];
/// Indexes of unfinished work alone: to walk over one is to walk over that.
const OF_OPEN_WORK: [&str; 5] = ["task_open", "step_ready", "step_served", "step_waiting", "step_claimed"];

/// What the server has explained: statements with their plans.
fn plans(said: &[u8]) -> Vec<(String, Value)> {
    let text = String::from_utf8_lossy(said);
    text.split("plan:\n")
        .skip(1)
        .map(|rest| {
            let explained = Value::deserialize(&mut serde_json::Deserializer::from_str(rest)).unwrap();
            (explained["Query Text"].as_str().unwrap().to_owned(), explained["Plan"].clone())
        })
        .collect()
}

/// Scans that may read more than what is asked for.
fn walks(node: &Value, found: &mut Vec<String>) {
    let text = |key: &str| node[key].as_str().unwrap_or_default();
    let (kind, index) = (text("Node Type"), text("Index Name"));
    let grows = GROWING.contains(&text("Relation Name")) || kind == "Bitmap Index Scan";
    let is_found = !node["Index Cond"].is_null() || OF_OPEN_WORK.contains(&index);
    // The heap part of a bitmap scan reads what its index part has found.
    if kind.ends_with("Scan") && kind != "Bitmap Heap Scan" && grows && !is_found {
        found.push(format!("{kind} of {} {index}", text("Relation Name")));
    }
    for part in node["Plans"].as_array().into_iter().flatten() {
        walks(part, found);
    }
}

#[test]
fn a_walk_is_told_from_a_search() {
    let walk = |plan: Value| {
        let mut found = Vec::new();
        walks(&json!({ "Node Type": "Limit", "Plans": [plan] }), &mut found);
        found.len()
    };
    assert_eq!(walk(json!({ "Node Type": "Seq Scan", "Relation Name": "attempt" })), 1);
    assert_eq!(
        walk(json!({ "Node Type": "Index Scan", "Relation Name": "task", "Index Name": "task_pkey" })),
        1
    );
    let search = json!({
        "Node Type": "Index Scan", "Relation Name": "task", "Index Name": "task_pkey", "Index Cond": "(id = $1)",
    });
    assert_eq!(walk(search), 0);
    assert_eq!(
        walk(json!({ "Node Type": "Index Scan", "Relation Name": "step", "Index Name": "step_ready" })),
        0
    );
    assert_eq!(walk(json!({ "Node Type": "Seq Scan", "Relation Name": "worker" })), 0);
}

#[tokio::test]
async fn no_statement_scans_history() {
    let schema = Schema::new();
    let proxy = Proxy::start(address()).await;
    proxy.listen();
    let builder = || {
        Tasker::builder()
            .only_listed_handlers()
            .template_str("flow.yaml", template("a:\nb: a\nc: a\nd: b, c"))
            .store_url(schema.url_at(proxy.address(), EXPLAIN))
            .poll_interval(Duration::from_millis(20))
            .backoff_scale(0.0)
            .handler_fn("a", async |_| StepResult::Ok(1))
            .handler_fn("b", async |context: StepContext| match context.attempt() {
                1 => StepResult::Err(StepError::retryable("once more")),
                _ => StepResult::Ok(1),
            })
            .handler_fn("c", async |_| StepResult::Ok(1))
            .handler_fn("d", async |_| StepResult::Ok(1))
    };
    let creator = builder().without_worker().build().await.unwrap();
    schema.execute(&fill(schema.name())).await;
    let new = || NewTask::new("test", "flow", &json!({})).tag("some");
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(creator.create_task(new()).await.unwrap());
    }
    // Of two, one has the namespace alone: each looks at the queue in its own way.
    let everything = builder().build().await.unwrap();
    let served = builder().namespaces(["test"]).build().await.unwrap();
    for id in ids {
        creator.wait(id).await.unwrap();
    }
    for _ in 0..10 {
        let id = served.create_task(new()).await.unwrap();
        served.wait(id).await.unwrap();
    }
    let cancelled =
        creator.create_task(new().run_at(Timestamp::now() + Duration::from_secs(3_600))).await.unwrap();
    creator.cancel(cancelled, &Operator::new("ada")).await.unwrap();
    for tasker in [everything, served, creator] {
        tasker.shutdown().await;
    }
    let explained: Vec<(String, Value)> = proxy.heard().iter().flat_map(|said| plans(said)).collect();
    let statements: BTreeSet<&str> = explained.iter().map(|(statement, _)| statement.as_str()).collect();
    for part in
        ["locked", "updated", "created", "tagged", "ended", "upserted", "deleted", "taken", "due_at <= "]
    {
        assert!(statements.iter().any(|statement| statement.contains(part)), "`{part}` was not explained");
    }
    for (statement, plan) in &explained {
        let mut found = Vec::new();
        walks(plan, &mut found);
        assert!(found.is_empty(), "{found:?}\n{statement}\n{plan:#}");
    }
}
