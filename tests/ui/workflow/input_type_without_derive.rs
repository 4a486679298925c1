#[path = "common/handlers.rs"]
mod handlers;

#[derive(serde::Serialize)]
struct Basket {
    item: String,
}

tasker::workflow! {
    pub order(Basket) = "common/shop.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
