//! An order that is asked to be validated, with a `Validate` that Tasker does not know.

use tasker::prelude::*;

#[derive(serde::Deserialize, validator::Validate)]
struct Order {
    #[validate(length(min = 1))]
    lines: Vec<String>,
}

#[step_handler("Orders::Count")]
async fn count(#[input(validate)] order: Order) -> usize {
    order.lines.len()
}

fn main() {}
