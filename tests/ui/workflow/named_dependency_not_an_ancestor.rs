#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "named_dependency_not_an_ancestor.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
