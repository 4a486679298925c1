//! A whole schema: its draft, and what its references lead to.

use serde_json::{Map, Value};

/// The drafts of JSON Schema, as far as they differ in what is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    Four,
    Six,
    Seven,
    Draft2019,
    Draft2020,
}

#[derive(Debug)]
pub(super) struct Document<'s> {
    pub(super) root: &'s Value,
    pub(super) draft: Draft,
    /// Whether a part of it has an identifier of its own, so that references mean other things within it.
    has_embedded: bool,
}

/// Keywords that say nothing of whether a value is valid. `$defs` and `definitions` matter where they are referred
/// to.
const ANNOTATIONS: [&str; 18] = [
    "$anchor",
    "$comment",
    "$defs",
    "$id",
    "$schema",
    "contentSchema",
    "default",
    "definitions",
    "deprecated",
    "description",
    "example",
    "examples",
    "id",
    "nullable",
    "readOnly",
    "title",
    "writeOnly",
    "xml",
];

/// Whether a keyword says nothing of whether a value is valid.
pub(super) fn is_annotation(keyword: &str) -> bool {
    ANNOTATIONS.contains(&keyword) || keyword.starts_with("x-")
}

impl<'s> Document<'s> {
    pub(super) fn new(root: &'s Value) -> Self {
        let said = root.get("$schema").and_then(Value::as_str).unwrap_or_default();
        let drafts = [
            ("draft-04", Draft::Four),
            ("draft-06", Draft::Six),
            ("draft-07", Draft::Seven),
            ("2019-09", Draft::Draft2019),
        ];
        let draft = drafts.into_iter().find(|(part, _)| said.contains(part));
        let draft = draft.map_or(Draft::Draft2020, |(_, draft)| draft);
        Self { root, draft, has_embedded: children(root).any(has_identifier) }
    }

    /// The part that a reference leads to, with its JSON pointer; `None` where that is not in this schema, or not
    /// by a pointer.
    pub(super) fn target(&self, reference: &str) -> Option<(&'s Value, String)> {
        let pointer = reference.strip_prefix('#')?;
        // A `%` encodes another character, and two pointers must be one text when they are one place.
        if self.has_embedded || pointer.contains('%') {
            return None;
        }
        Some((self.root.pointer(pointer)?, pointer.to_owned()))
    }

    /// The reference that a schema consists of. An error where there is more beside it than a comparison can join.
    pub(super) fn reference<'v>(&self, schema: &'v Map<String, Value>) -> Result<Option<&'v str>, ()> {
        let Some(reference) = schema.get("$ref") else { return Ok(None) };
        let is_alone = || schema.keys().all(|key| key == "$ref" || is_annotation(key));
        // Up to draft 7, what stands beside a reference is not read.
        if self.draft <= Draft::Seven || is_alone() {
            reference.as_str().map(Some).ok_or(())
        } else {
            Err(())
        }
    }
}

/// The values directly within a list or a mapping.
pub(super) fn children(value: &Value) -> impl Iterator<Item = &Value> {
    let items = value.as_array().into_iter().flatten();
    items.chain(value.as_object().into_iter().flat_map(Map::values))
}

fn has_identifier(value: &Value) -> bool {
    let own = ["$id", "id"].iter().any(|key| value.get(key).is_some_and(Value::is_string));
    own || children(value).any(has_identifier)
}
