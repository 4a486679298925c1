use tasker::step_handler;

struct Payments<T>(T);

#[step_handler("Payments")]
impl<T> Payments<T> {
    async fn charge(&self, #[input("cents")] cents: u64) -> u64 {
        cents
    }
}

fn main() {}
