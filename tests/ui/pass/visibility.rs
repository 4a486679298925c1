use tasker::{StepHandler, step_handler};

mod accounts {
    pub(crate) mod inner {
        use tasker::step_handler;

        #[step_handler("Billing::Open")]
        pub(crate) async fn open() -> u64 {
            1
        }

        #[step_handler("Billing::Check")]
        pub(in crate::accounts) async fn check(#[depends_on(self::open)] account: u64) -> u64 {
            account
        }

        #[step_handler("Billing::Private")]
        async fn private(#[depends_on(super::super::outer)] outer: bool) -> bool {
            outer
        }
    }

    #[tasker::step_handler("Billing::Charge")]
    pub async fn charge(#[depends_on(inner::check)] account: u64) -> u64 {
        account
    }
}

#[step_handler("Billing::Outer")]
async fn outer(#[depends_on(crate::accounts::inner::open)] account: u64) -> bool {
    account > 0
}

fn main() {
    #[step_handler("Billing::Local")]
    async fn local(#[depends_on(accounts::charge)] charged: u64) -> u64 {
        charged
    }
    assert_eq!(local::DEPENDS_ON[0].step, "charge");
}
