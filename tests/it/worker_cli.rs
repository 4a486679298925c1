//! `tasker worker`, `worker list` and `migrate`, with real processes.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tasker_runtime::{NewTask, StepContext, StepError, StepResult, TaskState, Tasker};
use tempfile::TempDir;

use crate::postgres::{Schema, server};
use crate::program::{example, greeting, json, root, shop, tasker, text};
use crate::support::{ended, template};

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A worker in a process of its own; killed with this.
struct Worker {
    child: Child,
    id: String,
    /// What it said of itself.
    begun: Value,
    lines: Receiver<Value>,
}

impl Worker {
    /// Starts `program … worker … --json`, and waits until it is there.
    fn start(mut command: Command, arguments: &[&str]) -> Self {
        command.args(arguments).arg("--json").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel::<Value>();
        std::thread::spawn(move || {
            let lines = output.lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(serde_json::from_str(&line).unwrap())));
        });
        let Ok(first) = lines.recv_timeout(PATIENCE) else {
            let mut errors = String::new();
            child.kill().unwrap();
            child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
            panic!("the worker did not start: {errors}");
        };
        assert_eq!(first["event"], "worker_started", "{first}");
        Self { child, id: first["worker"].as_str().unwrap().to_owned(), begun: first, lines }
    }

    /// The next line about a task that has settled.
    fn settled(&self) -> Value {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    fn signal(&self, name: &str) {
        let signalled =
            Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(signalled.unwrap().success());
    }

    fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the worker does not end");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks until the answer is a good one.
#[track_caller]
fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "what is waited for does not come");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[track_caller]
fn created(store: &str, template: &str, context: &str) -> String {
    let output = tasker(["task", "create", template, "--store", store, "--context", context]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout).trim_end().to_owned()
}

fn task(store: &str, id: &str) -> Value {
    json(&tasker(["task", "show", id, "--store", store, "--json"]))
}

#[track_caller]
fn complete(store: &str, id: &str) -> Value {
    until(|| Some(task(store, id)).filter(|task| task["state"] == "complete"))
}

/// Who made the attempts of a task.
fn made_by(task: &Value) -> Vec<&str> {
    let attempts = task["steps"].as_array().unwrap().iter();
    attempts
        .flat_map(|step| step["attempts"].as_array().unwrap())
        .map(|one| one["worker"].as_str().unwrap())
        .collect()
}

