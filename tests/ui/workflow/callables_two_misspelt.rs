#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "callables_two_misspelt.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

fn main() {}
