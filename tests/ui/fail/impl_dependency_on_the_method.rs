use tasker::step_handler;

struct Payments;

#[step_handler("Payments")]
impl Payments {
    async fn authorize(&self) -> u64 {
        5
    }

    async fn charge(&self, #[depends_on(Payments::authorize)] authorized: u64) -> u64 {
        authorized
    }
}

fn main() {}
