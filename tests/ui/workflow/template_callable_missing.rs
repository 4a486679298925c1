#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "template_callable_missing.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
