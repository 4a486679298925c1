//! What a runtime refuses to start with: everything at once, each with its place.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tasker_runtime::{Builder, State, StepContext, StepResult, Tasker, step_handler};

use crate::support::template;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Account(String);

#[derive(Clone)]
struct Mailer;

#[step_handler("B::Account")]
async fn account() -> Account {
    Account("a".to_owned())
}

#[step_handler("B::Welcome")]
async fn welcome(#[depends_on(account)] _account: Account, State(_mailer): State<Mailer>) {}

const HEAD: &str = "name: t\nnamespace_name: test\nversion: 1\nsteps:\n";

/// A runtime with the two handlers that fit each other.
fn builder(steps: &str) -> Builder {
    Tasker::builder()
        .only_listed_handlers()
        .handler::<account>()
        .handler::<welcome>()
        .template_str("t.yaml", format!("{HEAD}{steps}"))
        .store_url("memory:")
}

async fn refused(builder: Builder) -> String {
    match builder.build().await {
        Ok(_) => panic!("it was built"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_misspelt_callable_is_told_with_its_place_and_the_right_one() {
    let error = refused(builder("- {name: account, handler: {callable: 'B::Acount'}}\n")).await;
    assert_eq!(
        error,
        "\
error[TSK401]: no handler is registered for callable `B::Acount` of step `account`
 --> t.yaml:5:39
  |
5 | - {name: account, handler: {callable: 'B::Acount'}}
  |                                       ^^^^^^^^^^^ did you mean `B::Account`? or is the crate that has `B::Acount` not linked in? `use the_crate as _;`"
    );
}

#[tokio::test]
async fn a_callable_that_nothing_resembles_is_told_how_to_register_one() {
    let error = refused(builder("- {name: account, handler: {callable: Payments}}\n")).await;
    assert!(error.contains("annotate a function with `#[step_handler(\"Payments\")]`"), "{error}");
}

#[tokio::test]
async fn two_faults_give_two_messages() {
    let error = refused(builder(
        "- {name: account, handler: {callable: 'B::Acount'}}\n- {name: welcome, handler: {callable: 'B::Welcom'}}\n",
    ))
    .await;
    assert_eq!(error.matches("did you mean").count(), 2, "{error}");
    assert!(error.contains("t.yaml:5:39") && error.contains("t.yaml:6:39"), "{error}");
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_together() {
    let error = refused(
        builder("- {name: welcome, handler: {callable: 'B::Welcome'}}\n- {name: x, handler: {callable: Nothing}}\n")
            .template_str("u.yaml", "name: u\nsteps: []\n"),
    )
    .await;
    for part in [
        "reads step `account`, which this template does not have",
        "no handler is registered for callable `Nothing`",
        "u.yaml",
        "the template has no steps",
        "takes `State<it::build::Mailer>`, but the builder was given none",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn what_other_namespaces_need_may_be_missing_but_a_slip_is_told() {
    let other =
        "name: o\nnamespace_name: shop\nversion: 1\nsteps: [{name: x, handler: {callable: Nothing}}]\n";
    let both =
        || builder("- {name: account, handler: {callable: 'B::Account'}}\n").template_str("o.yaml", other);
    let own = both().namespaces(["test"]).build().await.unwrap();
    assert_eq!(own.describe().info.namespaces, Some(vec!["test".to_owned()]));
    own.shutdown().await;
    let error = refused(both().namespaces(["test", "shop"])).await;
    assert!(error.contains("no handler is registered for callable `Nothing`"), "{error}");
    let error = refused(both().namespaces(["tset", "stocks"])).await;
    assert!(error.contains("in the namespace `tset`; did you mean `test`?"), "{error}");
    assert!(error.contains("in the namespace `stocks`; there are: shop, test"), "{error}");
}

#[derive(Clone)]
struct Database;

mod other {
    #[derive(Clone)]
    pub(super) struct Database;
}

#[step_handler("B::Plain")]
async fn plain(_: State<Database>) {}

#[step_handler("B::Shared")]
async fn shared(_: State<Arc<Database>>) {}

#[tokio::test]
async fn a_state_that_is_nearly_the_right_one_is_told() {
    let with = |callable: &str| {
        builder(&format!("- {{name: a, handler: {{callable: '{callable}'}}}}\n"))
            .handler::<plain>()
            .handler::<shared>()
    };
    for (builder, hint) in [
        (
            with("B::Plain").state(Arc::new(Database)),
            "takes `State<it::build::Database>`, but the builder was given none: it was given a \
             `alloc::sync::Arc<it::build::Database>`: take `State<alloc::sync::Arc<it::build::Database>>`, or \
             give the value without the `Arc`",
        ),
        (
            with("B::Shared").state(Database),
            "but the builder was given none: it was given a `it::build::Database`: take \
             `State<it::build::Database>`, or give `Arc::new(…)` of the value",
        ),
        (
            with("B::Plain").state(other::Database),
            "it was given a `it::build::other::Database`, which is another type of this name",
        ),
        (with("B::Plain").state(7), "add `.state(…)` with a value of that type"),
    ] {
        let error = refused(builder).await;
        assert!(error.contains(hint), "{error}");
    }
    for builder in [with("B::Plain").state(Database), with("B::Shared").state(Arc::new(Database))] {
        builder.build().await.unwrap().shutdown().await;
    }
}

#[tokio::test]
async fn a_dependency_that_is_no_ancestor_is_refused() {
    let error = refused(
        builder("- {name: account, handler: {callable: 'B::Account'}}\n- {name: welcome, handler: {callable: 'B::Welcome'}}\n")
            .state(Mailer),
    )
    .await;
    assert!(error.contains("handler `welcome` (tests/it/build.rs:"), "{error}");
    assert!(error.contains("reads step `account`, which may not be complete by then"), "{error}");
    assert!(error.contains("t.yaml:6:10"), "{error}");
    assert!(error.contains("add `account` to the dependencies of this step"), "{error}");
}

#[tokio::test]
async fn a_dependency_that_waits_for_its_reader_is_not_to_be_waited_for() {
    let later = "- {name: welcome, handler: {callable: 'B::Welcome'}}\n\
                 - {name: account, handler: {callable: 'B::Account'}, dependencies: [welcome]}\n";
    let itself = "- {name: account, handler: {callable: 'B::Welcome'}}\n";
    for (steps, why, way_out) in [
        (later, "reads step `account`, which waits for it", "or change the `dependencies` of `account`"),
        (itself, "reads step `account`, which is the step itself", "name the step whose result this is"),
    ] {
        let error = refused(builder(steps).state(Mailer)).await;
        assert!(error.contains(why) && error.contains(way_out), "{error}");
        assert!(!error.contains("add `account` to the dependencies"), "{error}");
    }
}

#[tokio::test]
async fn a_path_dependency_must_be_the_handler_that_the_template_runs() {
    let error = refused(
        builder(
            "- {name: first, handler: {callable: 'B::Account'}}\n\
             - {name: account, handler: {callable: Other}, dependencies: [first]}\n\
             - {name: welcome, handler: {callable: 'B::Welcome'}, dependencies: [account]}\n",
        )
        .handler_fn("Other", |_: StepContext| async { StepResult::Ok(()) })
        .state(Mailer),
    )
    .await;
    assert!(error.contains("reads step `account` as the result of `B::Account`, but this template runs another callable for it"), "{error}");
    assert!(
        error.contains("`B::Account` runs step `first`: write `#[depends_on(…, step = \"first\")]`"),
        "{error}"
    );
}

#[tokio::test]
async fn a_misspelt_key_is_told_with_what_it_causes_and_can_be_refused_by_itself() {
    let error = refused(
        builder("- {name: account, handler: {callable: 'B::Account'}}\n- {name: welcome, handler: {callable: 'B::Welcome'}, dependancies: [account]}\n")
            .state(Mailer),
    )
    .await;
    assert!(
        error.contains("did you mean `dependencies`?") && error.contains("may not be complete by then"),
        "{error}"
    );
    let odd = builder("- {name: account, handler: {callable: 'B::Account'}, retri: {}}\n").deny_warnings();
    assert!(refused(odd).await.contains("did you mean `retry`?"));
}

#[tokio::test]
async fn errors_are_told_in_the_same_words_by_a_main_that_returns_them() {
    let error =
        builder("- {name: account, handler: {callable: 'B::Acount'}}\n").build().await.map(drop).unwrap_err();
    let text = format!("the runtime cannot start\n\n{error}");
    assert_eq!(format!("{:?}", tasker_runtime::Report::from(error)), text);
}

#[tokio::test]
async fn a_listed_handler_that_registered_itself_is_the_same_handler() {
    let builder = Tasker::builder().only_listed_handlers().handler::<account>().handler::<account>();
    builder.store_url("memory:").build().await.unwrap().shutdown().await;
}

#[tokio::test]
async fn step_types_that_are_not_run_yet_are_refused() {
    let error = refused(builder(
        "- {name: account, handler: {callable: 'B::Account'}}\n\
         - {name: d, type: decision, handler: {callable: 'B::Account'}, dependencies: [account]}\n",
    ))
    .await;
    assert!(error.contains("step `d` is of type `decision`"), "{error}");
}

#[tokio::test]
async fn the_same_template_or_state_twice_is_refused() {
    let text = template("a");
    let builder = Tasker::builder()
        .only_listed_handlers()
        .handler_fn("a", |_: StepContext| async { StepResult::Ok(()) })
        .template_str("one.yaml", text.clone())
        .template_str("two.yaml", text)
        .state(Mailer)
        .state(Mailer)
        .store_url("memory:");
    let error = refused(builder).await;
    assert!(
        error.contains("template `test/flow/1.0.0` is there twice: in one.yaml and in two.yaml"),
        "{error}"
    );
    assert!(error.contains("two states of type `it::build::Mailer`"), "{error}");
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_is_told() {
    let build = |url: &str| refused(Tasker::builder().only_listed_handlers().store_url(url));
    assert_eq!(
        build("mysql://x").await,
        "error[TSK412]: `mysql://x` is not the URL of a store: write `sqlite://PATH`, `postgres://USER@HOST/DATABASE` or `memory:`"
    );
    let missing = build("sqlite:///no/such/place/t.db").await;
    assert_eq!(
        missing,
        "error[TSK412]: cannot open /no/such/place/t.db: the directory /no/such/place does not exist"
    );
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    std::fs::write(
        &path,
        "this is no database, but a long enough text to be read as the head of one ".repeat(20),
    )
    .unwrap();
    let error = build(&format!("sqlite://{}", path.display())).await;
    assert!(error.contains("notes.txt: file is not a database"), "{error}");
}

#[tokio::test]
async fn an_environment_changes_what_runs() {
    let yaml = format!(
        "{HEAD}- {{name: a, handler: {{callable: A, initialization: {{url: live}}}}}}\n\
         environments: {{test: {{steps: [{{name: a, handler: {{initialization: {{url: sandbox}}}}}}]}}}}\n"
    );
    let tasker = Tasker::builder()
        .only_listed_handlers()
        .handler_fn("A", |context: StepContext| async move { context.config::<String>("url") })
        .template_str("t.yaml", yaml)
        .environment("test")
        .store_url("memory:")
        .build()
        .await
        .unwrap();
    let id =
        tasker.create_task(tasker_runtime::NewTask::new("test", "t", &serde_json::json!({}))).await.unwrap();
    assert_eq!(tasker.wait(id).await.unwrap().step_output::<String>("a").unwrap(), "sandbox");
    tasker.shutdown().await;
}
