#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "common/shop.yaml" { handlers::reserve, "Shop::Charge", handlers::notify, handlers::ship }
}

fn main() {}
