#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order(handlers::Order) = "common/shop.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

async fn run(tasker: &tasker::Tasker) {
    let input = handlers::Order { item: String::new(), cents: 1, note: None };
    let done = order::create(tasker, &input).await.unwrap().wait().await.unwrap();
    println!("{}", done.shipped);
}

fn main() {
    let _ = run;
}
