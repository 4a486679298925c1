#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "common/shoop.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
