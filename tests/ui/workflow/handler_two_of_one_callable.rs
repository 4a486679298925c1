use tasker::prelude::*;

#[path = "common/handlers.rs"]
mod handlers;

#[step_handler("Shop::Charge")]
async fn charge_again(#[input("cents")] cents: u64) -> u64 {
    cents
}

tasker::workflow! {
    pub order = "common/shop.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship, charge_again }
}

fn main() {}
