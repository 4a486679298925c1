use tasker::prelude::*;

#[path = "common/handlers.rs"]
mod handlers;

mod one {
    #[tasker::step_handler("Shop::Ship")]
    pub async fn ship() {}
}

tasker::workflow! {
    pub order = "common/shop.yaml" { one::ship, handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
