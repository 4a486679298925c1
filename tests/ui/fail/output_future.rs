use tasker::step_handler;

#[step_handler("Billing::Charge")]
fn charge() -> impl Future<Output = u64> {
    std::future::ready(7)
}

fn main() {}
