//! Rust types for JSON schemas.

use std::collections::HashSet;
use std::panic::catch_unwind;

use schemars::schema::{RootSchema, Schema};
use serde_json::Value;
use syn::{Attribute, Item, Meta, parse_quote};
use typify::{TypeSpace, TypeSpaceSettings};

use crate::cli::generate::reduced::reduced;

/// The type of what no schema describes.
pub(super) const ANY: &str = "serde_json::Value";

/// The types of a generated module.
#[derive(Default)]
#[allow(missing_debug_implementations, reason = "syn's items print only with a feature of its own")]
pub(super) struct Types {
    /// Their declarations.
    pub(super) items: Vec<Item>,
    names: HashSet<String>,
    /// The names of types that could not be made of their schemas.
    pub(super) untyped: Vec<String>,
}

impl Types {
    /// The type of the values that a schema describes, as code. Where that is a type of its own, it is called
    /// `name`, with a number after it if there is one of that name. The sentence `about` documents it.
    pub(super) fn add(&mut self, name: &str, about: &str, schema: Option<&Value>) -> String {
        let Some(schema) = schema.filter(|schema| schema.as_object().is_some_and(|keys| !keys.is_empty()))
        else {
            return ANY.to_owned();
        };
        let numbered = (2..100).map(|number| format!("{name}{number}"));
        for name in std::iter::once(name.to_owned()).chain(numbered) {
            // typify gives up on what it does not know by a panic.
            let Some(made) = catch_unwind(|| made(&name, schema)).ok().flatten() else { break };
            let names: Vec<String> = made.items.iter().filter_map(name_of).collect();
            if names.iter().any(|name| self.names.contains(name)) {
                continue;
            }
            let part = if names.contains(&name) {
                format!("Part of [`{name}`].")
            } else {
                format!("Part of {}{}", about[..1].to_lowercase(), &about[1..])
            };
            let documented = |item: Item| {
                let is_root = name_of(&item).as_ref() == Some(&name);
                documented(item, if is_root { about } else { &part })
            };
            let items = made.items.into_iter().map(documented);
            self.items.extend(items);
            self.names.extend(names);
            return made.root;
        }
        self.untyped.push(name.to_owned());
        ANY.to_owned()
    }
}

impl Types {
    /// Whether this code names one of the types.
    pub(super) fn are_in(&self, code: &str) -> bool {
        let is_part = |one: char| one.is_alphanumeric() || one == '_';
        code.split(|one| !is_part(one)).any(|name| self.names.contains(name))
    }

