//! Reads templates, and checks what concerns all of them together: names, namespaces, environments, states.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use tasker_template::{
    Diagnostics, LoadedTemplate, TaskTemplate, TemplateDraft, nearest, read_file, read_str, template_files,
};

use crate::build::bind;
use crate::build::builder::TemplateSource;
use crate::build::fault::BuildFault;
use crate::build::registry::Registry;
use crate::handler::States;

/// Where a template comes from, as far as that decides which of two counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The file that a command was given.
    Preferred,
    /// A workflow's own template, which is a part of the program.
    Workflow,
    /// Any other file, or a text.
    Other,
}

/// Which of two templates counts.
#[derive(Debug, PartialEq, Eq)]
enum Counts {
    First,
    Second,
}

/// Which of two templates of one namespace, name and version counts; `None` when that is a fault.
fn which_counts(first: Kind, second: Kind, is_same_text: bool) -> Option<Counts> {
    match (first, second) {
        (Kind::Preferred, _) => Some(Counts::First),
        (_, Kind::Preferred) => Some(Counts::Second),
        // The template of a workflow is also a file, which may be given besides. A second file is one too many.
        (_, Kind::Workflow) if is_same_text => Some(Counts::First),
        (Kind::Workflow, Kind::Other) if is_same_text => Some(Counts::Second),
        _ => None,
    }
}

/// What a template is known by.
fn key(template: &TaskTemplate) -> String {
    format!("{}/{}/{}", template.namespace, template.name, template.version)
}

/// Reads all templates, each with its kind. A file that is given several times, by whatever name, is read once.
pub(super) fn read(
    sources: &[TemplateSource],
    faults: &mut Vec<BuildFault>,
) -> Vec<(Kind, Result<TemplateDraft, Diagnostics>)> {
    let mut seen = BTreeSet::new();
    let mut is_new = |path: &PathBuf| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone()));
    let mut results = Vec::new();
    for source in sources {
        let kind = match source {
            TemplateSource::Preferred(_) => Kind::Preferred,
            TemplateSource::Workflow(..) => Kind::Workflow,
            _ => Kind::Other,
        };
        let files = match source {
            TemplateSource::Text(name, text) | TemplateSource::Workflow(name, text) => {
                results.push((kind, read_str(name, text)));
                continue;
            }
            TemplateSource::File(path) | TemplateSource::Preferred(path) => vec![path.clone()],
            TemplateSource::Directory(directory) => match template_files(directory) {
                Ok(files) => files,
                Err(source) => {
                    let directory = directory.display().to_string();
                    faults.push(BuildFault::Directory { directory, source });
                    continue;
                }
            },
        };
        let new = files.into_iter().filter(|path| is_new(path));
        results.extend(new.map(|path| (kind, read_file(path))));
    }
    results
}

/// Reads all templates, and leaves out those in whose place another one counts. Where two exclude each other, both
/// are there.
pub(super) fn read_those_that_count(
    sources: &[TemplateSource],
    faults: &mut Vec<BuildFault>,
) -> Vec<Result<TemplateDraft, Diagnostics>> {
    let mut results: Vec<Result<TemplateDraft, Diagnostics>> = Vec::new();
    let mut seen: HashMap<String, (usize, Kind)> = HashMap::new();
    for (kind, result) in read(sources, faults) {
        let Ok(draft) = &result else {
            results.push(result);
            continue;
        };
        let next = (results.len(), kind);
        match seen.entry(key(draft.template())) {
            Entry::Vacant(entry) => {
                entry.insert(next);
                results.push(result);
            }
            Entry::Occupied(mut entry) => {
                let (index, first) = *entry.get();
                let is_same_text =
                    results[index].as_ref().is_ok_and(|first| first.source().text() == draft.source().text());
                match which_counts(first, kind, is_same_text) {
                    Some(Counts::First) => {}
                    Some(Counts::Second) => {
                        entry.insert((index, kind));
                        results[index] = result;
                    }
                    None => results.push(result),
                }
            }
        }
    }
    results
}

