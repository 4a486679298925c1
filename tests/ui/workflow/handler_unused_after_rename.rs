#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "handler_unused_after_rename.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
