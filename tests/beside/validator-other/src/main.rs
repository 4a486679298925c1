//! What such an application writes.

use tasker::prelude::*;
use tasker::store::MemoryStore;

/// Derives by Tasker's version.
#[derive(serde::Deserialize, tasker::validator::Validate)]
#[validate(crate = "tasker::validator")]
struct Order {
    #[validate(length(min = 1, message = "is empty"))]
    lines: Vec<String>,
}

/// Has nothing to validate.
#[derive(serde::Deserialize)]
struct Customer {
    name: String,
}

#[step_handler("Orders::Describe")]
async fn describe(
    #[input] order: Order,
    #[input("customer", validate = false)] customer: Customer,
    #[input("currency")] currency: String,
    #[input("rates")] rates: Option<Vec<(String, f64)>>,
) -> String {
    format!("{} lines for {} in {currency} {rates:?}", order.lines.len(), customer.name)
}

const TEMPLATE: &str = "
name: describe
namespace_name: beside
version: 1.0.0
steps:
  - name: describe
    handler: {callable: Orders::Describe}
";

#[tokio::main]
async fn main() {
    let builder = Tasker::builder().template_str("describe.yaml", TEMPLATE).store(MemoryStore::new());
    let tasker = builder.build().await.expect("the program starts");
    let context = serde_json::json!({ "lines": [], "customer": { "name": "Ada" }, "currency": "EUR" });
    let id = tasker.create_task(NewTask::new("beside", "describe", &context)).await.expect("a task");
    let error = tasker.wait(id).await.expect_err("an order without lines is refused").to_string();
    assert!(error.contains("`lines` is empty"), "{error}");
    tasker.shutdown().await;
}
