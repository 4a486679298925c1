#[path = "common/handlers.rs"]
mod handlers;

async fn ship() {}

tasker::workflow! {
    pub order = "common/shop.yaml" { handlers::reserve, handlers::charge, handlers::notify, ship }
}

fn main() {}
