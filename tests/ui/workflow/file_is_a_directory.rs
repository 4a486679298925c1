#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "common" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
