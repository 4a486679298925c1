//! Handlers that are the methods of a struct.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use tasker::StepHandler;
use tasker::handler::{Dependency, StateRequirement, StepFuture};
use tasker::prelude::*;

/// Not `Clone`: it is shared by all attempts.
pub struct Payments {
    prefix: String,
    calls: AtomicU64,
}

#[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
pub struct Authorization {
    id: String,
    cents: u64,
}

impl Payments {
    fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), calls: AtomicU64::new(0) }
    }

    fn count(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }
}

#[step_handler("StructHandlers::Payments")]
impl Payments {
    pub async fn authorize(
        &self,
        #[input("cents")] cents: u64,
        #[config("currency")] currency: String,
    ) -> Authorization {
        self.count();
        Authorization { id: format!("{}-{currency}", self.prefix), cents }
    }

    pub(crate) async fn call(
        &self,
        #[depends_on(payments::authorize)] authorization: &Authorization,
    ) -> StepResult<u64> {
        Ok(authorization.cents * 100 + self.count())
    }

    /// On a thread of its own, for it is not async.
    fn refund(&self, #[depends_on("charge")] charged: u64) -> Result<String, StepError> {
        Ok(format!("{charged} {}", self.count()))
    }
}

#[step_handler("StructHandlers::Report")]
async fn report(
    #[depends_on(payments::refund)] refund: String,
    #[depends_on("authorize")] authorization: Authorization,
) -> String {
    format!("{refund} {}", authorization.id)
}

tasker::workflow! {
    pub payment = "tests/it/struct_handlers.yaml" { payments::authorize, payments::call, payments::refund, report }
}

#[tokio::test]
async fn the_methods_of_a_struct_are_handlers() {
    let builder = || Tasker::builder().only_listed_handlers().workflow(payment).store_url("memory:");
    let shared = Arc::new(Payments::new("shared"));
    let both = [builder().state(Payments::new("own")), builder().state(Arc::clone(&shared))];
    for (builder, prefix) in both.into_iter().zip(["own", "shared"]) {
        let tasker = builder.build().await.unwrap();
        let task = payment::create(&tasker, serde_json::json!({ "cents": 7 })).await.unwrap();
        let done = task.wait().await.unwrap();
        assert_eq!(done.authorize, Authorization { id: format!("{prefix}-EUR"), cents: 7 });
        assert_eq!((done.charge, done.refund.as_str()), (702, "702 3"));
        assert_eq!(done.report, format!("702 3 {prefix}-EUR"));
        tasker.shutdown().await;
    }
    assert_eq!(shared.calls.load(Ordering::Relaxed), 3);
}

/// Without the macro.
struct ByHand(u64);

impl StepHandler for ByHand {
    const CALLABLE: &'static str = "StructHandlers::ByHand";
    const DEPENDS_ON: &'static [Dependency] = &[Dependency::of::<payments::authorize>("authorize")];
    type Output = u64;

    fn requires() -> Vec<StateRequirement> {
        vec![StateRequirement::of::<Arc<Self>>()]
    }

    fn call(step: StepContext) -> StepFuture {
        step.attempt_with(async |step| {
            let own: Arc<Self> = step.state()?;
            let authorization: Authorization = step.dependency("authorize")?;
            StepResult::Ok(authorization.cents + own.0)
        })
    }
}

tasker::workflow! {
    pub by_hand = "tests/it/by_hand.yaml" { payments::authorize, ByHand }
}

#[tokio::test]
async fn a_handler_is_written_without_the_macro() {
    let builder = Tasker::builder().only_listed_handlers().workflow(by_hand).store_url("memory:");
    let tasker = builder.state(Payments::new("own")).state(Arc::new(ByHand(5))).build().await.unwrap();
    let task = by_hand::create(&tasker, serde_json::json!({ "cents": 7 })).await.unwrap();
    assert_eq!(task.wait().await.unwrap().add, 12);
    tasker.shutdown().await;
}

#[tokio::test]
async fn a_struct_that_is_not_given_is_missed_at_the_start() {
    let builder = Tasker::builder().only_listed_handlers().workflow(payment).store_url("memory:");
    let error = builder.build().await.unwrap_err().to_string();
    assert!(error.contains("TSK407") && error.contains("is a method of `"), "{error}");
    assert!(error.contains("add `.state(…)`"), "{error}");
}

#[test]
fn a_method_is_known_by_its_struct_and_its_line() {
    let builder = Tasker::builder().only_listed_handlers().handler::<payments::refund>();
    let handlers = builder.handlers();
    let refund = &handlers[0];
    assert_eq!((refund.callable.as_str(), refund.method.as_str()), ("StructHandlers::Payments", "refund"));
    assert_eq!(refund.name, "Payments::refund");
    let location = refund.location.unwrap();
    let line = include_str!("struct_handlers.rs").lines().nth(location.line as usize - 1).unwrap();
    assert!(location.file.ends_with("struct_handlers.rs") && line.contains("fn refund"), "{location} {line}");
}

#[tokio::test]
async fn one_method_is_tested_alone() {
    let call = tasker::testing::call::<payments::refund>().state(Payments::new("test"));
    assert_eq!(call.dependency("charge", &5_u64).run().await.unwrap(), "5 1");
}
