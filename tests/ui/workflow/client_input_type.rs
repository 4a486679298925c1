#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order(handlers::Order) = "common/shop.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

async fn run(tasker: &tasker::Tasker) {
    order::create(tasker, "an apple").await.unwrap();
}

fn main() {
    let _ = run;
}
