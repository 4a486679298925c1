#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "template_without_steps.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
