//! What a schema says itself, without its `allOf` and alternatives: of any value, of numbers, texts and lists.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::contract::schema::GapKind;
use crate::contract::schema::document::{Draft, is_annotation};
use crate::contract::schema::exact;
use crate::contract::schema::types::Types;
use crate::contract::schema::walk::{Part, Walk, Within, short};

/// Keywords that are compared one by one, here or in `object` and `walk`.
const UNDERSTOOD: [&str; 32] = [
    "$ref",
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "contentEncoding",
    "contentMediaType",
    "contains",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "properties",
    "required",
    "type",
    "uniqueItems",
];

/// Keywords that refuse something wherever they stand.
const RULES: [&str; 5] = ["contentEncoding", "contentMediaType", "format", "multipleOf", "pattern"];

/// Keywords that mean what they do by what stands around them: being equal does not make them the same.
const BY_CONTEXT: [&str; 4] = ["$dynamicRef", "$recursiveRef", "unevaluatedItems", "unevaluatedProperties"];

impl<'s> Walk<'s> {
    /// Compares what the two say themselves.
    pub(super) fn compare_keywords(&mut self, narrow: &Part<'s>, wide: &Part<'s>, within: &Within) {
        let parts = [narrow, wide];
        let draft = wide.document.draft;
        let empty = Map::new();
        let (narrow_says, wide_says) =
            (narrow.keywords().unwrap_or(&empty), wide.keywords().unwrap_or(&empty));
        let values = value_sets(narrow_says, draft).into_iter().next();
        let of_values = values.as_ref().map(|(_, values)| Types::of_values(values.iter().copied(), draft));
        let declared = Types::of(narrow_says);
        let mut types = match (declared, of_values) {
            (Some(declared), Some(of_values)) => declared.both(of_values),
            (Some(declared), None) => declared,
            (None, _) => return self.differs(GapKind::Incomparable, within, "type", parts),
        };
        match Types::of(wide_says) {
            Some(allowed) if types.is_within(allowed) => {}
            Some(allowed) => {
                let texts = [types.to_string(), allowed.to_string()];
                self.gap(GapKind::Refused, within, "type", texts, parts);
                types = types.both(allowed);
            }
            None => self.differs(GapKind::Incomparable, within, "type", parts),
        }
        let listed_in = value_sets(wide_says, draft);
        for (keyword, allowed) in &listed_in {
            self.compare_values(values.as_ref().map(|(_, values)| values), keyword, allowed, parts, within);
        }
        if types.has(Types::NUMBER) {
            self.compare_numbers(parts, within);
        }
        if types.has(Types::STRING) {
            self.compare_counts(parts, within, ["minLength", "maxLength"]);
            self.must_be_same(parts, within, &["pattern", "format", "contentEncoding", "contentMediaType"]);
        }
        if types.has(Types::ARRAY) {
            self.compare_lists(narrow, wide, within);
        }
        if types.has(Types::OBJECT) {
            self.compare_objects(narrow, wide, within);
        }
        let is_by_values = |key: &str| key == "oneOf" && listed_in.iter().any(|(keyword, _)| *keyword == key);
        for key in wide_says.keys() {
            if UNDERSTOOD.contains(&key.as_str()) || is_annotation(key) || is_by_values(key) {
                continue;
            }
            if BY_CONTEXT.contains(&key.as_str()) {
                self.differs(GapKind::Incomparable, within, key, parts);
            } else {
                self.must_be_same(parts, within, &[key.as_str()]);
            }
        }
    }

