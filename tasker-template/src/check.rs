//! The rules for the graph of a template's steps.

use std::collections::{HashMap, HashSet};

use crate::diagnostic::Code;
use crate::fields::{Report, did_you_mean};
use crate::plan::cycles;
use crate::read::Places;
use crate::template::{StepType, TaskTemplate};

/// Reports all faults of the graph.
pub(crate) fn graph(template: &TaskTemplate, places: &Places, report: &mut Report<'_>) {
    if template.steps.is_empty() {
        report.error(places.template, Code::NoSteps, "the template has no steps");
        return;
    }
    let mut index_of = HashMap::new();
    for (index, step) in template.steps.iter().enumerate().filter(|(_, step)| !step.name.is_empty()) {
        if let Some(first) = index_of.insert(step.name.as_str(), index) {
            let line = places.steps[first].name.line;
            let message = format!("a second step is called `{}`; the first is at line {line}", step.name);
            report.error(places.steps[index].name, Code::DuplicateStepName, message);
            index_of.insert(&step.name, first);
        }
    }
    let mut parents = vec![Vec::new(); template.steps.len()];
    for (index, step) in template.steps.iter().enumerate() {
        let place = &places.steps[index];
        let mut seen = HashSet::new();
        for (dependency, span) in step.dependencies.iter().zip(&place.dependencies) {
            if *dependency == step.name {
                report.error(*span, Code::SelfDependency, format!("step `{}` depends on itself", step.name));
            } else if !seen.insert(dependency) {
                let message = format!("step `{}` names the dependency `{dependency}` twice", step.name);
                report.warning(*span, Code::DuplicateKey, message);
            } else if let Some(parent) = index_of.get(dependency.as_str()) {
                parents[index].push(*parent);
            } else {
                let names = template.steps.iter().map(|other| other.name.as_str());
                let near = report.names.nearest(dependency, names.filter(|name| *name != step.name));
                let message = format!(
                    "step `{}` depends on `{dependency}`, but the template has no such step",
                    step.name
                );
                report.error_with(*span, Code::MissingDepRef, message, near.map(did_you_mean));
            }
        }
        step_type(template, index, places, report);
    }
    for cycle in cycles(&parents) {
        // Listed in the direction of the work: each step waits for the one before it.
        let first = cycle[0];
        let mut path: Vec<_> =
            cycle.iter().map(|index| format!("`{}`", template.steps[*index].name)).collect();
        path.push(path[0].clone());
        let message = format!("steps wait for each other: {}", path.join(" -> "));
        report.error(places.steps[first].name, Code::CycleDetected, message);
    }
    orphans(template, &parents, places, report);
}

fn step_type(template: &TaskTemplate, index: usize, places: &Places, report: &mut Report<'_>) {
    let step = &template.steps[index];
    let fault = match step.step_type {
        StepType::Decision if step.dependencies.is_empty() => "is a decision, and must depend on a step",
        StepType::BatchWorker if step.batch_config.is_none() => {
            "is a batch worker, and must have a `batch_config`"
        }
        _ => return,
    };
    report.error(places.steps[index].name, Code::StepType, format!("step `{}` {fault}", step.name));
}

fn orphans(template: &TaskTemplate, parents: &[Vec<usize>], places: &Places, report: &mut Report<'_>) {
    let mut has_dependent = vec![false; template.steps.len()];
    parents.iter().flatten().for_each(|parent| has_dependent[*parent] = true);
    let has_edges = parents.iter().any(|parents| !parents.is_empty());
    for (index, step) in template.steps.iter().enumerate().filter(|_| has_edges) {
        let alone = step.dependencies.is_empty() && !has_dependent[index];
        if alone {
            let message = format!("step `{}` has no dependency, and no step depends on it", step.name);
            report.warning(places.steps[index].name, Code::OrphanStep, message);
        }
    }
}
