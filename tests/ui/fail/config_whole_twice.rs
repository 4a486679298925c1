use tasker::step_handler;

#[step_handler("Fetch")]
async fn fetch(#[config] limit: u32, #[config] other: u64) -> u64 {
    u64::from(limit) + other
}

fn main() {}
