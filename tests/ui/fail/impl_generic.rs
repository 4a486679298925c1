use tasker::step_handler;

struct Payments<T>(T);

#[step_handler("Payments")]
impl<T> Payments<T> {
    async fn charge(&self) {}
}

fn main() {}
