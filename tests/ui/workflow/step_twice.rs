#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "common/shop.yaml" { handlers::reserve, handlers::charge, handlers::notify, ship => handlers::ship, ship => handlers::ship }
}

fn main() {}
