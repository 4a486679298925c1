#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "dependencies_two_not_ancestors.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
