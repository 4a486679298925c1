use tasker::step_handler;

#[step_handler("Fetch")]
async fn fetch(#[config("url")] url: String, #[config("url")] again: String) -> String {
    url + &again
}

fn main() {}
