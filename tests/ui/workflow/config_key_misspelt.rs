use tasker::prelude::*;

#[step_handler("Shop::Fetch")]
async fn fetch(#[config("url")] url: String, #[config("limit")] limit: usize) -> String {
    url[..limit].to_owned()
}

#[step_handler("Shop::Store")]
async fn store(#[depends_on(fetch)] text: String) -> usize {
    text.len()
}

tasker::workflow! {
    pub fetching = "common/fetching.yaml" { fetch, store }
}

fn main() {}
