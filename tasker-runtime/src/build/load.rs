//! Reads templates, and checks what concerns all of them together: names, namespaces, environments, states.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use tasker_template::{
    Diagnostics, LoadedTemplate, Source, TemplateDraft, nearest, read_file, read_str, template_files,
};

use crate::build::bind;
use crate::build::builder::TemplateSource;
use crate::build::fault::BuildFault;
use crate::build::registry::Registry;
use crate::handler::States;

/// Reads all templates. A file that is given several times, by whatever name, is read once.
pub(super) fn read(
    sources: &[TemplateSource],
    faults: &mut Vec<BuildFault>,
) -> Vec<Result<TemplateDraft, Diagnostics>> {
    let mut seen = BTreeSet::new();
    let mut is_new = |path: &PathBuf| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone()));
    let mut results = Vec::new();
    for source in sources {
        let files = match source {
            TemplateSource::Text(name, text) | TemplateSource::Workflow(name, text) => {
                results.push(read_str(name, text));
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
        results.extend(files.into_iter().filter(|path| is_new(path)).map(read_file));
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
    let results = read(sources, faults);
    let preferred = sources.iter().find_map(|source| match source {
        TemplateSource::Preferred(path) => Some(path.display().to_string()),
        _ => None,
    });
    // The template of a workflow is also a file, which may be given besides.
    let is_of_a_workflow = |one: &Source| {
        let is_this = |source: &TemplateSource| match source {
            TemplateSource::Workflow(name, text) => name == one.name() && text == one.text(),
            _ => false,
        };
        sources.iter().any(is_this)
    };
    let mut loaded: Vec<LoadedTemplate> = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for result in results {
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
                let template = one.template();
                let key = format!("{}/{}/{}", template.namespace, template.name, template.version);
                let second = one.source().name().to_owned();
                match seen.get(&key).map(|index| &mut loaded[*index]) {
                    Some(first)
                        if first.source().text() == one.source().text()
                            && is_of_a_workflow(first.source()) =>
                    {
                        // A second file of this text is one too many.
                        *first = one;
                    }
                    Some(first) if preferred.as_deref() == Some(first.source().name()) => {}
                    Some(first) => {
                        let first = first.source().name().to_owned();
                        faults.push(BuildFault::DuplicateTemplate { template: key, first, second });
                    }
                    None => {
                        seen.insert(key, loaded.len());
                        loaded.push(one);
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
            missing.insert((handler.described(), requirement.name, states.instead_of(*requirement)));
        }
    }
    let fault = |(handler, state, hint)| BuildFault::MissingState { handler, state, hint };
    faults.extend(missing.into_iter().map(fault));
}