    /// What cannot be compared is the same in both, or a gap.
    pub(super) fn must_be_same(&mut self, parts: [&Part<'s>; 2], within: &Within, keywords: &[&str]) {
        for keyword in keywords {
            let [accepts, refuses] = parts.map(|part| part.keyword(keyword));
            let Some(refuses) = refuses else { continue };
            if !accepts.is_some_and(|accepts| self.same(accepts, refuses)) {
                // What was free and is held to one of these is narrower, whatever they say.
                let is_new = accepts.is_none() && RULES.contains(keyword);
                let kind = if is_new { GapKind::Refused } else { GapKind::Incomparable };
                self.differs(kind, within, keyword, parts);
            }
        }
    }

    fn compare_values(
        &mut self,
        values: Option<&HashSet<&Value>>,
        keyword: &str,
        allowed: &HashSet<&Value>,
        parts: [&Part<'s>; 2],
        within: &Within,
    ) {
        let Some(values) = values else {
            return self.differs(GapKind::Refused, within, keyword, parts);
        };
        let mut refused: Vec<String> = values.difference(allowed).map(|value| short(value)).collect();
        refused.sort();
        if !refused.is_empty() {
            let texts = [format!("has {}", refused.join(", ")), "has not".to_owned()];
            self.gap(GapKind::Refused, within, keyword, texts, parts);
        }
    }

    fn compare_numbers(&mut self, parts: [&Part<'s>; 2], within: &Within) {
        for (inclusive, exclusive, outside) in [
            ("minimum", "exclusiveMinimum", Ordering::Less),
            ("maximum", "exclusiveMaximum", Ordering::Greater),
        ] {
            let [narrow, _] = parts;
            // Up to draft 4 it is a flag.
            let is_flag = parts.iter().any(|part| part.keyword(exclusive).is_some_and(Value::is_boolean));
            if is_flag {
                self.must_be_same(parts, within, &[inclusive, exclusive]);
                continue;
            }
            let bounds = [narrow.keyword(inclusive), narrow.keyword(exclusive)];
            for (keyword, or_equal) in [(inclusive, [true, true]), (exclusive, [false, true])] {
                let Some(wanted) = parts[1].keyword(keyword) else { continue };
                // A bound holds all values inside when it is inside itself, or equal and as strict.
                let order = |bound: Option<&Value>| bound.map(|bound| exact::compare(bound, wanted));
                let orders = bounds.map(order);
                let holds = orders.iter().zip(or_equal).any(|(order, or_equal)| match order {
                    Some(Some(Ordering::Equal)) => or_equal,
                    Some(Some(order)) => *order != outside,
                    Some(None) | None => false,
                });
                let is_unknown = orders.contains(&Some(None));
                if !holds {
                    let kind = if is_unknown { GapKind::Incomparable } else { GapKind::Refused };
                    let own = orders.iter().position(Option::is_some).map(|index| bounds[index]);
                    let text = own.flatten().map_or_else(|| "none".to_owned(), short);
                    self.gap(kind, within, keyword, [text, short(wanted)], parts);
                }
            }
        }
        self.must_be_same(parts, within, &["multipleOf"]);
    }

    /// Compares a smallest and a largest number of characters, items or fields.
    pub(super) fn compare_counts(&mut self, parts: [&Part<'s>; 2], within: &Within, [min, max]: [&str; 2]) {
        for (keyword, outside) in [(min, Ordering::Less), (max, Ordering::Greater)] {
            let [accepts, refuses] = parts.map(|part| part.keyword(keyword));
            let Some(refuses) = refuses else { continue };
            let order = accepts.map(|accepts| exact::compare(accepts, refuses));
            match order {
                Some(Some(order)) if order != outside => {}
                None if keyword == min && refuses.as_u64() == Some(0) => {}
                Some(None) => self.differs(GapKind::Incomparable, within, keyword, parts),
                _ => self.differs(GapKind::Refused, within, keyword, parts),
            }
        }
    }

    fn compare_lists(&mut self, narrow: &Part<'s>, wide: &Part<'s>, within: &Within) {
        let parts = [narrow, wide];
        self.compare_counts(parts, within, ["minItems", "maxItems"]);
        let [accepts, refuses] = parts.map(|part| part.keyword("uniqueItems"));
        if refuses == Some(&Value::Bool(true)) && accepts != refuses {
            self.differs(GapKind::Refused, within, "uniqueItems", parts);
        }
        // How many items must fit it is said beside it.
        if wide.keyword("contains").is_some() {
            self.must_be_same(parts, within, &["contains"]);
            for keyword in ["minContains", "maxContains"] {
                if narrow.keyword(keyword) != wide.keyword(keyword) {
                    self.differs(GapKind::Incomparable, within, keyword, parts);
                }
            }
        }
        const BY_PLACE: [&str; 3] = ["prefixItems", "items", "additionalItems"];
        let is_by_place = |part: &&Part<'s>| {
            let is_there = |keyword: &str| part.keyword(keyword).is_some();
            is_there("prefixItems")
                || is_there("additionalItems")
                || part.keyword("items").is_some_and(Value::is_array)
        };
        if parts.iter().any(is_by_place) {
            // Each keyword says which items the next one is about.
            for keyword in BY_PLACE {
                let [one, other] = parts.map(|part| part.keyword(keyword));
                let is_same = match (one, other) {
                    (Some(one), Some(other)) => self.same(one, other),
                    (one, other) => one.is_none() && other.is_none(),
                };
                if !is_same && BY_PLACE.iter().any(|keyword| wide.keyword(keyword).is_some()) {
                    return self.differs(GapKind::Incomparable, within, keyword, parts);
                }
            }
        } else if let Some(items) = wide.keyword("items") {
            let own = narrow.keyword("items").unwrap_or(&Value::Bool(true));
            self.compare(&narrow.child(own, &["items"]), &wide.child(items, &["items"]), &within.items());
        }
    }
}

/// The values that each keyword with a list of values allows: `enum`, `const`, and a `oneOf` of such.
fn value_sets(schema: &Map<String, Value>, draft: Draft) -> Vec<(&'static str, HashSet<&Value>)> {
    let mut sets = Vec::new();
    if let Some(Value::Array(values)) = schema.get("enum") {
        sets.push(("enum", values.iter().collect()));
    }
    if let Some(value) = schema.get("const").filter(|_| draft > Draft::Four) {
        sets.push(("const", HashSet::from([value])));
    }
    if let Some(Value::Array(branches)) = schema.get("oneOf").filter(|_| draft > Draft::Four) {
        let values: Vec<&Value> = branches.iter().map_while(only_value).collect();
        let distinct: HashSet<&Value> = values.iter().copied().collect();
        if values.len() == branches.len() && distinct.len() == values.len() {
            sets.push(("oneOf", distinct));
        }
    }
    sets
}

/// The one value that the schema allows. Not a number, for two numbers that are written differently can be equal.
fn only_value(schema: &Value) -> Option<&Value> {
    let value = schema.get("const")?;
    let is_plain = |key: &String| key == "const" || key == "type" || is_annotation(key);
    let keywords = schema.as_object()?;
    let fits = match value {
        Value::String(_) => Types::of(keywords)?.has(Types::STRING),
        Value::Bool(_) => Types::of(keywords)?.has(Types::BOOLEAN),
        _ => false,
    };
    (fits && keywords.keys().all(is_plain)).then_some(value)
}
