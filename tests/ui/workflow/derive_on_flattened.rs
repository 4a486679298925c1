use serde::Serialize;
use tasker::prelude::*;

#[derive(Serialize)]
struct Address {
    street: String,
}

#[derive(Serialize, WorkflowInput)]
struct Order {
    item: String,
    #[serde(flatten)]
    address: Address,
}

fn main() {}
