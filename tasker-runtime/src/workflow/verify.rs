//! The checks of `workflow!` that need what handlers declare. They run while compiling: a fault is a panic in a
//! constant, whose message and place the compiler shows.

use crate::handler::Dependency;
use crate::workflow::configs;
use crate::workflow::plan::{ListedHandler, StepPlan, TemplateFacts, handler_of, runs};
use crate::workflow::text::{Text, is_same};
use crate::workflow::wording::{NOBODY, consider, draw, help, key, place, separate};

/// The listed handler of a step.
///
/// # Panics
///
/// When no listed handler has the step's callable.
#[must_use]
#[track_caller]
pub const fn bind(template: &TemplateFacts, handlers: &[ListedHandler], step: usize) -> usize {
    if let Some(index) = handler_of(template, handlers, step) {
        return index;
    }
    let mut index = 0;
    while index < handlers.len() {
        // It may be the one that is missing.
        if handlers[index].is_broken() {
            return index;
        }
        index += 1;
    }
    let mut text = Text::new();
    unbound(template, handlers, step, &mut text);
    report(&text);
    0
}

/// Checks one listed handler: that a step runs it, that it is the only one of its callable, and that the steps
/// whose results it reads are complete before its own.
///
/// # Panics
///
/// When something is wrong.
#[track_caller]
pub const fn check(template: &TemplateFacts, handlers: &[ListedHandler], handler: usize) {
    let mut text = Text::new();
    listing(template, handlers, handler, &mut text);
    if text.is_empty() {
        all_reads(template, handlers, handler, &mut text);
        configs::missing(template, &handlers[handler], &mut text);
    }
    report(&text);
}

/// What of the types that a handler takes can be compared: nothing is, where a name is wrong already.
pub(super) mod compared {
    /// No type is compared.
    pub(crate) const NONE: u8 = 0;
    /// What it must have; something that it may do without is not there.
    pub(crate) const REQUIRED: u8 = 1;
    /// All types are compared.
    pub(crate) const ALL: u8 = 2;
}

/// What of the types of the steps that a handler reads by name can be compared.
#[must_use]
pub const fn steps_to_compare(template: &TemplateFacts, handlers: &[ListedHandler], handler: usize) -> u8 {
    let mut text = Text::new();
    all_reads(template, handlers, handler, &mut text);
    if !text.is_empty() {
        return compared::NONE;
    }
    let depends_on = handlers[handler].depends_on;
    let (mut index, mut all) = (0, compared::ALL);
    while index < depends_on.len() {
        match template.index(depends_on[index].step) {
            Some(found) if handler_of(template, handlers, found).is_none() => return compared::NONE,
            // The handler of a path has been compared where the parameter is.
            None if depends_on[index].handler.is_none() => all = compared::REQUIRED,
            _ => {}
        }
        index += 1;
    }
    all
}

/// Checks that the workflow's input has the fields that a handler takes, but for those that it may do without.
///
/// # Panics
///
/// When a field is missing.
#[track_caller]
pub const fn check_fields(handler: &ListedHandler, input: &str, fields: &[&str]) {
    let mut text = Text::new();
    let mut index = 0;
    while index < handler.input_fields.len() {
        let wanted = handler.input_fields[index];
        if !contains(fields, wanted.name) && !wanted.optional {
            separate(&mut text);
            text.push("[TSK211] handler ");
            text.quote(handler.path);
            text.push(" takes the field ");
            text.quote(wanted.name);
            text.push(" of the task's context, which ");
            text.quote(input);
            text.push(" does not have");
            let mut best = NOBODY;
            let mut field = 0;
            while field < fields.len() {
                consider(&mut best, wanted.name, fields[field]);
                field += 1;
            }
            if best.0 < NOBODY.0 {
                text.push("; did you mean ");
                text.quote(best.1);
                text.push("?");
            }
        }
        index += 1;
    }
    report(&text);
}

/// What of the types of the fields that a handler takes can be compared.
#[must_use]
pub const fn fields_to_compare(handler: &ListedHandler, fields: &[&str]) -> u8 {
    let (mut index, mut all) = (0, compared::ALL);
    while index < handler.input_fields.len() {
        let wanted = handler.input_fields[index];
        if !contains(fields, wanted.name) {
            if !wanted.optional {
                return compared::NONE;
            }
            all = compared::REQUIRED;
        }
        index += 1;
    }
    all
}

