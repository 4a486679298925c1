use tasker::prelude::*;

#[step_handler("Shop::Fetch")]
async fn fetch(#[config("token")] token: String) -> String {
    token
}

#[step_handler("Shop::Store")]
async fn store(#[depends_on(fetch)] text: String, #[config("path")] path: String) -> usize {
    text.len() + path.len()
}

tasker::workflow! {
    pub fetching = "common/fetching.yaml" { fetch, store }
}

fn main() {}
