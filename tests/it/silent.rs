//! Connections that pass nothing on, servers that have become read-only, and runtimes that stand still: nobody
//! closes a connection, and yet no answer comes.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tasker_runtime::error::chain;
use tasker_runtime::limits::{FleetLimit, LimitScope};
use tasker_runtime::store::PostgresStore;
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::worker::{WorkerId, WorkerRecord};
use tasker_runtime::{NewTask, StepContext, StepResult, TaskState};
use tasker_store::conformance::{Shape, at, new_task as new_record, template as record};
use tasker_store::{ClaimRequest, FinishedAttempt, Store, WorkerInfo};
use tokio::sync::Notify;
use tokio_postgres::NoTls;

use crate::log::Log;
use crate::patience::within;
use crate::postgres::proxy::Proxy;
use crate::postgres::{Schema, address, server};
use crate::support::{new_task, on_store};

#[tokio::test]
async fn what_gets_no_answer_is_asked_again_on_another_connection() {
    let (schema, proxy) = (Schema::new(), Proxy::start(address()).await);
    let (entered, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (at_entry, may_go) = (Arc::clone(&entered), Arc::clone(&go));
    let builder = on_store(&schema.url_at(proxy.address(), "lease=2"), "a").handler_fn("a", {
        move |_: StepContext| {
            let (entered, go) = (Arc::clone(&at_entry), Arc::clone(&may_go));
            async move {
                entered.notify_one();
                go.notified().await;
                StepResult::Ok("done")
            }
        }
    });
    let tasker = builder.build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    within("the step", entered.notified()).await;
    proxy.freeze();
    // Should its worker be taken for dead on a slow machine, then the step runs once more.
    go.notify_waiters();
    go.notify_one();

    let ended = async {
        loop {
            go.notify_one();
            // A read may have been sent on a connection that passes nothing on.
            match tasker.get_task(id).await {
                Ok(task) if task.state == TaskState::Complete => return task,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    let task = within("the end of the task", ended).await;
    let last = task.steps[0].attempts.last().unwrap();
    assert_eq!(last.outcome, AttemptOutcome::Complete);
    tasker.create_task(new_task()).await.unwrap();
    go.notify_one();
    tasker.shutdown().await;
}

/// The heartbeats could be written: only what the worker has to record cannot.
#[tokio::test]
async fn a_worker_whose_writes_get_no_answer_sends_no_heartbeats() {
    let schema = Schema::new();
    let stalled = Arc::new(PostgresStore::open(&schema.url_with("lease=1")).await.unwrap());
    let other = PostgresStore::open(&schema.url_with("lease=600")).await.unwrap();
    let worker = WorkerId::random();
    stalled.register_worker(worker, WorkerInfo::here(), at(0)).await.unwrap();
    let graph = Shape::new(vec![vec![]]);
    stalled.put_template(record()).await.unwrap();
    let request =
        ClaimRequest { worker, limit: 1, any: true, now: at(0), excluded: Arc::default(), namespaces: None };
    let nothing = ClaimRequest { limit: 0, any: false, ..request.clone() };
    other.create_task(new_record(&graph, 0), nothing).await.unwrap();
    let claim = stalled.claim(request.clone()).await.unwrap().claims[0];

    let (mut holder, driver) = tokio_postgres::connect(server(), NoTls).await.unwrap();
    tokio::spawn(driver);
    let held = holder.transaction().await.unwrap();
    held.batch_execute(&format!("SELECT FROM {}.task FOR UPDATE", schema.name())).await.unwrap();
    let attempt =
        FinishedAttempt { claim, started_at: at(0), finished_at: at(1), ending: graph.complete("\"late\"") };
    let orphaned = async {
        loop {
            let orphaned = other.orphaned().await.unwrap();
            if !orphaned.is_empty() {
                return orphaned;
            }
        }
    };
    let writing = Arc::clone(&stalled);
    tokio::spawn(async move { writing.finish(attempt, request).await });
    schema.until_somebody_waits().await;
    let orphaned = within("the end of its lease", orphaned).await;
    assert_eq!(orphaned, [claim]);
    held.commit().await.unwrap();
}

/// A database of its own, for settings that others would notice.
struct Database(String);

impl Database {
    async fn create() -> Self {
        let database = Self(format!("tasker_test_{}", uuid::Uuid::now_v7().simple()));
        database.execute(&format!("CREATE DATABASE {}", database.0)).await;
        database
    }

    fn url(&self, settings: &str) -> String {
        let (head, _) = server().split_once('?').unwrap_or((server(), ""));
        let (authority, _) = head.rsplit_once('/').unwrap();
        format!("{authority}/{}?connections=5&{settings}", self.0)
    }

    async fn execute(&self, sql: &str) {
        let (client, driver) = tokio_postgres::connect(server(), NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        client.batch_execute(sql).await.unwrap();
        drop(client);
        let _ = driver.await;
    }

    async fn drop(self) {
        self.execute(&format!("DROP DATABASE {} WITH (FORCE)", self.0)).await;
    }
}

/// As after a failover whose name leads to a standby for a while.
#[tokio::test]
async fn connections_that_are_only_good_for_reading_are_given_up() {
    for settings in ["lease=600", "lease=600&target_session_attrs=any"] {
        let database = Database::create().await;
        let builder = on_store(&database.url(settings), "a");
        let tasker = builder.handler_fn("a", async |_| StepResult::Ok(1)).build().await.unwrap();
        let limit = FleetLimit::new(LimitScope::Callable("a".to_owned())).concurrency(5);
        let id = tasker.create_task(new_task()).await.unwrap();
        tasker.wait(id).await.unwrap();

        let name = &database.0;
        let terminate =
            format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
        let set = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
        database.execute(&set).await;
        database.execute(&terminate).await;
        let error = chain(&tasker.create_task(new_task()).await.unwrap_err());
        assert!(error.contains("read-only") || error.contains("does not allow writes"), "{error}");
        // A connection of the pool that has noticed nothing yet is found out by being used.
        assert!(tasker.set_limit(limit.clone()).await.is_err());

        database.execute(&format!("ALTER DATABASE {name} RESET default_transaction_read_only")).await;
        let set = async { while tasker.set_limit(limit.clone()).await.is_err() {} };
        within("a limit that can be set", set).await;
        let created = async {
            loop {
                if let Ok(id) = tasker.create_task(new_task()).await {
                    return id;
                }
            }
        };
        let id = within("a task that can be created", created).await;
        let task = within("the end of the task", tasker.wait(id)).await.unwrap();
        assert_eq!(task.state, TaskState::Complete);
        tasker.shutdown().await;
        drop(tasker);
        database.drop().await;
    }
}

/// One of this process's, as the others see it.
async fn seen(store: &PostgresStore, worker: WorkerId) -> WorkerRecord {
    let workers = store.workers().await.unwrap();
    workers.into_iter().find(|record| record.id == worker).expect("the worker has a row")
}

#[tokio::test]
async fn a_handler_that_blocks_its_runtime_costs_its_worker_no_lease() {
    let schema = Schema::new();
    let url = schema.url_with("lease=1");
    let (let_go, wait) = mpsc::channel::<()>();
    let (entered, has_entered) = mpsc::channel();
    let wait = Mutex::new(wait);
    // All of the worker's runtime is one thread.
    let blocked = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let builder = on_store(&url, "a").handler_fn("a", move |_: StepContext| {
                entered.send(()).unwrap();
                wait.lock().unwrap().recv().unwrap();
                async { StepResult::Ok("after all") }
            });
            let tasker = builder.build().await.unwrap();
            let worker = tasker.describe().worker.unwrap();
            let id = tasker.create_task(new_task()).await.unwrap();
            let task = tasker.wait(id).await.unwrap();
            tasker.shutdown().await;
            (worker, task)
        })
    });
    has_entered.recv_timeout(Duration::from_secs(60)).unwrap();
    let other = PostgresStore::open(&schema.url_with("lease=600")).await.unwrap();
    let worker = other.workers().await.unwrap()[0].id;
    let begun = seen(&other, worker).await.last_beat.unwrap();
    // It is heard of for several leases.
    let heard = async {
        loop {
            assert_eq!(other.orphaned().await.unwrap(), []);
            let record = seen(&other, worker).await;
            assert!(record.alive, "{record:?}");
            if record.last_beat.unwrap().duration_since(begun) > jiff::SignedDuration::from_secs(3) {
                return;
            }
        }
    };
    within("three seconds of heartbeats", heard).await;
    let_go.send(()).unwrap();
    let (own, task) = tokio::task::spawn_blocking(|| blocked.join().unwrap()).await.unwrap();
    assert_eq!(own, worker);
    let outcomes: Vec<_> = task.steps[0].attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Complete]);
}

