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

/// As a crate derives it that does not depend on `validator`.
#[derive(serde::Deserialize, tasker::validator::Validate)]
#[validate(crate = "tasker::validator")]
struct Customer {
    #[validate(email)]
    email: String,
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
    #[input("customer", validate)] customer: &Customer,
    #[input("customers", validate = true)] customers: Option<Vec<Customer>>,
    #[input("unchecked", validate = false)] unchecked: Order,
    #[input("rates")] rates: HashMap<String, (f64, Option<Duration>)>,
    #[input("any")] any: serde_json::Value,
    #[input("boxed")] boxed: Box<[String]>,
    Transaction(url): Transaction,
    State(url_2): State<String>,
) -> usize {
    let _ = (again, any, boxed, url == url_2, customers, unchecked, &customer.email);
    order.lines.len() + rates.len()
}

#[step_handler("Billing::Refund")]
async fn refund(#[input(validate)] order: Order) -> usize {
    order.lines.len()
}

pub(crate) fn main() {}