#[track_caller]
const fn report(text: &Text) {
    if !text.is_empty() {
        panic!("{}", text.as_str());
    }
}

const fn contains(names: &[&str], wanted: &str) -> bool {
    let mut index = 0;
    while index < names.len() {
        if is_same(names[index], wanted) {
            return true;
        }
        index += 1;
    }
    false
}

/// The text of a step whose callable no listed handler has.
const fn unbound(template: &TemplateFacts, handlers: &[ListedHandler], step: usize, text: &mut Text) {
    let wanted = &template.steps[step];
    text.push("[TSK203] step ");
    text.quote(wanted.name);
    text.push(" runs the callable ");
    key(wanted.callable, wanted.method, text);
    text.push(", which no listed handler has");
    let (mut best, mut nearest) = (NOBODY, 0);
    let mut index = 0;
    while index < handlers.len() {
        let slips = best.0;
        let is_method = is_same(handlers[index].callable, wanted.callable);
        match is_method {
            true => consider(&mut best, wanted.method, handlers[index].method),
            false => consider(&mut best, wanted.callable, handlers[index].callable),
        }
        if best.0 < slips {
            nearest = index;
        }
        index += 1;
    }
    if best.0 < NOBODY.0 {
        text.push("; did you mean ");
        key(handlers[nearest].callable, handlers[nearest].method, text);
        text.push(", which ");
        text.quote(handlers[nearest].path);
        text.push(" has?");
    } else {
        text.push(": list the handler that has it");
    }
    draw(template, wanted, text);
}

/// Whether the handler is listed as it should be.
const fn listing(template: &TemplateFacts, handlers: &[ListedHandler], handler: usize, text: &mut Text) {
    let listed = &handlers[handler];
    if listed.is_broken() {
        return;
    }
    let mut other = 0;
    while other < handler {
        if handlers[other].key == listed.key && is_rival(listed, &handlers[other]) {
            text.push("[TSK205] two listed handlers have the callable ");
            key(listed.callable, listed.method, text);
            text.push(": ");
            text.quote(handlers[other].path);
            text.push(" and ");
            text.quote(listed.path);
            text.push("; list one of them, or give one another callable");
            return;
        }
        other += 1;
    }
    if let Some(step) = listed.step {
        let named = &template.steps[step];
        if !runs(listed, named) {
            text.push("[TSK206] step ");
            text.quote(named.name);
            text.push(" runs the callable ");
            key(named.callable, named.method, text);
            text.push(", and ");
            text.quote(listed.path);
            text.push(" has ");
            key(listed.callable, listed.method, text);
            text.push(": list the step's own handler, or change the callable");
            draw(template, named, text);
        }
        return;
    }
    if template.next_of(listed, None).is_some() {
        return;
    }
    // Only here, for it compares each step with each handler.
    let mut step = 0;
    while step < template.steps.len() {
        // A callable without a handler may be a misspelling of this one's; one error is enough.
        if handler_of(template, handlers, step).is_none() {
            return;
        }
        step += 1;
    }
    text.push("[TSK204] no step of ");
    text.push(template.file);
    text.push(" runs the callable ");
    key(listed.callable, listed.method, text);
    text.push(" of ");
    text.quote(listed.path);
    text.push(": add a step with it, or remove the handler from the list");
}

/// Whether the two have one callable, and are not one handler that is listed for each of several steps.
const fn is_rival(one: &ListedHandler, other: &ListedHandler) -> bool {
    let is_same_key =
        one.key == other.key && is_same(one.callable, other.callable) && is_same(one.method, other.method);
    let is_same_place = one.location.is_known()
        && one.location.line == other.location.line
        && is_same(one.location.file, other.location.file);
    let is_one = is_same_place || is_same(one.path, other.path);
    is_same_key && !(is_one && one.step.is_some() && other.step.is_some())
}

/// What is wrong with the steps that a handler reads, in each step that it is listed for.
const fn all_reads(template: &TemplateFacts, handlers: &[ListedHandler], handler: usize, text: &mut Text) {
    let listed = &handlers[handler];
    let mut next = template.next_of(listed, None);
    while let Some(step) = next {
        let mut dependency = 0;
        while dependency < listed.depends_on.len() {
            reads(template, handlers, handler, step, dependency, text);
            dependency += 1;
        }
        next = template.next_of(listed, Some(step));
    }
}

