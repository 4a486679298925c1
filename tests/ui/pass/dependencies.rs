#![deny(warnings)]

use serde::Deserialize;
use tasker::{StepHandler, step_handler};

mod other {
    pub mod module {
        #[tasker::step_handler("Billing::Open", method = "open")]
        pub async fn open() -> Option<u64> {
            Some(1)
        }
    }
}

use other::module::open as opened;

#[derive(Deserialize)]
struct View {
    _id: u64,
}

#[step_handler("Billing::Charge")]
async fn charge(
    #[depends_on(other::module::open)] account: Option<u64>,
    #[depends_on(opened)] same: Option<Option<u64>>,
    #[depends_on(opened, step = "reopened")] third: Option<u64>,
    #[depends_on("audit")] audit: View,
    #[depends_on("audit 2")] second: Option<View>,
) -> bool {
    let _ = (audit, second);
    account == third && same.is_some()
}

/// Another step runs the same handler.
#[step_handler("Billing::Retry")]
async fn retry(#[depends_on(retry, step = "first_try")] first: Option<u64>) -> u64 {
    first.unwrap_or_default()
}

pub(crate) fn main() {
    let steps: Vec<_> = charge::DEPENDS_ON.iter().map(|one| (one.step, one.handler, one.optional)).collect();
    let open = Some(("Billing::Open", "open"));
    assert_eq!(
        steps,
        [
            ("open", open, true),
            ("opened", open, true),
            ("reopened", open, true),
            ("audit", None, false),
            ("audit 2", None, true),
        ]
    );
}
