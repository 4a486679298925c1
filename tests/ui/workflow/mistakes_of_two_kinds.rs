use tasker::prelude::*;

#[path = "common/handlers.rs"]
mod handlers;

#[step_handler("Shop::Notify")]
async fn notify(#[depends_on("resrve")] reserved: handlers::Reservation) -> String {
    format!("{reserved:?}")
}

#[step_handler("Shop::Ship")]
async fn ship(#[depends_on("charge")] charged: Vec<u64>) -> String {
    format!("{charged:?}")
}

tasker::workflow! {
    pub order = "common/shop.yaml" { handlers::reserve, handlers::charge, notify, ship }
}

fn main() {}
