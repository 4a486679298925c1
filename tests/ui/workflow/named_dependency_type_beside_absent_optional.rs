use tasker::prelude::*;

#[path = "common/handlers.rs"]
mod handlers;

#[step_handler("Shop::Ship")]
async fn ship(
    #[depends_on("charge")] charged: Vec<u64>,
    #[depends_on("wrap")] wrapped: Option<u8>,
) -> String {
    format!("{charged:?} {wrapped:?}")
}

tasker::workflow! {
    pub order = "common/shop.yaml" { handlers::reserve, handlers::charge, handlers::notify, ship }
}

fn main() {}
