#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order(handlers::Order, u32) = "common/shop.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
