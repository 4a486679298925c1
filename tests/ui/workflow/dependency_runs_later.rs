use tasker::prelude::*;

#[path = "common/handlers.rs"]
mod handlers;

#[step_handler("Shop::Reserve")]
async fn reserve(#[depends_on(handlers::ship)] shipped: String) -> handlers::Reservation {
    unreachable!("{shipped}")
}

tasker::workflow! {
    pub order = "common/shop.yaml" { reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
