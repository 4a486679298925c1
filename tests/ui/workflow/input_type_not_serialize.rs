use tasker::prelude::*;

#[path = "common/handlers.rs"]
mod handlers;

#[derive(WorkflowInput)]
struct Basket {
    item: String,
    cents: u64,
    note: Option<String>,
}

tasker::workflow! {
    pub order(Basket) = "common/shop.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
