#![deny(warnings)]

use tasker::{State, StepContext, step_handler};

#[derive(serde::Deserialize, validator::Validate)]
struct Order {
    #[validate(range(min = 1))]
    cents: u64,
    currency: String,
}

#[derive(Clone)]
struct Mailer {
    from: String,
}

#[step_handler("Billing::Order")]
async fn order(#[input] Order { cents, mut currency }: Order) -> (u64, String) {
    currency.push('!');
    (cents, currency)
}

#[step_handler("Billing::Mail")]
async fn mail(
    State(mut mailer): State<Mailer>,
    State(Mailer { from }): State<Mailer>,
    #[depends_on(order)] (cents, _): (u64, String),
    #[depends_on("rates")] [first, .., last]: [u64; 3],
    #[input("note")] mut note: String,
    _: StepContext,
) -> String {
    mailer.from.push_str(&from);
    note.push_str(&mailer.from);
    format!("{note} {}", cents + first + last)
}

pub(crate) fn main() {}