/// Whether a step whose result a handler reads is complete before the handler's step, and runs the handler that
/// was named.
const fn reads(
    template: &TemplateFacts,
    handlers: &[ListedHandler],
    handler: usize,
    step: usize,
    dependency: usize,
    text: &mut Text,
) {
    let (listed, own) = (&handlers[handler], &template.steps[step]);
    let read = &listed.depends_on[dependency];
    let Some(found) = template.index(read.step) else {
        if !read.optional {
            begin("TSK207", own, read, text);
            text.push(", which the template does not have");
            parameter(listed, read, text);
            missing(template, read, text);
        }
        return;
    };
    if found == step {
        begin("TSK208", own, read, text);
        text.push(", which is the step itself");
        parameter(listed, read, text);
        help("name the step whose result this is", text);
        return;
    }
    if template.is_ancestor(step, found) {
        begin("TSK208", own, read, text);
        text.push(", which waits for it");
        parameter(listed, read, text);
        help("read a step that is complete before, or change the `dependencies` of ", text);
        text.quote(read.step);
        place(template, &template.steps[found], text);
        return;
    }
    if !template.is_ancestor(found, step) {
        begin("TSK208", own, read, text);
        text.push(", which may not be complete by then");
        parameter(listed, read, text);
        help("add ", text);
        text.quote(read.step);
        text.push(" to the `dependencies` of step ");
        text.quote(own.name);
        place(template, own, text);
        return;
    }
    let Some((callable, method)) = read.handler else { return };
    let bound = &template.steps[found];
    let is_bound = is_same(bound.callable, callable) && is_same(bound.method, method);
    // A callable without a handler has been reported already.
    if is_bound || callable.is_empty() || handler_of(template, handlers, found).is_none() {
        return;
    }
    begin("TSK209", own, read, text);
    text.push(" as the result of the callable ");
    key(callable, method, text);
    text.push(", but that step runs ");
    key(bound.callable, bound.method, text);
    parameter(listed, read, text);
    match step_of(template, callable, method) {
        Some(name) => {
            help("the callable runs step ", text);
            text.quote(name);
            text.push(": write `step = \"");
            text.push(name);
            text.push("\"` behind the handler's path");
        }
        None => {
            help("run the callable there", text);
            place(template, bound, text);
            text.push(", or read the step by its name: `#[depends_on(\"");
            text.push(read.step);
            text.push("\")]`");
        }
    }
}

/// Which step reads which.
const fn begin(number: &str, own: &StepPlan, read: &Dependency, text: &mut Text) {
    separate(text);
    text.push("[");
    text.push(number);
    text.push("] step ");
    text.quote(own.name);
    text.push(" reads step ");
    text.quote(read.step);
}

/// Where it is read.
const fn parameter(listed: &ListedHandler, read: &Dependency, text: &mut Text) {
    text.push("\n  parameter ");
    text.quote(read.parameter);
    text.push(" of ");
    text.quote(listed.path);
    if listed.location.is_known() {
        text.push(" (");
        text.push(listed.location.file);
        text.push(":");
        text.number(listed.location.line);
        text.push(")");
    }
}

/// What was probably meant by a step that the template does not have.
const fn missing(template: &TemplateFacts, read: &Dependency, text: &mut Text) {
    if let Some((callable, method)) = read.handler
        && let Some(name) = step_of(template, callable, method)
    {
        help("the handler runs step ", text);
        text.quote(name);
        text.push(" there: write `step = \"");
        text.push(name);
        text.push("\"` behind its path");
        return;
    }
    let mut best = NOBODY;
    let mut index = 0;
    while index < template.steps.len() {
        consider(&mut best, read.step, template.steps[index].name);
        index += 1;
    }
    if best.0 < NOBODY.0 {
        help("did you mean ", text);
        text.quote(best.1);
        text.push("?");
    }
}

/// The step that runs this callable.
const fn step_of(template: &TemplateFacts, callable: &str, method: &str) -> Option<&'static str> {
    let mut index = 0;
    while index < template.steps.len() {
        let step = &template.steps[index];
        if is_same(step.callable, callable) && is_same(step.method, method) {
            return Some(step.name);
        }
        index += 1;
    }
    None
}
