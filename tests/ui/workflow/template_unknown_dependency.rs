#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "template_unknown_dependency.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
