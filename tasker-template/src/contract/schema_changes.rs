//! Changes of the schemas of contexts and results.

use serde_json::Value;

use crate::contract::change::{Breaks, ChangeKind};
use crate::contract::schema::{Gap, GapKind, schema_gaps};
use crate::contract::{At, Comparison};

/// What a schema is of, and so whom its changes break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// Contexts, which callers make, and the handlers of tasks in flight read.
    Input,
    /// Results, which the new handlers make and callers read. Those of tasks in flight are checked against the old
    /// schema, and where `is_read`, later steps have handlers that know the new one.
    Result { is_read: bool },
}

/// The two schemas of a context or of a step's results.
#[derive(Debug)]
pub(super) struct Schemas<'s> {
    pub(super) before: Option<&'s Value>,
    pub(super) after: Option<&'s Value>,
    /// What holds without a schema.
    pub(super) without: Value,
    pub(super) of: Of,
    /// What messages call it.
    pub(super) name: String,
}

/// A place where the two differ, from before to after.
#[derive(Debug, PartialEq)]
struct Difference {
    value: String,
    keyword: String,
    before: String,
    after: String,
    before_at: String,
    after_at: String,
    /// The new schema refuses, or may refuse, what the old one accepts.
    narrower: Option<GapKind>,
    /// The new schema accepts, or may accept, what the old one refuses.
    wider: Option<GapKind>,
}

impl Comparison<'_, '_> {
    /// Adds the changes of a schema, which stands at `at`.
    pub(super) fn compare_schemas(&mut self, schemas: &Schemas<'_>, at: &At) {
        let kind = if schemas.of == Of::Input { ChangeKind::InputSchema } else { ChangeKind::ResultSchema };
        let differences = differences(schemas);
        if differences.is_empty() {
            let message = format!("{} says the same in other words", schemas.name);
            self.add(kind, Breaks::NOTHING, at, message);
        }
        for one in differences {
            let breaks = breaks(schemas.of, &one);
            let place =
                |whole: &Option<String>, below: &str| whole.as_ref().map(|whole| format!("{whole}{below}"));
            let on = At {
                path: format!("{}{}", at.path, one.after_at),
                before: place(&at.before, &one.before_at),
                after: place(&at.after, &one.after_at),
            };
            self.add(kind, breaks, &on, sentence(schemas, &one));
        }
    }
}

/// All places where they differ, once each.
fn differences(schemas: &Schemas<'_>) -> Vec<Difference> {
    let or_without = |schema: Option<&Value>, other: Option<&Value>| match schema {
        Some(schema) => schema.clone(),
        // What is not there is of the same draft.
        None => {
            let mut without = schemas.without.clone();
            if let Some(draft) = other.and_then(|other| other.get("$schema")) {
                without["$schema"] = draft.clone();
            }
            without
        }
    };
    let before = or_without(schemas.before, schemas.after);
    let after = or_without(schemas.after, schemas.before);
    let mut all: Vec<Difference> = Vec::new();
    for gap in schema_gaps(&before, &after) {
        let Gap { kind, value, keyword, accepts, refuses, accepts_at, refuses_at } = gap;
        let (before, after, before_at, after_at) = (accepts, refuses, accepts_at, refuses_at);
        let narrower = Some(kind);
        all.push(Difference { value, keyword, before, after, before_at, after_at, narrower, wider: None });
    }
    for gap in schema_gaps(&after, &before) {
        let Gap { kind, value, keyword, accepts, refuses, accepts_at, refuses_at } = gap;
        let same = |one: &&mut Difference| {
            (&one.value, &one.keyword, &one.before, &one.after) == (&value, &keyword, &refuses, &accepts)
        };
        if let Some(known) = all.iter_mut().find(same) {
            known.wider = Some(kind);
            continue;
        }
        let (before, after, before_at, after_at) = (refuses, accepts, refuses_at, accepts_at);
        let wider = Some(kind);
        all.push(Difference { value, keyword, before, after, before_at, after_at, narrower: None, wider });
    }
    all
}

/// Whom a difference breaks. A field that was not declared breaks nobody: whoever has it did not go by the schema.
fn breaks(of: Of, one: &Difference) -> Breaks {
    let is_real = |gap: Option<GapKind>| gap.is_some_and(|kind| kind != GapKind::Undeclared);
    let (narrower, wider) = (is_real(one.narrower), is_real(one.wider));
    match of {
        Of::Input => Breaks { tasks_in_flight: narrower, callers: narrower },
        Of::Result { is_read } => Breaks { tasks_in_flight: wider || (narrower && is_read), callers: wider },
    }
}

fn sentence(schemas: &Schemas<'_>, one: &Difference) -> String {
    let Schemas { name, of, .. } = schemas;
    let whole = || if *of == Of::Input { "the context" } else { "the result" }.to_owned();
    let value = if one.value.is_empty() { whole() } else { format!("`{}`", one.value) };
    let (narrower, wider) = (one.narrower, one.wider);
    if (narrower, wider) == (Some(GapKind::Undeclared), None) {
        let values = if *of == Of::Input { "contexts" } else { "results" };
        return format!(
            "{name} declares {value}, and refuses only {values} that had it without being declared"
        );
    }
    if (narrower, wider) == (None, Some(GapKind::Undeclared)) {
        return format!("{name} no longer declares {value}, and leaves open what it is");
    }
    let difference = format!("{value}: `{}` {} -> {}", one.keyword, one.before, one.after);
    // What decides is the side that breaks somebody.
    let decides = match of {
        Of::Input => narrower.or(wider),
        Of::Result { .. } => wider.or(narrower),
    };
    if decides == Some(GapKind::Incomparable) {
        let counts = if breaks(*of, one).is_breaking() { ", which counts as breaking" } else { "" };
        return format!("{name} differs in what cannot be compared{counts}: {difference}");
    }
    let (verb, reason) = match (of, narrower, wider) {
        (Of::Input, Some(_), _) => (
            "refuses contexts that it accepted",
            "; handlers that rely on it fail in tasks in flight, whose contexts were not held to it",
        ),
        (Of::Input, None, _) => ("accepts contexts that it refused", ""),
        (Of::Result { .. }, _, Some(_)) => (
            "allows results that it refused",
            "; readers do not expect them, and in tasks in flight the old schema refuses them",
        ),
        (Of::Result { is_read: true }, _, None) => (
            "refuses results that it allowed",
            "; tasks in flight may have such a result, and handlers of later steps read it",
        ),
        (Of::Result { is_read: false }, _, None) => ("refuses results that it allowed", ""),
    };
    format!("{name} {verb}: {difference}{reason}")
}
