use tasker::prelude::*;

#[path = "common/handlers.rs"]
mod handlers;

#[derive(serde::Serialize)]
struct Parcel {
    number: u32,
}

#[step_handler("Shop::Ship")]
async fn ship() -> Parcel {
    Parcel { number: 7 }
}

tasker::workflow! {
    pub order = "common/shop.yaml" { handlers::reserve, handlers::charge, handlers::notify, ship }
}

fn main() {}
