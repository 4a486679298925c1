use tasker::prelude::*;

struct Payments;

#[step_handler("Shop::Payments")]
impl Payments {
    async fn authorize(&self) -> u64 {
        5
    }

    async fn charge(&self, #[depends_on(payments::authorize)] authorized: u64) -> u64 {
        authorized.into()
    }
}

tasker::workflow! {
    pub payment = "common/payments.yaml" { payments::authorize, payments::debit }
}

fn main() {}
