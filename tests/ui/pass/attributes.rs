#![deny(warnings)]

use tasker::step_handler;

/// Its documentation stays.
#[step_handler("Billing::Charge")]
#[allow(clippy::unused_async, unused_variables)]
#[inline]
#[must_use]
async fn charge(#[input("cents")] cents: u64) -> u64 {
    7
}

#[allow(unused_mut)]
#[step_handler("Billing::Refund")]
async fn refund(
    #[input("cents")]
    #[allow(unused_variables)]
    mut cents: u64,
) {
}

#[step_handler("Billing::Legacy")]
#[deprecated(note = "for new templates there is `Billing::Charge`")]
async fn legacy() {}

#[step_handler("Billing::Absent")]
#[cfg(any())]
async fn absent(nothing: OfThis) -> Exists {}

#[cfg(any())]
#[step_handler("Billing::Absent")]
async fn absent(nothing: OfThis) -> Exists {}

#[step_handler("Billing::Conditional")]
#[cfg_attr(all(), doc = "Its conditions stay.")]
async fn conditional() {}

mod documented {
    #![deny(missing_docs)]

    /// A handler as a type and as a function.
    #[tasker::step_handler("Billing::Documented")]
    pub async fn documented() {}
}

pub(crate) fn main() {
    std::mem::drop(conditional());
    std::mem::drop(documented::documented());
}
