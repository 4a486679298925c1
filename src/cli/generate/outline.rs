//! The handlers that a template asks for: one for each callable, whatever number of steps it runs.

use serde_json::Value;
use tasker_template::{HandlerTemplate, StepTemplate, TaskTemplate};

use crate::cli::generate::names::{function_names, unraw};

/// A handler to be written.
#[derive(Debug)]
pub(super) struct Handler<'t> {
    /// The name of its function.
    pub(super) function: String,
    /// Its name in a template.
    pub(super) named: &'t HandlerTemplate,
    /// The steps that it runs; the first gave it its name.
    pub(super) steps: Vec<&'t StepTemplate>,
    /// The results that it reads: those that all of its steps wait for.
    pub(super) reads: Vec<Read<'t>>,
    /// The steps for which some of its steps wait, and others do not.
    pub(super) unread: Vec<&'t str>,
}

/// A result that a handler reads.
#[derive(Debug)]
pub(super) struct Read<'t> {
    /// The name of the parameter.
    pub(super) parameter: String,
    /// The step whose result it is.
    pub(super) step: &'t str,
    /// The handler of that step, by its place in the list.
    pub(super) handler: usize,
}

impl<'t> Handler<'t> {
    /// Whether the step is called as the macro calls it after the function, so that it need not be named.
    pub(super) fn is_called(&self, step: &str) -> bool {
        unraw(&self.function) == step
    }

    /// The schema of what it returns, if its steps have one and the same.
    pub(super) fn result_schema(&self) -> Option<&'t Value> {
        let first = self.steps[0].result_schema.as_ref();
        first.filter(|_| self.steps.iter().all(|step| step.result_schema.as_ref() == first))
    }
}

/// The handlers of a template, in the order of their first steps.
pub(super) fn handlers(template: &TaskTemplate) -> Vec<Handler<'_>> {
    // Each step has a name, for parameters; that of the first is the handler's.
    let names = function_names(template.steps.iter().map(|step| step.name.as_str()));
    let mut handlers: Vec<Handler<'_>> = Vec::new();
    let mut runs: Vec<usize> = Vec::new();
    for (step, name) in template.steps.iter().zip(&names) {
        let found = handlers.iter().position(|one| key(one.named) == key(&step.handler));
        runs.push(found.unwrap_or(handlers.len()));
        match found {
            Some(found) => handlers[found].steps.push(step),
            None => handlers.push(Handler {
                function: name.clone(),
                named: &step.handler,
                steps: vec![step],
                reads: Vec::new(),
                unread: Vec::new(),
            }),
        }
    }
    for handler in &mut handlers {
        for (index, step) in template.steps.iter().enumerate() {
            let waiting = handler.steps.iter().filter(|one| one.dependencies.contains(&step.name)).count();
            if waiting == handler.steps.len() {
                let (parameter, handler_of_step) = (names[index].clone(), runs[index]);
                handler.reads.push(Read { parameter, step: &step.name, handler: handler_of_step });
            } else if waiting > 0 {
                handler.unread.push(&step.name);
            }
        }
    }
    handlers
}

fn key(handler: &HandlerTemplate) -> (&str, &str) {
    (&handler.callable, handler.method_name())
}

#[cfg(test)]
mod tests {
    use tasker_template::load_str;

    use super::*;

    #[track_caller]
    fn check(steps: &str, expected: &[&str]) {
        let yaml = format!("{{name: t, namespace_name: n, version: 1, steps: [{steps}]}}");
        let template = load_str("t.yaml", &yaml).unwrap().into_template();
        let all = handlers(&template);
        let shown = all.iter().map(|one| {
            let reads: Vec<String> = one
                .reads
                .iter()
                .map(|read| format!("{}: {} of {}", read.parameter, read.step, all[read.handler].function))
                .collect();
            format!("{}({}) -{}", one.function, reads.join(", "), one.unread.join(","))
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn dependencies_become_parameters() {
        check(
            "{name: a, handler: {callable: A}}, {name: b-c, handler: {callable: B}, dependencies: [a]},
             {name: b_c, handler: {callable: C}, dependencies: [a, b-c]}",
            &["a() -", "b_c(a: a of a) -", "b_c_2(a: a of a, b_c: b-c of b_c) -"],
        );
    }

    #[test]
    fn steps_of_one_callable_have_one_handler_which_reads_what_all_of_them_wait_for() {
        check(
            "{name: a, handler: {callable: A}}, {name: b, handler: {callable: A}, dependencies: [a]},
             {name: c, handler: {callable: C}, dependencies: [b]},
             {name: d, handler: {callable: C}, dependencies: [b, a]}",
            &["a() -a", "c(b: b of a) -a"],
        );
    }

    #[test]
    fn methods_of_one_callable_are_handlers_of_their_own() {
        check(
            "{name: a, handler: {callable: A, method: call}}, {name: b, handler: {callable: A}},
             {name: match, handler: {callable: A, method: undo}, dependencies: [b]}",
            &["a() -", "r#match(b: b of a) -"],
        );
    }
}
