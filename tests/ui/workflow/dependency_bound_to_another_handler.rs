#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "dependency_bound_to_another_handler.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
