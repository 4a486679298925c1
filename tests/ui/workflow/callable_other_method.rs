#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "callable_other_method.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
