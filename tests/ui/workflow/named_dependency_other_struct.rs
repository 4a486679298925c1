use serde::Deserialize;
use tasker::prelude::*;

#[path = "common/handlers.rs"]
mod handlers;

#[derive(Debug, Deserialize)]
struct Reserved {
    id: u32,
}

#[step_handler("Shop::Ship")]
async fn ship(#[depends_on("reserve")] reserved: Reserved) -> String {
    format!("{reserved:?}")
}

tasker::workflow! {
    pub order = "common/shop.yaml" { handlers::reserve, handlers::charge, handlers::notify, ship }
}

fn main() {}
