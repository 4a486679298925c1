use tasker::step_handler;

#[step_handler("Billing", metod = "refund")]
async unsafe fn refund(#[input(cents)] cents: u64, #[depends_on] account: &str) -> u64 {
    cents + account.len() as u64
}

fn main() {}
