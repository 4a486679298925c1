#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "dependency_step_renamed.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
