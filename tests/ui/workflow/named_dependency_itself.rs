use tasker::prelude::*;

#[path = "common/handlers.rs"]
mod handlers;

#[step_handler("Shop::Ship")]
async fn ship(#[depends_on("ship")] shipped: String) -> String {
    format!("{shipped:?}")
}

tasker::workflow! {
    pub order = "common/shop.yaml" { handlers::reserve, handlers::charge, handlers::notify, ship }
}

fn main() {}
