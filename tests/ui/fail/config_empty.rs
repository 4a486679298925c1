use tasker::step_handler;

#[step_handler("Fetch")]
async fn fetch(#[config("")] url: String) -> String {
    url
}

fn main() {}
