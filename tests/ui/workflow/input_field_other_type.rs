use tasker::prelude::*;

#[path = "common/handlers.rs"]
mod handlers;

#[step_handler("Shop::Ship")]
async fn ship(#[input("cents")] cents: u32) -> String {
    format!("{cents:?}")
}

tasker::workflow! {
    pub order(handlers::Order) = "common/shop.yaml" { handlers::reserve, handlers::charge, handlers::notify, ship }
}

fn main() {}
