//! JSON schemas as contracts: which values one of them accepts and another refuses.
//!
//! `walk` goes through both schemas side by side. `keywords` compares what a schema says of any value, a number, a
//! text or a list, and `object` what it says of fields; `document` follows references, and `exact` has the order of
//! numbers. Whatever the comparison does not understand is a gap, so that no gaps means that there is none.

mod document;
mod exact;
mod keywords;
mod object;
mod types;
mod walk;

use serde::Serialize;
use serde_json::Value;

use crate::contract::schema::document::Document;
use crate::contract::schema::walk::Walk;

/// A place where a schema refuses, or may refuse, a value that another schema accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// How sure it is that there is such a value.
    pub kind: GapKind,
    /// The part of the value: empty for the whole, `customer.email` for a field, `lines[]` for items of a list,
    /// `prices.*` for fields that have no schema of their own.
    pub value: String,
    /// The keyword of JSON Schema in which the two differ.
    pub keyword: String,
    /// What the schema that accepts says there, in a few words.
    pub accepts: String,
    /// What the schema that refuses says there, in a few words.
    pub refuses: String,
    /// The place in the schema that accepts, as a JSON pointer.
    pub accepts_at: String,
    /// The place in the schema that refuses, as a JSON pointer.
    pub refuses_at: String,
}

/// How sure a [`Gap`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// One schema accepts values that the other refuses.
    Refused,
    /// Only values are refused that have a field which the schema that accepts them does not declare: it says
    /// nothing of the field, and the other has a schema for it.
    Undeclared,
    /// The two differ in a way that cannot be compared, such as two patterns. There may be no such value.
    Incomparable,
}

/// Every place where `wide` refuses, or may refuse, a value that `narrow` accepts. Without any, `wide` accepts all
/// that `narrow` accepts.
///
/// Drafts 4, 6, 7, 2019-09 and 2020-12 are understood, by `$schema`; references are followed within a schema.
/// `format` counts as checked. What is not understood is equal in both schemas, or it is a gap
/// ([`GapKind::Incomparable`]).
///
/// ```
/// use serde_json::json;
/// use tasker_template::contract::{GapKind, schema_gaps};
///
/// let old = json!({"type": "object", "properties": {"age": {"type": "integer"}}});
/// let new = json!({"type": "object", "properties": {"age": {"type": "number"}}, "required": ["age"]});
/// assert!(schema_gaps(&new, &old).iter().all(|gap| gap.keyword == "type"));
/// let gaps = schema_gaps(&old, &new);
/// assert_eq!((gaps.len(), gaps[0].kind), (1, GapKind::Refused));
/// assert_eq!((gaps[0].value.as_str(), gaps[0].keyword.as_str()), ("age", "required"));
/// ```
#[must_use]
pub fn schema_gaps(narrow: &Value, wide: &Value) -> Vec<Gap> {
    if narrow == wide {
        return Vec::new();
    }
    let (narrow, wide) = (Document::new(narrow), Document::new(wide));
    Walk::new(&narrow, &wide).gaps()
}

#[cfg(test)]
mod tests;
