//! The command line with no handlers linked in: it checks and draws templates, and runs projects
//! and examples. An application that wants `run TEMPLATE` mounts [`tasker::cli::main`] in its own.

use std::process::ExitCode;

use tasker::Tasker;

#[tokio::main]
async fn main() -> ExitCode {
    tasker::cli::main(Tasker::builder()).await
}
