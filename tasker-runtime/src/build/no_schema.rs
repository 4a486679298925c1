//! Replaces `schema` when the feature `schemas` is off: a schema is not checked itself, and accepts no value.

use serde_json::Value;
use tasker_store::Json;

use crate::build::violations::Violations;

/// A schema, which this program cannot check values against.
#[derive(Debug)]
pub(crate) struct Schema;

/// A fault of a schema. There is never one here, since this program cannot check schemas.
#[derive(Debug)]
pub(crate) struct SchemaFault {
    pub(crate) pointer: String,
    pub(crate) reason: String,
    pub(crate) suggestion: Option<String>,
}

impl Schema {
    pub(crate) fn compile(_: &Value) -> Result<Self, Vec<SchemaFault>> {
        Ok(Self)
    }

    pub(crate) fn check(&self, _: &Json) -> Result<(), Violations> {
        let reason = "this program was built without the feature `schemas`, and cannot check it";
        Err(Violations::one(reason.to_owned()))
    }
}
