//! This order would pass unvalidated: its `Validate` is not the one that Tasker knows.

use tasker::prelude::*;

#[derive(serde::Deserialize, validator::Validate)]
struct Order {
    #[validate(length(min = 1))]
    lines: Vec<String>,
}

#[step_handler("Orders::Count")]
async fn count(#[input] order: Order, #[input("others")] others: Option<Vec<Order>>) -> usize {
    order.lines.len() + others.map_or(0, |others| others.len())
}

fn main() {}
