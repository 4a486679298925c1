//! The program `__NAME__`: the command line of Tasker over the handlers of this crate.

mod handlers;

use std::process::ExitCode;

use tasker::Tasker;
use tasker::cli::App;

#[tokio::main]
async fn main() -> ExitCode {
    let builder = Tasker::builder()
        .workflow(handlers::__TEMPLATE__)
        .store_url("sqlite://__NAME__.db");
    App::new(builder)
        .version(env!("CARGO_PKG_VERSION"))
        .main()
        .await
}
