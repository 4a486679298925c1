//! What a schema says of the fields of an object.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::contract::schema::GapKind;
use crate::contract::schema::walk::{Part, Walk, Within};

/// The schema of fields that none is given for.
const ANY: &Value = &Value::Bool(true);

impl<'s> Walk<'s> {
    pub(super) fn compare_objects(&mut self, narrow: &Part<'s>, wide: &Part<'s>, within: &Within) {
        let parts = [narrow, wide];
        self.compare_counts(parts, within, ["minProperties", "maxProperties"]);
        let newly_required = self.compare_required(narrow, wide, within);
        let (narrow_fields, wide_fields) = (fields(narrow), fields(wide));
        let [narrow_others, wide_others] =
            parts.map(|part| part.keyword("additionalProperties").unwrap_or(ANY));
        let narrow_patterns = narrow.keyword("patternProperties").and_then(Value::as_object);
        if let Some(patterns) = wide.keyword("patternProperties") {
            let is_same = narrow.keyword("patternProperties").is_some_and(|own| self.same(own, patterns));
            if !is_same {
                return self.differs(GapKind::Incomparable, within, "patternProperties", parts);
            }
        }
        // Every field for which `wide` has a schema.
        for (name, wanted) in wide_fields {
            let wanted = wide.child(wanted, &["properties", name]);
            let within = within.field(name);
            match narrow_fields.get(name) {
                Some(own) => self.compare(&narrow.child(own, &["properties", name]), &wanted, &within),
                // It may be one that fits a pattern.
                None if narrow_patterns.is_some() => {
                    let own = narrow.child(ANY, &["patternProperties"]);
                    self.compare(&own, &wanted, &within);
                }
                None if accepts_all(narrow_others) && !must_have(narrow).contains(name.as_str()) => {
                    if !newly_required.contains(name.as_str()) && !accepts_all(wanted.schema) {
                        let texts = ["none", "has a schema"].map(str::to_owned);
                        self.gap(GapKind::Undeclared, &within, "properties", texts, [narrow, &wanted]);
                    }
                }
                None => {
                    let own = narrow.child(narrow_others, &["additionalProperties"]);
                    self.compare(&own, &wanted, &within);
                }
            }
        }
        // Every field for which only `narrow` has one.
        let others = || wide.child(wide_others, &["additionalProperties"]);
        for (name, own) in narrow_fields.iter().filter(|(name, _)| !wide_fields.contains_key(*name)) {
            let own = narrow.child(own, &["properties", name]);
            if wide_others == &Value::Bool(false) && own.schema != &Value::Bool(false) {
                let texts = ["allowed", "refused"].map(str::to_owned);
                let within = within.field(name);
                self.gap(GapKind::Refused, &within, "additionalProperties", texts, [&own, wide]);
            } else {
                self.compare(&own, &others(), &within.field(name));
            }
        }
        let any_other = within.field("*");
        if wide.keyword("patternProperties").is_none() {
            for (pattern, own) in narrow_patterns.into_iter().flatten() {
                let own = narrow.child(own, &["patternProperties", pattern]);
                self.compare(&own, &others(), &any_other);
            }
        }
        if wide_others == &Value::Bool(false) && narrow_others != wide_others {
            let texts = ["allowed", "refused"].map(str::to_owned);
            self.gap(GapKind::Refused, &any_other, "additionalProperties", texts, parts);
        } else {
            self.compare(&narrow.child(narrow_others, &["additionalProperties"]), &others(), &any_other);
        }
    }

    /// Compares the fields that an object must have. The answer has those that only `wide` insists on.
    fn compare_required(&mut self, narrow: &Part<'s>, wide: &Part<'s>, within: &Within) -> HashSet<&'s str> {
        let own = must_have(narrow);
        let mut missing: Vec<&str> = must_have(wide).difference(&own).copied().collect();
        missing.sort_unstable();
        for name in &missing {
            let texts = ["no", "yes"].map(str::to_owned);
            self.gap(GapKind::Refused, &within.field(name), "required", texts, [narrow, wide]);
        }
        // Up to draft 3 it is a flag of a field.
        if wide.keyword("required").is_some_and(|required| !required.is_array()) {
            self.must_be_same([narrow, wide], within, &["required"]);
        }
        missing.into_iter().collect()
    }
}

fn fields<'s>(part: &Part<'s>) -> &'s Map<String, Value> {
    static NONE: std::sync::OnceLock<Map<String, Value>> = std::sync::OnceLock::new();
    let fields = part.keyword("properties").and_then(Value::as_object);
    fields.unwrap_or_else(|| NONE.get_or_init(Map::new))
}

fn must_have<'s>(part: &Part<'s>) -> HashSet<&'s str> {
    let names = part.keyword("required").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    names.iter().filter_map(Value::as_str).collect()
}

fn accepts_all(schema: &Value) -> bool {
    *schema == Value::Bool(true) || schema.as_object().is_some_and(Map::is_empty)
}
