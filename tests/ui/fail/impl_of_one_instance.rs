use tasker::step_handler;

struct Payments<T>(T);

#[step_handler("Payments")]
impl Payments<u8> {
    async fn charge(&self) {}
}

fn main() {}
