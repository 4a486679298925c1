use serde::Serialize;
use tasker::prelude::*;

#[derive(Serialize, WorkflowInput)]
#[serde(transparent)]
struct Only {
    item: String,
}

#[derive(Clone, Serialize, WorkflowInput)]
#[serde(rename_all = "camelCase", into = "Wire")]
struct Order {
    item: String,
}

#[derive(Serialize)]
struct Wire {
    text: String,
}

impl From<Order> for Wire {
    fn from(order: Order) -> Self {
        Self { text: order.item }
    }
}

#[derive(Serialize, WorkflowInput)]
#[serde(tag = "kind")]
struct Tagged {
    item: String,
}

fn main() {}