/// Reads and checks all templates. If a template has faults and its namespace `runs` here, its unknown
/// callables are reported together with these faults.
pub(super) fn load(
    sources: &[TemplateSource],
    registry: &Registry,
    runs: impl Fn(&str) -> bool,
    faults: &mut Vec<BuildFault>,
) -> Vec<LoadedTemplate> {
    let mut loaded: Vec<LoadedTemplate> = Vec::new();
    let mut seen: HashMap<String, (usize, Kind)> = HashMap::new();
    for (kind, result) in read(sources, faults) {
        let finished = result.and_then(|draft| {
            let mut callables = Diagnostics::default();
            if draft.faults().has_errors() && runs(&draft.template().namespace) {
                bind::check_callables(&draft, registry, &mut callables);
            }
            draft.finish().map_err(|mut diagnostics| {
                diagnostics.extend(callables);
                diagnostics
            })
        });
        match finished {
            Err(diagnostics) => faults.push(BuildFault::Templates(diagnostics)),
            Ok(one) => {
                let key = key(one.template());
                let Some((index, first_kind)) = seen.get(&key).copied() else {
                    seen.insert(key, (loaded.len(), kind));
                    loaded.push(one);
                    continue;
                };
                let first = loaded[index].source();
                match which_counts(first_kind, kind, first.text() == one.source().text()) {
                    Some(Counts::First) => {}
                    Some(Counts::Second) => {
                        seen.insert(key, (index, kind));
                        loaded[index] = one;
                    }
                    None => {
                        let (first, second) = (first.name().to_owned(), one.source().name().to_owned());
                        faults.push(BuildFault::DuplicateTemplate { template: key, first, second });
                    }
                }
            }
        }
    }
    loaded
}

/// Whether some templates could not be read, so that nothing can be said of what they do not have.
pub(super) fn is_incomplete(faults: &[BuildFault]) -> bool {
    faults.iter().any(|fault| matches!(fault, BuildFault::Templates(_) | BuildFault::Directory { .. }))
}

/// Reports served namespaces in which there is no template: a misspelt one would leave the worker idle.
/// Without templates nothing is reported.
pub(super) fn check_namespaces(
    loaded: &[LoadedTemplate],
    served: &BTreeSet<String>,
    faults: &mut Vec<BuildFault>,
) {
    let known: BTreeSet<&str> = loaded.iter().map(|one| one.template().namespace.as_str()).collect();
    if known.is_empty() {
        return;
    }
    for namespace in served.iter().filter(|namespace| !known.contains(namespace.as_str())) {
        let hint = match nearest(namespace, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are: {}", known.iter().copied().collect::<Vec<_>>().join(", ")),
        };
        faults.push(BuildFault::UnknownNamespace { namespace: namespace.clone(), hint });
    }
}

/// Reports an environment that no template has: a misspelt one would change nothing. Without templates nothing
/// is reported.
pub(super) fn check_environment(loaded: &[LoadedTemplate], environment: &str, faults: &mut Vec<BuildFault>) {
    let environments = loaded.iter().flat_map(|one| &one.template().environments);
    let known: BTreeSet<&str> = environments.map(|one| one.name.as_str()).collect();
    if loaded.is_empty() || known.contains(environment) {
        return;
    }
    let hint = match nearest(environment, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "none of them has `environments`".to_owned(),
        None => format!("there are: {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    };
    faults.push(BuildFault::UnknownEnvironment { environment: environment.to_owned(), hint });
}

/// Reports the missing states of the handlers that these templates use.
pub(super) fn check_states<'t>(
    loaded: impl Iterator<Item = &'t LoadedTemplate>,
    registry: &Registry,
    states: &States,
    faults: &mut Vec<BuildFault>,
) {
    let mut missing = BTreeSet::new();
    for step in loaded.flat_map(|one| &one.template().steps) {
        let Some(handler) = registry.get(&step.handler.callable, step.handler.method.as_deref()) else {
            continue;
        };
        for requirement in handler.requires.iter().filter(|requirement| !states.has(**requirement)) {
            let hint = states.instead_of(*requirement);
            missing.insert((handler.described(), requirement.name, requirement.or_shared, hint));
        }
    }
    let fault = |(handler, state, is_own, hint)| BuildFault::MissingState { handler, state, is_own, hint };
    faults.extend(missing.into_iter().map(fault));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_of_two_templates_counts() {
        use Counts::{First, Second};
        use Kind::{Other, Preferred, Workflow};
        for (first, second, same_text, another_text) in [
            (Preferred, Preferred, Some(First), Some(First)),
            (Preferred, Workflow, Some(First), Some(First)),
            (Preferred, Other, Some(First), Some(First)),
            (Workflow, Preferred, Some(Second), Some(Second)),
            (Workflow, Workflow, Some(First), None),
            (Workflow, Other, Some(Second), None),
            (Other, Preferred, Some(Second), Some(Second)),
            (Other, Workflow, Some(First), None),
            (Other, Other, None, None),
        ] {
            assert_eq!(which_counts(first, second, true), same_text, "{first:?} {second:?}");
            assert_eq!(which_counts(first, second, false), another_text, "{first:?} {second:?}");
        }
    }
}
