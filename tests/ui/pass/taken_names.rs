//! What we write is about what it says, whatever else has its name in the user's module.
#![allow(dead_code, unused_imports, non_camel_case_types, unused_macros)]

use ::tasker::step_handler;

mod core {}
mod std {}
mod tasker {}
mod tasker_runtime {}
mod serde {}
struct Vec;
struct Box;
struct String;
struct Debug;
struct StepHandler;
struct StepOutcome;
enum Option {
    Some,
    None,
}
enum Answer {
    Ok,
    Err,
}
use Answer::{Err, Ok};
use Option::{None, Some};
macro_rules! file {
    () => {};
}
macro_rules! line {
    () => {};
}
macro_rules! assert {
    () => {};
}

trait Call {
    fn check(&self) {}
    fn complete(&self) {}
    fn into_result(&self) {}
    fn extend(&self) {}
    fn requires(&self) {}
    fn from_step(&self) {}
}
impl<T> Call for T {}

#[step_handler("Names::Input")]
async fn input(#[input("context")] context: u64, #[input] call: u64) -> Result<u64, ::tasker::StepError> {
    ::core::result::Result::Ok(context + call)
}

#[step_handler("Names::Call")]
async fn call(#[depends_on(input)] input: u64, context: ::tasker::StepContext) -> u64 {
    input + u64::from(context.attempt())
}

#[step_handler("Names::Dependency")]
fn dependency(#[depends_on(call)] __tasker: u64, #[depends_on("requires")] requires: u64) -> u64 {
    __tasker + requires
}

fn main() {}
