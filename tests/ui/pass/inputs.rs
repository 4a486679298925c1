#![deny(warnings)]

use std::collections::HashMap;
use std::time::Duration;

use tasker::handler::StateRequirement;
use tasker::{FromStep, State, StepContext, StepError, step_handler};

#[derive(serde::Deserialize, validator::Validate)]
struct Order {
    #[validate(length(min = 1))]
    lines: Vec<u64>,
}

struct Transaction(String);

impl FromStep for Transaction {
    fn from_step(context: &StepContext) -> Result<Self, StepError> {
        State::<String>::from_step(context).map(|State(url)| Self(url))
    }

    fn requires() -> Vec<StateRequirement> {
        State::<String>::requires()
    }
}

#[step_handler("Billing::Charge")]
async fn charge(
    #[input] order: Order,
    #[input("order")] again: Option<Order>,
    #[input("rates")] rates: HashMap<String, (f64, Option<Duration>)>,
    #[input("any")] any: serde_json::Value,
    #[input("boxed")] boxed: Box<[String]>,
    Transaction(url): Transaction,
    State(url_2): State<String>,
) -> usize {
    let _ = (again, any, boxed, url == url_2);
    order.lines.len() + rates.len()
}

fn main() {}
