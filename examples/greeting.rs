//! The whole command line over handlers of one's own: `tasker`, but with these linked in.
//!
//! ```sh
//! cargo run --example greeting -- run greeting --context '{"id": 7}' --store memory:
//! ```

use std::process::ExitCode;

use tasker::prelude::*;

#[step_handler("Greeting::FindName")]
async fn find_name(#[input("id")] id: u32) -> Result<String, StepError> {
    match id {
        7 => Ok("Ada".to_owned()),
        _ => Err(StepError::permanent("nobody has this id").with_code("UNKNOWN_ID")),
    }
}

#[step_handler("Greeting::Greet")]
async fn greet(#[depends_on(find_name)] name: String, step: StepContext) -> String {
    format!("Hello, {name}! (attempt {})", step.attempt())
}

tasker::workflow! {
    /// Greets somebody by id.
    pub greeting = "templates/greeting.yaml" { find_name, greet }
}

#[tokio::main]
async fn main() -> ExitCode {
    tasker::cli::main(Tasker::builder().workflow(greeting)).await
}