#[tokio::test]
async fn an_error_of_the_network_tells_its_cause() {
    let port = {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    for (url, cause) in [
        (format!("postgres://x@127.0.0.1:{port}/x"), "Connection refused (os error 111)"),
        ("postgres://x@%2Fno%2Fsuch%2Fdirectory/x".to_owned(), "No such file or directory (os error 2)"),
        ("postgres://x@no-such-host.invalid/x".to_owned(), "failed to lookup address information"),
    ] {
        let error = chain(&PostgresStore::open(&url).await.unwrap_err());
        assert!(error.contains(cause), "{error}");
    }
}

/// What cannot be kept in the database's encoding is said before it happens.
#[tokio::test]
async fn a_database_whose_encoding_lacks_characters_is_warned_of() {
    let mut log = Log::listen();
    let database = Database(format!("tasker_test_{}", uuid::Uuid::now_v7().simple()));
    let create = format!(
        "CREATE DATABASE {} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
        database.0
    );
    database.execute(&create).await;
    let store = PostgresStore::open(&database.url("lease=600")).await.unwrap();
    let line = log.line(&["encoding is not UTF8", &database.0]).await;
    assert!(line.contains("LATIN1"), "{line}");
    drop(store);
    tasker_runtime::store::plan_migration(&database.url("")).await.unwrap();
    tasker_runtime::store::migrate(&database.url("")).await.unwrap();
    log.line(&["encoding is not UTF8", &database.0]).await;
    database.drop().await;
}

/// Whichever of the runtime's threads it blocks: that may be the one which waits for timers and the network.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_is_named_in_the_log_and_holds_nobody_up() {
    let mut log = Log::listen();
    let (let_go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let builder = on_store("memory:", "a").template_str("other.yaml", OTHER);
    let builder = builder.handler_fn("a", move |_: StepContext| {
        wait.lock().unwrap().recv().unwrap();
        async { StepResult::Ok(1) }
    });
    let builder = builder.handler_fn("b", async |_| {
        tokio::time::sleep(Duration::from_millis(1)).await;
        StepResult::Ok(2)
    });
    let tasker = builder.build().await.unwrap();
    let blocking = tasker.create_task(new_task()).await.unwrap();
    let line = log.line(&["blocks a thread of the runtime", &blocking.to_string()]).await;
    assert!(
        line.contains("step=\"a\"") && line.contains("callable=\"a\"") && line.contains("seconds="),
        "{line}"
    );
    for _ in 0..20 {
        let other = tasker.create_task(NewTask::new("test", "other", &serde_json::json!({}))).await.unwrap();
        within("a task beside the one that blocks", tasker.wait(other)).await.unwrap();
    }
    let_go.send(()).unwrap();
    let task = within("the task that blocked", tasker.wait(blocking)).await.unwrap();
    assert_eq!(task.steps[0].attempts.len(), 1);
    tasker.shutdown().await;
}

const OTHER: &str = "
name: other
namespace_name: test
version: 1.0.0
steps:
  - name: b
    handler: {callable: b}
";
