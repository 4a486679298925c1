use tasker::step_handler;

#[step_handler("Fetch")]
async fn fetch(#[confg("url")] url: String) -> String {
    url
}

fn main() {}
