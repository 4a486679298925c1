//! The listed handlers, and the steps for which they are listed.

use crate::errors::Errors;
use crate::workflow::parse::Invocation;
use crate::workflow::template::Template;

/// A handler of the list.
pub(super) struct Listed {
    /// The entry.
    pub(super) entry: usize,
    /// The step in front of `=>`.
    pub(super) step: Option<usize>,
}

/// Finds the steps that are named. Reports those that the template does not have, and those named twice.
pub(super) fn resolve(invocation: &Invocation, template: &Template, errors: &mut Errors) -> Vec<Listed> {
    let steps = &template.loaded.template().steps;
    let mut listed: Vec<Listed> = Vec::new();
    for (entry, handler) in invocation.entries.iter().enumerate() {
        let Some((name, span)) = &handler.step else {
            listed.push(Listed { entry, step: None });
            continue;
        };
        let Some(step) = steps.iter().position(|step| step.name == *name) else {
            let names = steps.iter().map(|step| step.name.as_str());
            let near = tasker_template::nearest(name, names);
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let file = invocation.file.value();
            let message = format!("[TSK206] {file} has no step `{name}`{hint}");
            errors.push(syn::Error::new(*span, message));
            continue;
        };
        if listed.iter().any(|other| other.step == Some(step)) {
            let message = format!("[TSK206] step `{name}` has a handler already: list one for it");
            errors.push(syn::Error::new(*span, message));
            continue;
        }
        listed.push(Listed { entry, step: Some(step) });
    }
    listed
}
