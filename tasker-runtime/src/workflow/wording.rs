//! Parts of the messages of `workflow!`.

use crate::workflow::plan::{StepPlan, TemplateFacts};
use crate::workflow::text::{Text, is_same, slips};

/// No name is like the wanted one.
pub(super) const NOBODY: (usize, &str) = (usize::MAX, "");

/// Remembers the name if it is more like the wanted one.
pub(super) const fn consider<'a>(best: &mut (usize, &'a str), wanted: &str, name: &'a str) {
    if let Some(slips) = slips(wanted, name)
        && slips < best.0
    {
        *best = (slips, name);
    }
}

pub(super) const fn separate(text: &mut Text) {
    if !text.is_empty() {
        text.push("\n");
    }
}

pub(super) const fn help(first: &str, text: &mut Text) {
    text.push("\n  help: ");
    text.push(first);
}

/// The line of a step in the template, as a place.
pub(super) const fn place(template: &TemplateFacts, step: &StepPlan, text: &mut Text) {
    text.push(" (");
    text.push(template.file);
    text.push(":");
    text.number(step.line);
    text.push(")");
}

/// A callable, with its method unless that is the usual one.
pub(super) const fn key(callable: &str, method: &str, text: &mut Text) {
    text.quote(callable);
    if !is_same(method, tasker_template::DEFAULT_METHOD) {
        text.push(" with the method ");
        text.quote(method);
    }
}

/// The callable's line of the template, as the compiler draws lines.
pub(super) const fn draw(template: &TemplateFacts, step: &StepPlan, text: &mut Text) {
    let (line, column) = step.place;
    let width = line.ilog10() + 1;
    text.push("\n");
    text.spaces(width);
    text.push("--> ");
    text.push(template.file);
    text.push(":");
    text.number(line);
    text.push(":");
    text.number(column);
    text.push("\n");
    text.spaces(width);
    text.push(" |\n");
    text.number(line);
    text.push(" | ");
    text.push(step.source);
    text.push("\n");
    text.spaces(width);
    text.push(" | ");
    text.spaces(step.mark.0);
    let mut left = step.mark.1;
    while left > 0 {
        text.push("^");
        left -= 1;
    }
}