fn workers(store: &str) -> Vec<Value> {
    let output = tasker(["worker", "list", "--store", store, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    json(&output)["workers"].as_array().unwrap().clone()
}

fn sqlite(directory: &TempDir) -> String {
    format!("sqlite://{}", directory.path().join("t.db").display())
}

const REGISTRATION: &str = "templates/user_registration.yaml";
const USER: &str = r#"{"user_info": {"email": "ada@example.com", "name": "Ada", "plan": "pro"}}"#;

/// Workers of two namespaces. Both have the handlers of both, and a third namespace is nobody's.
fn each_runs_its_own_namespaces(store: &str) {
    let directory = TempDir::new().unwrap();
    let greeting_yaml = std::fs::read_to_string(root().join("templates/greeting.yaml")).unwrap();
    for namespace in ["billing", "shop"] {
        let yaml = greeting_yaml.replace("namespace_name: docs", &format!("namespace_name: {namespace}"));
        std::fs::write(directory.path().join(format!("{namespace}.yaml")), yaml).unwrap();
    }
    // This one has handlers in another program.
    std::fs::copy(root().join(REGISTRATION), directory.path().join("other.yaml")).unwrap();
    let templates = directory.path().to_str().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let start = |namespaces| {
        let options = ["--namespaces", namespaces, "--concurrency", "3", "--poll-interval", "100ms"];
        Worker::start(greeting(), &[&["worker", templates, "--store", store], &options[..]].concat())
    };
    let other = created(store, REGISTRATION, USER);
    let (billing, mut shop) = (start("billing"), start("shop"));
    let mut ids = Vec::new();
    for _ in 0..4 {
        for (namespace, worker) in [("billing", &billing.id), ("shop", &shop.id)] {
            ids.push((created(store, &path(&format!("{namespace}.yaml")), r#"{"id": 7}"#), worker.clone()));
        }
    }
    for (id, worker) in &ids {
        assert_eq!(made_by(&complete(store, id)), [worker, worker]);
    }
    assert_eq!(shop.settled()["event"], "task_settled");
    // Nobody serves its namespace, and nobody misses its handlers.
    assert_eq!(made_by(&task(store, &other)), [""; 0]);

    let known = workers(store);
    let of = |id: &str| known.iter().find(|worker| worker["id"] == id).unwrap();
    let one = of(&billing.id);
    assert_eq!((&one["namespaces"], &one["alive"]), (&json!(["billing"]), &json!(true)));
    assert_eq!((&one["handlers"], &one["concurrency"], &one["running"]), (&json!(2), &json!(3), &json!(0)));
    assert_eq!(one["process"], billing.child.id());
    assert_eq!(of(&shop.id)["namespaces"], json!(["shop"]));
    shop.signal("KILL");
    shop.wait();
    let page = until(|| {
        let page = text(&tasker(["worker", "list", "--store", store]).stdout);
        // One that left nothing behind may have been forgotten by the other already.
        page.lines().all(|line| !line.starts_with(&shop.id) || line.contains("dead")).then_some(page)
    });
    assert!(page.contains(&format!("{}  alive", billing.id)), "{page}");
}

#[test]
fn each_worker_runs_its_own_namespaces_on_a_file() {
    let directory = TempDir::new().unwrap();
    each_runs_its_own_namespaces(&sqlite(&directory));
}

#[test]
fn each_worker_runs_its_own_namespaces_on_postgres() {
    let schema = Schema::new();
    each_runs_its_own_namespaces(&schema.url_with("lease=1"));
}

fn registering(latency: &str, store: &str) -> Worker {
    Worker::start(example(), &["worker", "--latency", latency, "--store", store, "--poll-interval", "100ms"])
}

/// The names of the steps that are running.
fn running(store: &str, id: &str) -> Vec<String> {
    let task = task(store, id);
    let steps = task["steps"].as_array().unwrap().iter();
    let running = steps.filter(|step| step["state"] == "in_progress");
    running.map(|step| step["name"].as_str().unwrap().to_owned()).collect()
}

fn a_signal_lets_handlers_end(store: &str, signal: &str) {
    let mut worker = registering("1500", store);
    let id = created(store, REGISTRATION, USER);
    until(|| Some(running(store, &id)).filter(|running| !running.is_empty()));
    worker.signal(signal);
    assert_eq!(worker.wait().code(), Some(0));
    let left = task(store, &id);
    assert_eq!((&left["state"], running(store, &id)), (&json!("in_progress"), vec![]));
    let attempts = |task: &Value| made_by(task).iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    // What ran when the signal came has ended, and what follows from it was not begun.
    assert_eq!(attempts(&left), [worker.id.as_str()]);
    assert_eq!(workers(store), [json!(null); 0]);
    let other = registering("5", store);
    assert_eq!(other.settled()["task"], json!(id));
    let done = task(store, &id);
    let mut made = attempts(&done);
    made.sort();
    let mut expected = vec![worker.id.clone()];
    expected.extend(vec![other.id.clone(); 4]);
    expected.sort();
    assert_eq!((&done["state"], made), (&json!("complete"), expected));
}

#[test]
fn sigterm_lets_a_handler_end_on_postgres() {
    a_signal_lets_handlers_end(&Schema::new().url(), "TERM");
}

#[test]
fn sighup_lets_a_handler_end_on_a_file() {
    let directory = TempDir::new().unwrap();
    a_signal_lets_handlers_end(&sqlite(&directory), "HUP");
}

#[test]
fn a_second_signal_ends_a_worker_at_once_and_its_work_is_run_elsewhere() {
    let schema = Schema::new();
    let store = schema.url_with("lease=1");
    let mut worker = registering("25000", &store);
    let id = created(&store, REGISTRATION, USER);
    until(|| Some(running(&store, &id)).filter(|running| !running.is_empty()));
    worker.signal("INT");
    worker.signal("TERM");
    // Two signals that come together are two.
    assert_eq!(worker.wait().code(), Some(130));
    assert_eq!(running(&store, &id), ["create_user_account"]);
    // It is listed as what it is, with what it left.
    let dead = until(|| workers(&store).into_iter().find(|one| one["alive"] == false));
    assert_eq!(dead["id"], json!(worker.id));
    let other = registering("5", &store);
    assert_eq!(other.settled()["event"], "step_finished", "the crash");
    assert_eq!(complete(&store, &id)["state"], "complete");
}

#[test]
fn the_example_is_run_by_a_worker_and_by_itself_on_one_database() {
    let schema = Schema::new();
    let store = schema.url();
    let worker = registering("20", &store);
    let run = ["--latency", "20", "--json", "--store", &store];
    let output = example().args(run).output().unwrap();
    assert_eq!((output.status.code(), &json(&output)["state"]), (Some(0), &json!("complete")));
    let id = created(&store, REGISTRATION, USER);
    let done = complete(&store, &id);
    assert_eq!(made_by(&done), [worker.id.as_str(); 5]);
}

#[test]
fn a_worker_needs_handlers_and_templates_that_fit() {
    let output = tasker(["worker", "templates", "--store", "memory:"]);
    assert_eq!(output.status.code(), Some(3));
    let errors = text(&output.stderr);
    assert!(errors.contains("`tasker::cli::main(tasker::Tasker::builder()).await`"), "{errors}");
    for (arguments, code, says) in [
        (&["worker"][..], 2, "<TEMPLATE|DIRECTORY>"),
        (&["worker", "no/such.yaml"], 3, "no/such.yaml"),
        (&["worker", "templates"], 3, "no handler is registered for callable"),
        (
            &["worker", "templates", "--namespaces", "docs,micro"],
            3,
            "no template here is in the namespace `micro`",
        ),
        (&["worker", "templates", "--concurrency", "0"], 2, "--concurrency"),
        (&["worker", "list", "--store", "sqlite://no-such.db"], 2, "there is no store `sqlite://no-such.db`"),
    ] {
        let output = greeting().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_worker_has_the_store_and_the_templates_of_its_application() {
    let directory = TempDir::new().unwrap();
    let templates = root().join("examples/shop/templates");
    // The same directory and file once more are what the application has anyway.
    let (same, file) = (templates.to_str().unwrap(), templates.join("order.yaml"));
    for arguments in [&["worker"][..], &["worker", same], &["worker", file.to_str().unwrap()]] {
        let mut command = shop();
        command.current_dir(directory.path());
        let mut worker = Worker::start(command, arguments);
        let Value::String(store) = &worker.begun["store"] else { panic!("{}", worker.begun) };
        assert!(store.ends_with("/shop.db"), "{store}");
        let program = json!({ "name": "shop", "version": env!("CARGO_PKG_VERSION") });
        assert_eq!((&worker.begun["templates"], &worker.begun["program"]), (&json!(1), &program));
        worker.signal("TERM");
        assert_eq!(worker.wait().code(), Some(0));
    }
}

fn migrated(store: &str, more: &[&str]) -> Value {
    let output = tasker([&["migrate", "--store", store, "--json"], more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    json(&output)
}

/// A dry run changes nothing, a migration brings it up to date, and a second one does nothing.
fn migrates(store: &str, newest: i64, table: &str) {
    for _ in 0..2 {
        let plan = migrated(store, &["--dry-run"]);
        assert_eq!((&plan["from"], &plan["to"]), (&json!(0), &json!(newest)));
        let page = text(&tasker(["migrate", "--store", store, "--dry-run"]).stdout);
        assert!(page.starts_with("-- ") && page.contains(table), "{page}");
    }
    let done = migrated(store, &[]);
    assert_eq!((&done["from"], &done["to"], &done["dry_run"]), (&json!(0), &json!(newest), &json!(false)));
    for more in [&[][..], &["--dry-run"]] {
        let again = migrated(store, more);
        assert_eq!((&again["from"], &again["sql"]), (&json!(newest), &json!([])));
    }
    let output = tasker(["migrate", "--store", store]);
    assert!(text(&output.stdout).contains("there is nothing to do"), "{}", text(&output.stdout));
    created(store, "templates/greeting.yaml", r#"{"id": 7}"#);
}

#[test]
fn a_file_is_migrated_once() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("t.db");
    migrated(&sqlite(&directory), &["--dry-run"]);
    assert!(!path.exists(), "a dry run makes no file");
    migrates(&sqlite(&directory), 6, "CREATE TABLE task (");
}

#[test]
fn an_older_file_is_left_alone_by_a_dry_run() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("t.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let script = |name| std::fs::read_to_string(root().join("tasker-sqlite/migrations").join(name)).unwrap();
    connection.execute_batch(&script("001_initial.sql")).unwrap();
    connection
        .execute_batch(&format!("PRAGMA user_version = 1; PRAGMA application_id = {};", 0x5441_534b))
        .unwrap();
    drop(connection);
    let before = std::fs::read(&path).unwrap();
    let plan = migrated(&sqlite(&directory), &["--dry-run"]);
    assert_eq!((&plan["from"], &plan["to"]), (&json!(1), &json!(6)));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    // What is printed is what brings it up to date.
    let sql: Vec<&str> = plan["sql"].as_array().unwrap().iter().map(|sql| sql.as_str().unwrap()).collect();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(&sql.join("\n")).unwrap();
    drop(connection);
    assert_eq!(migrated(&sqlite(&directory), &[])["from"], 6);
}

#[test]
fn a_schema_is_migrated_once() {
    let schema = Schema::new();
    migrates(&schema.url(), 3, &format!("CREATE TABLE \"{}\".step (", schema.name()));
}

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
    while !all_known().await {
        let id = create(false).await;
        tasker.wait(id).await.unwrap();
        ids.push(id);
    }
    tasker.remove_limit(LimitScope::Callable("a".to_owned())).await.unwrap();
    let by = Operator::new("ada").because("a test");
    let failed = create(true).await;
    assert_eq!(ended(tasker.wait(failed).await).state, TaskState::BlockedByFailures);
    tasker.resolve_step(failed, "c", &by).await.unwrap();
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
