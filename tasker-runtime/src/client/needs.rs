//! Who needs the result of a step, as far as this program's handlers tell.

use tasker_template::StepIndex;

use crate::build::bind::BoundTemplate;
use crate::client::operate::downstream;

/// The steps that would go without the result of a step.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// Their handlers fail without it.
    pub(crate) needed_by: Vec<String>,
    /// They depend on the step, and nobody here knows whether they read its result.
    pub(crate) unknown: Vec<String>,
}

/// What a handler does with a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Needs,
    MayRead,
    Unknown,
    Nothing,
}

impl Needs {
    /// Whether no step goes without anything that it may need.
    pub(crate) fn is_nothing(&self) -> bool {
        self.needed_by.is_empty() && self.unknown.is_empty()
    }
}

/// Who needs the result of `step`, of those steps that are not done.
pub(crate) fn of(bound: &BoundTemplate, step: StepIndex, is_done: impl Fn(StepIndex) -> bool) -> Needs {
    let mut needs = Needs::default();
    for reader in downstream(bound, &[step]).into_iter().filter(|reader| !is_done(*reader)) {
        let name = || bound.template.steps[reader as usize].name.clone();
        match used_by(bound, step, reader) {
            Use::Needs => needs.needed_by.push(name()),
            // A step further down that nothing is known of is unlikely to read it.
            Use::Unknown if bound.plan.parents(reader).contains(&step) => needs.unknown.push(name()),
            _ => {}
        }
    }
    needs
}

/// The steps that read the result of `step`, or may.
pub(crate) fn readers(bound: &BoundTemplate, step: StepIndex) -> Vec<StepIndex> {
    let mut readers = downstream(bound, &[step]);
    readers.retain(|reader| used_by(bound, step, *reader) != Use::Nothing);
    readers
}

fn used_by(bound: &BoundTemplate, step: StepIndex, reader: StepIndex) -> Use {
    let Some(handler) = &bound.steps[reader as usize].handler else { return Use::Unknown };
    let Some(declared) = handler.depends_on else { return Use::Unknown };
    let name = &bound.template.steps[step as usize].name;
    let reads: Vec<bool> = declared.iter().filter(|one| one.step == name).map(|one| one.optional).collect();
    match &reads[..] {
        [] => Use::Nothing,
        optional if optional.iter().all(|optional| *optional) => Use::MayRead,
        _ => Use::Needs,
    }
}
