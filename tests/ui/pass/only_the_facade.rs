//! A package that depends on `tasker` alone, and on serde for its own types.
#![deny(warnings)]

// As if none of these were a dependency.
extern crate core as anyhow;
extern crate core as inventory;
extern crate core as serde_json;
extern crate core as tasker_runtime;
extern crate core as thiserror;
extern crate core as validator;

use std::fmt;

use tasker::prelude::*;
use tasker::validator::Validate;

#[derive(serde::Deserialize, Validate)]
#[validate(crate = "tasker::validator")]
struct Order {
    #[validate(length(min = 1))]
    account: String,
    #[validate(range(min = 1), custom(function = "even", code = "odd"))]
    cents: u64,
}

fn even(cents: u64) -> Result<(), tasker::validator::ValidationError> {
    if cents % 2 == 0 { Ok(()) } else { Err(tasker::validator::ValidationError::new("odd")) }
}

#[derive(serde::Deserialize, serde::Serialize)]
struct Receipt {
    account: String,
}

#[derive(Clone)]
struct Bank;

/// Says of itself whether it is permanent.
#[derive(Debug)]
enum Refused {
    Closed,
}

impl From<Refused> for StepError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Closed => Self::permanent("closed").with_code("CLOSED"),
        }
    }
}

/// Any other error.
#[derive(Debug)]
struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("busy")
    }
}

impl std::error::Error for Busy {}

#[step_handler("Billing::Open")]
async fn open(#[input] order: Order, State(_): State<Bank>) -> Result<Receipt, Refused> {
    if order.cents == 0 { Err(Refused::Closed) } else { Ok(Receipt { account: order.account }) }
}

#[step_handler("Billing::Charge")]
async fn charge(#[depends_on(open)] receipt: &Receipt, context: StepContext) -> Result<usize, Busy> {
    if context.attempt() > 7 { Err(Busy) } else { Ok(receipt.account.len() + context.step_name().len()) }
}

#[step_handler("Billing::Book", method = "now")]
fn book(
    #[input("order", validate)] _order: Option<Order>,
    #[depends_on(charge, step = "charged")] cents: Option<usize>,
    #[depends_on("open")] account: &str_view::View,
) -> StepResult<usize> {
    Ok(cents.unwrap_or_default() + account.account.len())
}

mod str_view {
    #[derive(serde::Deserialize)]
    pub(super) struct View {
        pub(super) account: String,
    }
}

fn main() {}
