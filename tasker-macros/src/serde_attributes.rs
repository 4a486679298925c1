//! What serde's attributes say of the names of fields in JSON, and which of them give an input a form that its fields
//! do not show.

use proc_macro2::TokenStream;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, LitStr, Token};

use crate::errors::Errors;

/// What the attributes of a struct or a field say. What they say wrongly is serde's to report.
#[derive(Default)]
pub(crate) struct Serde {
    pub(crate) rename: Option<String>,
    pub(crate) rename_all: Option<String>,
}

/// An attribute that is refused, and why, with what to write instead.
type Refused = (&'static str, &'static str);

const OF_STRUCT: [Refused; 3] = [
    (
        "transparent",
        "`transparent` writes the only field in place of the struct: remove it, for a workflow's input is an object \
         with these fields",
    ),
    (
        "into",
        "`into` writes another type in place of this one: derive `WorkflowInput` for that type, and name it as the \
         workflow's input",
    ),
    ("tag", "`tag` adds a field that the struct does not have: remove it, and write the field out"),
];

const AS_ANOTHER_TYPE: &str = "the field is written in another form than that of its type: give it a type whose own \
    `Serialize` writes that form";

const NOT_WRITTEN: &str = "the field is left out of the task's context, where handlers look for it: remove the \
    attribute, or move the field to a struct of your own";

const OF_FIELD: [Refused; 5] = [
    ("flatten", "the fields of a flattened struct are not known here: write them out"),
    ("with", AS_ANOTHER_TYPE),
    ("serialize_with", AS_ANOTHER_TYPE),
    ("skip", NOT_WRITTEN),
    ("skip_serializing", NOT_WRITTEN),
];

impl Serde {
    /// The attributes of the struct.
    pub(crate) fn of_struct(attributes: &[Attribute], errors: &mut Errors) -> Self {
        Self::of(attributes, &OF_STRUCT, errors)
    }

    /// The attributes of a field.
    pub(crate) fn of_field(attributes: &[Attribute], errors: &mut Errors) -> Self {
        Self::of(attributes, &OF_FIELD, errors)
    }

    fn of(attributes: &[Attribute], refused: &[Refused], errors: &mut Errors) -> Self {
        let mut serde = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
            let _ = attribute.parse_nested_meta(|meta| {
                if let Some((_, reason)) = refused.iter().find(|(name, _)| meta.path.is_ident(name)) {
                    errors.on(&meta.path, format!("[TSK214] {reason}"));
                }
                if meta.path.is_ident("rename") {
                    serde.rename = written_name(&meta)?;
                } else if meta.path.is_ident("rename_all") {
                    serde.rename_all = written_name(&meta)?;
                } else if meta.input.peek(Token![=]) {
                    meta.value()?.parse::<syn::Expr>()?;
                } else if meta.input.peek(syn::token::Paren) {
                    let content;
                    syn::parenthesized!(content in meta.input);
                    content.parse::<TokenStream>()?;
                }
                Ok(())
            });
        }
        serde
    }
}

/// The text of `rename = "…"`, or of `rename(serialize = "…", deserialize = "…")` the one that is written.
fn written_name(meta: &ParseNestedMeta<'_>) -> syn::Result<Option<String>> {
    if meta.input.peek(Token![=]) {
        return meta.value()?.parse::<LitStr>().map(|text| Some(text.value()));
    }
    let mut name = None;
    meta.parse_nested_meta(|inner| {
        let text = inner.value()?.parse::<LitStr>()?.value();
        if inner.path.is_ident("serialize") {
            name = Some(text);
        }
        Ok(())
    })?;
    Ok(name)
}

/// A field's name in the case that `rename_all` asks for, letter by letter as serde writes it: only ASCII letters
/// change their case, and `lowercase` leaves a field as it is. `tests/ui/pass/renamed_fields.rs` compares the two.
pub(crate) fn in_case(name: &str, case: Option<&str>) -> String {
    match case {
        Some("UPPERCASE" | "SCREAMING_SNAKE_CASE") => name.to_ascii_uppercase(),
        Some("kebab-case") => name.replace('_', "-"),
        Some("SCREAMING-KEBAB-CASE") => name.to_ascii_uppercase().replace('_', "-"),
        Some("PascalCase") => name.split('_').map(|word| first(word, char::to_ascii_uppercase)).collect(),
        Some("camelCase") => first(&in_case(name, Some("PascalCase")), char::to_ascii_lowercase),
        _ => name.to_owned(),
    }
}

/// The word with its first letter changed.
fn first(word: &str, change: impl Fn(&char) -> char) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| change(&first)).into_iter().chain(letters).collect()
}
