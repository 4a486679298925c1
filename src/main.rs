//! The command line with no handlers linked in: it checks and draws templates, and runs projects
//! and examples. An application mounts [`tasker::cli::main`] in its own, which runs templates too.

use std::process::ExitCode;

use tasker::Tasker;
use tasker::cli::App;

#[tokio::main]
async fn main() -> ExitCode {
    App::new(Tasker::builder()).version(env!("CARGO_PKG_VERSION")).main().await
}
