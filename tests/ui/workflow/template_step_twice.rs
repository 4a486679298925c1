#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "template_step_twice.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
