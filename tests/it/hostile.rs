//! Names, URLs and arguments made to hurt: a clear error, and nothing is changed.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use tasker_runtime::error::chain;
use tasker_runtime::operate::Operator;
use tasker_runtime::{Error, NewTask, StepContext, StepResult, TaskFilter, Tasker};

use crate::program::{tasker as program, text};
use crate::support::{ended, new_task, virtual_time};

#[tokio::test(start_paused = true)]
async fn what_a_store_would_not_keep_as_it_is_creates_nothing() {
    let tasker = virtual_time("a").without_worker().build().await.unwrap();
    let long = "x".repeat(1 << 20);
    for (task, says) in [
        (new_task().idempotency_key(""), "the idempotency key is empty"),
        (new_task().idempotency_key("a\0b"), "the idempotency key has a line break or another control"),
        (new_task().idempotency_key(&long), "the idempotency key has 1048576 bytes, and may have 1024"),
        (new_task().tag(""), "a tag is empty"),
        (new_task().tag("urgent\n"), "a tag has a line break"),
        (new_task().tag("\u{1b}[31m"), "a tag has a line break or another control character"),
        ((0..101).fold(new_task(), |task, _| task.tag("t")), "the tags are 101, and may be 100"),
        (new_task().initiator(&long), "the initiator has 1048576 bytes"),
        (new_task().source_system("a\0"), "the source system has a line break"),
        (new_task().reason("a\0"), "the reason has a NUL character"),
        (new_task().reason(&long), "the reason has 1048576 bytes, and may have 16384"),
    ] {
        let error = tasker.create_task(task).await.unwrap_err();
        assert!(matches!(error, Error::InvalidText { .. }), "{error:?}");
        assert!(error.to_string().starts_with(says), "{error}");
    }
    let error = tasker.create_task(NewTask::new(&long, &long, &serde_json::json!({}))).await.unwrap_err();
    assert!(matches!(error, Error::UnknownTemplate { .. }) && error.to_string().len() < 1_000, "{error}");
    assert!(tasker.list(TaskFilter::new()).await.unwrap().is_empty());
    let task = new_task().reason("two\nlines").tag("caf\u{e9}").idempotency_key("order 7");
    tasker.create_task(task).await.unwrap();
    tasker.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_operator_whose_name_or_reason_could_not_be_kept_changes_nothing() {
    let tasker = virtual_time("a")
        .handler_fn("a", |_: StepContext| std::future::pending::<StepResult<()>>())
        .build()
        .await
        .unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    let long = "x".repeat(1 << 20);
    for (operator, says) in [
        (Operator::new(""), "the operator's name is empty"),
        (Operator::new("a\0"), "the operator's name has a line break"),
        (Operator::new("ada").because("a\0"), "the reason has a NUL character"),
        (Operator::new("ada").because(&long), "the reason has 1048576 bytes"),
    ] {
        let error = tasker.cancel(id, &operator).await.unwrap_err();
        assert!(error.to_string().starts_with(says), "{error}");
        assert!(tasker.get_task(id).await.unwrap().actions.is_empty());
    }
    tasker.cancel(id, &Operator::new("ada")).await.unwrap();
    ended(tasker.wait(id).await);
    tasker.shutdown().await;
}

#[tokio::test]
async fn a_url_that_a_store_would_read_otherwise_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| format!("sqlite://{}/{name}", directory.path().display());
    let schema = "s".repeat(64);
    for (url, says) in [
        (file("t.db?mode=ro"), "`mode` is no setting of a SQLite store"),
        (file("t.db#main"), "a path with `#` in it cannot be part of a URL"),
        (file("my%20store.db"), "write it without `%` escapes"),
        (file("t.db\n"), "t.db\\n` is not the URL of a store"),
        (file("t\0.db"), "is not the URL of a store"),
        (file("t.db "), "is not the URL of a store"),
        (String::new(), "is not the URL of a store"),
        ("sqlite://".to_owned(), "is not the URL of a store"),
        (format!("postgres://ada:secret@h/d?schema={schema}"), "has 64 bytes, and PostgreSQL keeps 63"),
        ("postgres://ada:secret@h/d?schema=".to_owned(), "write `schema=NAME`"),
        ("postgres://ada:secret@h/d?schema=a%62".to_owned(), "write `schema=NAME`"),
        ("postgres://ada:secret@h/d\n".to_owned(), "is not the URL of a store"),
    ] {
        let built = Tasker::builder().only_listed_handlers().store_url(&url).build().await;
        let error = chain(&built.unwrap_err());
        assert!(error.contains(says) && !error.contains("secret"), "{url:?}: {error}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    let builder = Tasker::builder().only_listed_handlers().store_url(file("100%.db"));
    builder.build().await.unwrap().shutdown().await;
    assert!(directory.path().join("100%.db").exists());
}

#[test]
fn arguments_of_any_kind_are_told_and_never_a_panic() {
    let long = "x".repeat(100_000);
    let (deep, open) = ("[".repeat(50_000) + &"]".repeat(50_000), "{\"a\":".repeat(20_000));
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let create = |option: &str, value: &str| {
        let store = "sqlite://no-such-directory/t.db";
        words(&["task", "create", "templates/greeting.yaml", "--store", store, option, value])
    };
    for arguments in [
        vec![OsStr::from_bytes(b"\xff\xfe").to_owned()],
        vec!["graph".into(), OsStr::from_bytes(b"caf\xe9.yaml").to_owned()],
        vec!["task".into(), "list".into(), "--store".into(), OsStr::from_bytes(b"sqlite://\xff").to_owned()],
        words(&[&long]),
        words(&["graph", &long]),
        words(&["task", "show", &long]),
        words(&["task", "list", "--store", &long]),
        words(&["task", "prune", "--older-than", "99999999999999999999d"]),
        words(&["limit", "set", "--rate", "1e400/s"]),
        create("--context", &deep),
        create("--context", &open),
        create("--context", "@/"),
        create("--context", "@/no/such/file"),
        create("--context", "{\"a\":1} x"),
        create("--run-at", "-99999999999999d"),
        create("--priority", "99999999999"),
        create("--correlation-id", "7"),
        create("--tag", ""),
    ] {
        let output = program(&arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        assert!(matches!(code, Some(1..=3)), "{code:?}: {said:.300}");
        assert!(!said.is_empty() && !said.contains("panicked"), "{said:.3000}");
        assert_eq!(text(&output.stdout), "");
    }
}
