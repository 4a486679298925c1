use tasker::prelude::*;

struct Payments;

#[step_handler("Shop::Payments")]
impl Payments {
    async fn authorize(&self) -> u64 {
        5
    }

    async fn charge(&self, #[depends_on("authorize")] authorized: u32) -> u64 {
        authorized.into()
    }
}

tasker::workflow! {
    pub payment = "common/payments.yaml" { payments::authorize, payments::charge }
}

fn main() {}
