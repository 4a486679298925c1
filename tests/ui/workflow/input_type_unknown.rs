#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order(Baskett) = "common/shop.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
