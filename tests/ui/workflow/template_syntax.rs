#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "template_syntax.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
