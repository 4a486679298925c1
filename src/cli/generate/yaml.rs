//! The YAML of a template for handlers: what they need, and nothing that is the default.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use tasker_runtime::handler::HandlerInfo;
use tasker_template::nearest;

/// What a template begins with.
#[derive(Debug)]
pub(super) struct Heading<'a> {
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
}

/// Why there is no template for the handlers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoTemplate {
    /// Somebody asked for a handler that is not there.
    Unknown { wanted: String, near: Option<String> },
    /// A handler reads a step by a name that no handler has.
    Unread { handler: String, step: String },
    /// Two handlers would run the steps of one name.
    SameName { step: String, one: String, other: String },
}

impl NoTemplate {
    /// Whether the arguments are wrong, and not the handlers.
    pub(super) fn is_usage(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }
}

impl fmt::Display for NoTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { wanted, near } => {
                write!(f, "this program has no handler `{wanted}`")?;
                near.as_ref().map_or(Ok(()), |near| write!(f, "; did you mean `{near}`?"))
            }
            Self::Unread { handler, step } => write!(
                f,
                "{handler} reads step `{step}`, and no function of a handler has this name; name the handler \
                 instead: `#[depends_on(handler, step = \"{step}\")]`"
            ),
            Self::SameName { step, one, other } => write!(
                f,
                "both {one} and {other} would run step `{step}`; name one of them, and the template has \
                 it alone"
            ),
        }
    }
}

/// A step of the template.
struct Step<'h> {
    name: &'h str,
    handler: &'h HandlerInfo,
}

/// The template for the handlers that are `wanted` by their functions or callables, or for all.
pub(super) fn template(
    heading: &Heading<'_>,
    handlers: &[HandlerInfo],
    wanted: &[String],
) -> Result<String, NoTemplate> {
    let all: Vec<Step<'_>> = handlers.iter().flat_map(|handler| steps(handler, handlers)).collect();
    let mut taken = BTreeSet::new();
    for wanted in wanted {
        let fits = |step: &Step<'_>| {
            [step.name, &step.handler.name, &step.handler.callable].contains(&wanted.as_str())
        };
        let before = taken.len();
        taken.extend((0..all.len()).filter(|index| fits(&all[*index])));
        if taken.len() == before && !all.iter().any(fits) {
            let names = handlers.iter().flat_map(|one| [one.name.as_str(), one.callable.as_str()]);
            let near = nearest(wanted, names).map(str::to_owned);
            return Err(NoTemplate::Unknown { wanted: wanted.clone(), near });
        }
    }
    if wanted.is_empty() {
        taken.extend(0..all.len());
    }
    let mut open: Vec<usize> = taken.iter().copied().collect();
    while let Some(step) = open.pop() {
        for read in dependencies(&all, &all[step])? {
            if taken.insert(read) {
                open.push(read);
            }
        }
    }
    let taken: Vec<&Step<'_>> = taken.into_iter().map(|index| &all[index]).collect();
    for (index, step) in taken.iter().enumerate() {
        if let Some(other) = taken[..index].iter().find(|other| other.name == step.name) {
            let (step, one, other) =
                (step.name.to_owned(), described(other.handler), described(step.handler));
            return Err(NoTemplate::SameName { step, one, other });
        }
    }
    written(heading, &all, &taken)
}

/// The steps that a handler runs: those by whose names others read its results, or else one of its own name.
fn steps<'h>(handler: &'h HandlerInfo, handlers: &'h [HandlerInfo]) -> Vec<Step<'h>> {
    let read = handlers.iter().flat_map(|one| one.depends_on.unwrap_or_default());
    let by_path = read.filter(|read| read.handler == Some((&handler.callable, &handler.method)));
    let mut names: Vec<&'h str> = by_path.map(|read| read.step).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        names.push(&handler.name);
    }
    names.into_iter().map(|name| Step { name, handler }).collect()
}

/// The steps, by their places, whose results the handler of a step reads.
fn dependencies(all: &[Step<'_>], step: &Step<'_>) -> Result<Vec<usize>, NoTemplate> {
    let mut found = Vec::new();
    for read in step.handler.depends_on.unwrap_or_default() {
        let fits = |one: &Step<'_>| {
            let handler = (one.handler.callable.as_str(), one.handler.method.as_str());
            one.name == read.step && read.handler.is_none_or(|wanted| wanted == handler)
        };
        match all.iter().position(fits) {
            Some(index) => found.push(index),
            // An optional result may be that of a step which the template does not have.
            None if read.optional => {}
            None => {
                let (handler, step) = (described(step.handler), read.step.to_owned());
                return Err(NoTemplate::Unread { handler, step });
            }
        }
    }
    Ok(found)
}

fn written(heading: &Heading<'_>, all: &[Step<'_>], steps: &[&Step<'_>]) -> Result<String, NoTemplate> {
    let Heading { name, namespace } = heading;
    let mut yaml =
        format!("name: {}\nnamespace_name: {}\nversion: 1.0.0\nsteps:\n", scalar(name), scalar(namespace));
    for step in steps {
        let HandlerInfo { callable, method, .. } = step.handler;
        let method = if method == tasker_template::DEFAULT_METHOD {
            String::new()
        } else {
            format!(", method: {}", scalar(method))
        };
        let own = dependencies(all, step)?;
        let own: Vec<String> = own.into_iter().map(|index| scalar(all[index].name)).collect();
        let dependencies = match own.as_slice() {
            [] => String::new(),
            own => format!("    dependencies: [{}]\n", own.join(", ")),
        };
        write!(
            yaml,
            "  - name: {}\n    handler: {{callable: {}{method}}}\n{dependencies}",
            scalar(step.name),
            scalar(callable)
        )
        .expect("a text takes all");
    }
    Ok(yaml)
}

fn described(handler: &HandlerInfo) -> String {
    match handler.location {
        Some(place) => format!("handler `{}` ({place})", handler.name),
        None => format!("handler `{}`", handler.name),
    }
}

/// A text as a scalar: in quotes, unless nobody could take it for anything else.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 8] = ["null", "true", "false", "yes", "no", "on", "off", "y"];
    let is_word = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|one| one.is_ascii_alphanumeric() || one == '_')
        && text.len() > 1
        && !WORDS.contains(&text.to_lowercase().as_str());
    // A text in JSON is one in YAML.
    if is_word { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
