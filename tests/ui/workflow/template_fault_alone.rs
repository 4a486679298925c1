#[path = "common/handlers.rs"]
mod handlers;

tasker::workflow! {
    pub order = "template_fault_alone.yaml" { handlers::reserve, handlers::charge, handlers::notify, handlers::ship }
}

async fn run(tasker: &tasker::Tasker) -> u32 {
    let input = handlers::Order { item: String::new(), cents: 1, note: None };
    let handle = order::create(tasker, &input).idempotency_key("1").await.unwrap();
    let done = handle.wait().await.unwrap();
    println!("{} {:?}", done.ship.len(), order::Step::Ship);
    done.reserve.id
}

fn main() {
    let _ = (tasker::Tasker::builder().workflow(order), run);
}
