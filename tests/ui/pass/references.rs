#![deny(warnings)]

use tasker::{State, StepContext, step_handler};

#[derive(Clone)]
struct Database;

#[step_handler("Billing::Open")]
async fn open(#[input] all: &serde_json::Value, #[input("owner")] owner: &Option<String>) -> Option<u64> {
    tokio_free_pause().await;
    owner.as_ref().and(all["id"].as_u64())
}

#[step_handler("Billing::Charge")]
async fn charge(
    #[depends_on(open)] account: &Option<u64>,
    database: &State<Database>,
    context: &StepContext,
) -> bool {
    let Database = database.0;
    tokio_free_pause().await;
    account.is_some() && context.is_last_attempt()
}

#[step_handler("Billing::Count")]
fn count(#[depends_on(open)] account: &Option<u64>, context: &StepContext) -> u32 {
    context.attempt() + u32::from(account.is_some())
}

async fn tokio_free_pause() {
    std::future::ready(()).await;
}

pub(crate) fn main() {}
