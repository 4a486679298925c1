//! The template of a workflow: read, checked, and kept for the next expansion.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tasker_template::{Code, Diagnostic, Diagnostics, LoadedTemplate, Severity, name_hash};

use crate::errors::Errors;
use crate::workflow::file;
use crate::workflow::parse::Invocation;

/// A template without mistakes.
pub(super) struct Template {
    /// Where its file is.
    pub(super) path: PathBuf,
    pub(super) loaded: Arc<LoadedTemplate>,
}

/// Reads the template. Reports its faults, one error each, and then returns `None`.
pub(super) fn read(invocation: &Invocation, errors: &mut Errors) -> Option<Template> {
    let (literal, written) = (&invocation.file, invocation.file.value());
    let file = match file::read(&written, literal.span()) {
        Ok(file) => file,
        Err(message) => {
            errors.on(literal, message);
            return None;
        }
    };
    let loaded = cached(&written, &file.text);
    let faults = match &loaded {
        Ok(loaded) => loaded.warnings(),
        Err(faults) => faults,
    };
    report(faults, invocation, errors);
    let not_run = loaded.as_ref().map(|loaded| loaded.steps_not_run()).unwrap_or_default();
    report(&not_run, invocation, errors);
    let is_usable = not_run.is_empty() && !faults.iter().any(is_mistake);
    Some(Template { path: file.path, loaded: loaded.ok()? }).filter(|_| is_usable)
}

/// What the compiler is told of a template's faults: errors, and slips that are most likely mistakes. Others, such
/// as keys of other programs, are left to `tasker validate`.
fn report(faults: &Diagnostics, invocation: &Invocation, errors: &mut Errors) {
    for fault in faults.iter().filter(|fault| is_mistake(fault)) {
        errors.on(&invocation.file, drawn(fault));
    }
    if let Some(rest) = faults.rest().filter(|_| faults.has_errors()) {
        errors.on(&invocation.file, rest);
    }
}

fn is_mistake(fault: &Diagnostic) -> bool {
    let is_slip = fault.code == Code::UnknownKey && fault.suggestion.is_some();
    fault.severity == Severity::Error || is_slip
}

/// The fault with its line, as it is drawn everywhere else; the compiler writes `error: ` itself.
fn drawn(fault: &Diagnostic) -> String {
    let drawn = fault.render(false);
    let text = ["error", "warning"].into_iter().find_map(|level| drawn.strip_prefix(level));
    text.unwrap_or(&drawn).trim_start_matches(": ").replacen("]: ", "] ", 1)
}

type Cache = HashMap<(String, u64), Result<Arc<LoadedTemplate>, Diagnostics>>;

/// The number of templates that are kept.
const KEPT: usize = 256;

/// A language server expands macros in a process that lives long, and again with each key that is pressed: a
/// template that has not changed is read once.
static CACHE: Mutex<Option<Cache>> = Mutex::new(None);

fn cached(name: &str, text: &str) -> Result<Arc<LoadedTemplate>, Diagnostics> {
    let key = (name.to_owned(), name_hash(&[text]));
    let mut guard = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    let cache = guard.get_or_insert_default();
    if let Some(known) = cache.get(&key) {
        return known.clone();
    }
    if cache.len() >= KEPT {
        cache.clear();
    }
    let loaded = tasker_template::load_str(name, text).map(Arc::new);
    cache.insert(key, loaded.clone());
    loaded
}
