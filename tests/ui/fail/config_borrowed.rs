use tasker::step_handler;

#[step_handler("Fetch")]
async fn fetch(#[config("url")] url: &str) -> String {
    url.to_owned()
}

fn main() {}
