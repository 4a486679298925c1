//! What the steps of `templates/__TEMPLATE__.yaml` do.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

/// The context of a task: what somebody orders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, WorkflowInput)]
pub struct Order {
    pub item: String,
    pub quantity: u64,
}

/// The result of `reserve_item`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    pub item: String,
    pub cents: u64,
}

/// The result of `charge_card`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    pub payment: String,
    pub cents: u64,
}

tasker::workflow! {
    /// Sells what somebody orders. The compiler checks that the template and the handlers fit together.
    pub __TEMPLATE__(Order) = "templates/__TEMPLATE__.yaml" {
        reserve_item,
        charge_card,
    }
}

/// Reserves what was ordered.
#[step_handler("__TYPE__::ReserveItem")]
pub async fn reserve_item(#[input] order: Order) -> Result<Reservation, StepError> {
    if order.quantity == 0 {
        // Another attempt would find the same: the step fails for good.
        return Err(StepError::permanent("nothing was ordered").with_code("EMPTY_ORDER"));
    }
    Ok(Reservation {
        item: order.item,
        cents: order.quantity * 250,
    })
}

/// Charges for what was reserved. Call the payment service here.
#[step_handler("__TYPE__::ChargeCard")]
pub async fn charge_card(
    #[depends_on(reserve_item)] reservation: Reservation,
    step: StepContext,
) -> Result<Receipt, StepError> {
    Ok(Receipt {
        // The same in each attempt: a service that knows it does not charge twice.
        payment: step.idempotency_key(),
        cents: reservation.cents,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tasker::testing::{TestEngine, call};

    use super::*;

    const TEMPLATE: &str = "templates/__TEMPLATE__.yaml";

    fn order(quantity: u64) -> Order {
        Order {
            item: "book".to_owned(),
            quantity,
        }
    }

    #[test]
    fn an_order_is_charged_once_the_payment_service_answers() {
        let run = TestEngine::template_file(TEMPLATE)
            .fails("charge_card", [StepError::retryable("503")])
            .run_blocking(order(2));
        run.assert_complete();
        assert_eq!(
            run.order(),
            ["reserve_item#1", "charge_card#1", "charge_card#2"]
        );
        assert_eq!(run.output::<charge_card>().cents, 500);
        // Of virtual time, which takes no time.
        assert!(run.elapsed() >= Duration::from_secs(2));
    }

    #[test]
    fn an_order_of_nothing_is_refused_for_good() {
        let error = call::<reserve_item>()
            .input(order(0))
            .run_blocking()
            .unwrap_err();
        assert_eq!(error.to_string(), "nothing was ordered [EMPTY_ORDER]");
        assert!(!error.is_retryable());
    }
}
