use serde::{Serialize, Serializer};
use tasker::prelude::*;

#[derive(Serialize, WorkflowInput)]
struct Order {
    item: String,
    #[serde(serialize_with = "as_text")]
    cents: u64,
    #[serde(with = "text")]
    weight: u64,
    #[serde(default, skip)]
    cached: u64,
    #[serde(skip_serializing)]
    secret: String,
}

fn as_text<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

mod text {
    pub(super) use super::as_text as serialize;
}

fn main() {}