    /// Has the type derive `WorkflowInput`, and says whether it can: it is a struct with fields.
    pub(super) fn is_workflow_input(&mut self, name: &str) -> bool {
        let Some(Item::Struct(own)) =
            self.items.iter_mut().find(|item| name_of(item).as_deref() == Some(name))
        else {
            return false;
        };
        if !matches!(own.fields, syn::Fields::Named(_)) {
            return false;
        }
        let derive = own.attrs.iter_mut().find(|attribute| attribute.path().is_ident("derive"));
        if let Some(derive) = derive {
            *derive = parse_quote!(#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, WorkflowInput)]);
        }
        true
    }
}

/// What was made of one schema.
struct Made {
    items: Vec<Item>,
    /// The type of the whole, as code.
    root: String,
}

fn made(name: &str, schema: &Value) -> Option<Made> {
    let mut settings = TypeSpaceSettings::default();
    settings.with_map_type("::std::collections::BTreeMap");
    let mut space = TypeSpace::new(&settings);
    let RootSchema { schema, definitions, .. } = serde_json::from_value(reduced(schema, name)).ok()?;
    space.add_ref_types(definitions).ok()?;
    let root = space.add_type_with_name(&Schema::Object(schema), Some(name.to_owned())).ok()?;
    let root = plain(&space.get_type(&root).ok()?.ident().to_string());
    // An optional result is one of a step that may not have run, and `()` is no name of a type.
    if root.starts_with("Option <") || root.starts_with("()") {
        return None;
    }
    let text = plain(&space.to_stream().to_string());
    let items = syn::parse_str::<syn::File>(&text).ok()?.items.into_iter();
    let items = items.filter(|item| matches!(item, Item::Struct(_) | Item::Enum(_)));
    Some(Made { items: items.map(tidy).collect::<Option<_>>()?, root })
}

/// The code with the names of the prelude in the place of their paths.
fn plain(code: &str) -> String {
    const PATHS: [(&str, &str); 6] = [
        (":: std :: option :: Option", "Option"),
        (":: std :: string :: String", "String"),
        (":: std :: vec :: Vec", "Vec"),
        (":: std :: boxed :: Box", "Box"),
        ("::std::option::Option::is_none", "Option::is_none"),
        ("::std::vec::Vec::is_empty", "Vec::is_empty"),
    ];
    let code = PATHS.iter().fold(code.to_owned(), |code, (path, name)| code.replace(path, name));
    let code =
        code.replace(":: serde_json ::", "serde_json ::").replace("\"::serde_json::", "\"serde_json::");
    code.replace(":: std ::", "std ::").replace("\"::std::", "\"std::")
}

/// The type with the traits that Tasker asks for; `None` if it was to have them by code that is left out.
fn tidy(mut item: Item) -> Option<Item> {
    let (attributes, has_data) = match &mut item {
        Item::Struct(one) => (&mut one.attrs, false),
        Item::Enum(one) => {
            let has_data = one.variants.iter().any(|variant| !variant.fields.is_empty());
            (&mut one.attrs, has_data)
        }
        _ => return None,
    };
    let derive = attributes.iter_mut().find(|attribute| attribute.path().is_ident("derive"))?;
    let Meta::List(list) = &derive.meta else { return None };
    let derived = list.tokens.to_string();
    if !derived.contains(":: Deserialize") || !derived.contains(":: Serialize") {
        return None;
    }
    *derive = if derived.contains("Copy") {
        parse_quote!(#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)])
    } else {
        parse_quote!(#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)])
    };
    if let Item::Enum(_) = &item {
        let reason = "the names are those of the schema";
        let allowed: Attribute = if has_data {
            parse_quote!(#[allow(clippy::enum_variant_names, clippy::large_enum_variant, reason = #reason)])
        } else {
            parse_quote!(#[allow(clippy::enum_variant_names, reason = #reason)])
        };
        attributes_of(&mut item)?.push(allowed);
    }
    Some(item)
}

/// The type with a sentence in the place of its mere name.
fn documented(mut item: Item, sentence: &str) -> Item {
    let Some(name) = name_of(&item) else { return item };
    let mere = format!("`{name}`");
    for attribute in attributes_of(&mut item).into_iter().flatten() {
        let Meta::NameValue(doc) = &attribute.meta else { continue };
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &doc.value else { continue };
        if doc.path.is_ident("doc") && text.value() == mere {
            let sentence = format!(" {sentence}");
            *attribute = parse_quote!(#[doc = #sentence]);
        }
    }
    item
}

fn name_of(item: &Item) -> Option<String> {
    match item {
        Item::Struct(one) => Some(one.ident.to_string()),
        Item::Enum(one) => Some(one.ident.to_string()),
        _ => None,
    }
}

fn attributes_of(item: &mut Item) -> Option<&mut Vec<Attribute>> {
    match item {
        Item::Struct(one) => Some(&mut one.attrs),
        Item::Enum(one) => Some(&mut one.attrs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_of_different_schemas_have_different_names() {
        let mut types = Types::default();
        let schema = json!({ "type": "object", "properties": { "b_result": { "enum": ["x"] } } });
        let other = json!({ "type": "object", "properties": { "c": { "type": "null" } } });
        assert_eq!(types.add("AResult", "One.", Some(&schema)), "AResult");
        assert_eq!(types.add("AResultBResult", "Another.", Some(&other)), "AResultBResult2");
        let names: Vec<_> = types.items.iter().filter_map(name_of).collect();
        assert_eq!(names, ["AResult", "AResultBResult", "AResultBResult2"]);
        assert!(types.untyped.is_empty());
    }

    #[test]
    fn values_that_are_no_objects_have_types_of_the_language() {
        for (schema, expected) in [
            (json!({ "type": "integer" }), "i64"),
            (json!({ "type": "string", "format": "uuid" }), "String"),
            (json!({ "type": "array", "items": { "type": "number" } }), "Vec < f64 >"),
            (json!({}), ANY),
            (json!(true), ANY),
        ] {
            assert_eq!(Types::default().add("AResult", "One.", Some(&schema)), expected);
        }
    }
}
