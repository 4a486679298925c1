//! In the place of `schema` where the feature `schemas` is off: no value passes a check that nobody can make.

use serde_json::Value;
use tasker_store::Json;

use crate::build::violations::Violations;

/// A schema that cannot be acted upon.
#[derive(Debug)]
pub(crate) struct Schema;

/// What is wrong with a schema itself: nothing that this program could tell.
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
