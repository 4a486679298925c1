#![deny(warnings)]

use std::collections::BTreeMap;
use std::error::Error;

use serde::{Deserialize, Serialize};
use tasker::error::BoxError;
use tasker::{StepError, StepResult, step_handler};

#[derive(Deserialize, Serialize)]
struct Page<T, const N: usize = 1> {
    items: Vec<T>,
}

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("declined")]
    Declined,
    #[error("busy")]
    Busy,
}

impl From<Refused> for StepError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Declined => Self::permanent(refused),
            Refused::Busy => Self::retryable(refused),
        }
    }
}

/// Says nothing about retrying.
#[derive(Debug, thiserror::Error)]
#[error("down")]
struct Down;

#[step_handler("Results::Unit")]
async fn unit() -> () {}

#[step_handler("Results::Generic")]
async fn generic() -> Page<BTreeMap<String, Option<u64>>> {
    Page { items: Vec::new() }
}

#[step_handler("Results::StaticText")]
async fn static_text() -> &'static str {
    "text"
}

#[step_handler("Results::Anyhow")]
async fn anyhow_error() -> anyhow::Result<Page<u64, 2>> {
    Err(StepError::permanent("no"))?
}

#[step_handler("Results::Converts")]
async fn converts(#[input("busy")] busy: bool) -> Result<(), Refused> {
    Err(if busy { Refused::Busy } else { Refused::Declined })
}

#[step_handler("Results::Other")]
fn other() -> core::result::Result<Vec<u8>, Down> {
    Err(Down)
}

#[step_handler("Results::Io")]
async fn io() -> std::io::Result<String> {
    std::fs::read_to_string("/")
}

#[step_handler("Results::Boxed")]
async fn boxed() -> Result<(), Box<dyn Error + Send + Sync>> {
    Err("boxed")?
}

#[step_handler("Results::BoxError")]
async fn box_error() -> Result<(), BoxError> {
    Err("boxed")?
}

#[step_handler("Results::Text")]
async fn text() -> Result<(), String> {
    Err("text".to_owned())
}

#[step_handler("Results::StaticTextError")]
async fn static_text_error() -> Result<(), &'static str> {
    Err("text")
}

#[step_handler("Results::StepResult")]
async fn step_result() -> StepResult<Option<u64>> {
    Ok(None)
}

#[step_handler("Results::Infallible")]
async fn infallible() -> Result<u64, std::convert::Infallible> {
    Ok(7)
}

#[step_handler("Results::All")]
async fn all(
    #[depends_on(unit)] _unit: (),
    #[depends_on(generic)] generic: Page<BTreeMap<String, Option<u64>>>,
    #[depends_on(anyhow_error)] page: &Page<u64, 2>,
    #[depends_on(converts)] (): (),
    #[depends_on(other)] bytes: Vec<u8>,
    #[depends_on(io)] text: Option<String>,
    #[depends_on(step_result)] maybe: Option<u64>,
    #[depends_on(infallible)] sure: Option<u64>,
) -> usize {
    let _ = (text, maybe, sure);
    generic.items.len() + page.items.len() + bytes.len()
}

pub(crate) fn main() {}
