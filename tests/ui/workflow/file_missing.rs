#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "templates/nothing_alike.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
