//! The snapshot of a template.

use crate::id::TemplateId;

/// The snapshot of a template, with what identifies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateRecord {
    /// The hash of `snapshot`.
    pub id: TemplateId,
    /// The template's namespace.
    pub namespace: String,
    /// The template's name.
    pub name: String,
    /// The template's version.
    pub version: String,
    /// The template as JSON.
    pub snapshot: String,
}
