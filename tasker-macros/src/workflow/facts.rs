//! The code that depends on the template alone.
//!
//! It is written as text, which the compiler reads: for a template of hundreds of steps that takes a fraction of
//! the time that making each token here takes, for macros are most often compiled without optimization.

use std::fmt::Write as _;

use tasker_template::{
    Plan, StepIndex, StepTemplate, TaskTemplate, camel_case_names, name_hash, snake_case_names,
};

use crate::workflow::template::Template;

/// The code of a workflow's module that depends on the template alone, as Rust.
pub(super) struct Facts {
    /// In the module: what is known of the template, the results and the steps.
    pub(super) module: String,
    /// Beside the module: how the results of a task are read.
    pub(super) beside: String,
}

/// Writes the code. `module` is the name of the workflow's module.
pub(super) fn facts(template: &Template, module: &str) -> Facts {
    let loaded = &template.loaded;
    let steps = &loaded.template().steps;
    let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    let (fields, variants) = (snake_case_names(names.clone()), camel_case_names(names.clone()));
    let mut facts = Facts { module: String::new(), beside: String::new() };
    let mut plans = String::new();
    let (mut types, mut results, mut list) = (String::new(), String::new(), String::new());
    let (mut to_name, mut from_name, mut read) = (String::new(), String::new(), String::new());
    for (index, step) in steps.iter().enumerate() {
        let (name, field, variant) = (&step.name, &fields[index], &variants[index]);
        let method = step.handler.method_name();
        let (key, hash) = (key(step), name_hash(&[name]));
        let (place, line) = (loaded.callable_span(index), loaded.step_span(index).line());
        let (source, mark) = loaded.source().excerpt(place);
        let (before, marked) = (source[..mark.start].chars().count(), source[mark].chars().count().max(1));
        let _ = write!(
            plans,
            "__w::StepPlan {{ name: {name:?}, hash: {hash}, line: {line}, callable: {:?}, \
             method: {method:?}, key: {key}, place: ({}, {}), source: {source:?}, mark: ({before}, {marked}), config: &{:?} }},",
            step.handler.callable,
            place.line(),
            place.column(),
            keys(loaded.template(), step),
        );
        let _ = write!(types, "pub struct {field};");
        let about = format!("The result of step `{name}`.");
        let _ =
            write!(results, "#[doc = {about:?}] pub {field}: <Handlers as __w::StepOutput<{hash}>>::Output,");
        // In one line, so that nothing in it is code to rustdoc.
        let about =
            step.description.as_deref().map(|about| about.split_whitespace().collect::<Vec<_>>().join(" "));
        let about = about.unwrap_or_else(|| format!("Step `{name}`."));
        let _ = write!(list, "#[doc = {about:?}] {variant},");
        let _ = write!(to_name, "Self::{variant} => {name:?},");
        let _ = write!(from_name, "{name:?} => {module}::Step::{variant},");
        let _ = write!(
            read,
            "{field}: <<__TaskerHandlers as __w::StepOutput<{hash}>>::Output as \
             __w::ReadBack<<__TaskerHandlers as __w::StepOutput<{hash}>>::Step>>::read_back(&task, {name:?})?,"
        );
    }
    let (mut by_name, mut by_key): (Vec<usize>, Vec<usize>) =
        ((0..steps.len()).collect(), (0..steps.len()).collect());
    by_name.sort_by_key(|step| name_hash(&[&steps[*step].name]));
    by_key.sort_by_key(|step| key(&steps[*step]));
    let ancestors: String = ancestors(loaded.plan()).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\x{byte:02x}");
        text
    });
    let file = loaded.source().name();
    let _ = write!(
        facts.module,
        "#[doc(hidden)] pub(super) mod steps {{ {types} }}
        #[doc(hidden)] pub(super) const TEMPLATE: __w::TemplateFacts = __w::TemplateFacts {{
            file: {file:?}, steps: &[{plans}], by_name: &{by_name:?}, by_key: &{by_key:?},
            ancestors: b\"{ancestors}\" }};
        /// The results of a task that is complete.
        pub struct Completed {{ {results} pub(super) __task: __w::Task }}
        /// The steps of the workflow.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Step {{ {list} }}
        impl Step {{
            /// The step's name in the template.
            pub fn name(self) -> &'static str {{ match self {{ {to_name} }} }}
        }}"
    );
    let _ = write!(
        facts.beside,
        "fn step(name: &str) -> ::core::option::Option<{module}::Step> {{
            ::core::option::Option::Some(match name {{ {from_name} _ => return ::core::option::Option::None }})
        }}
        fn completed(task: __w::Task) -> ::core::result::Result<{module}::Completed, __w::OutputError> {{
            ::core::result::Result::Ok({module}::Completed {{ {read} __task: task }})
        }}"
    );
    facts
}

/// The hash of the step's callable and method.
fn key(step: &StepTemplate) -> u64 {
    name_hash(&[&step.handler.callable, step.handler.method_name()])
}

/// The keys of a step's configuration, those of all environments included.
fn keys<'t>(template: &'t TaskTemplate, step: &'t StepTemplate) -> Vec<&'t str> {
    let changes = template.environments.iter().flat_map(|environment| &environment.steps);
    let own = changes.filter(|change| change.name == "ALL" || change.name == step.name);
    let all = own.map(|change| &change.initialization).chain([&step.handler.initialization]);
    all.flat_map(|values| values.keys().map(String::as_str)).collect()
}

/// A row of bits for each step: which steps are its ancestors.
fn ancestors(plan: &Plan) -> Vec<u8> {
    let row = plan.len().div_ceil(8);
    let mut rows = vec![0; row * plan.len()];
    for step in plan.order().iter().map(|step| *step as usize) {
        for parent in plan.parents(step as StepIndex) {
            let parent = *parent as usize;
            for byte in 0..row {
                rows[step * row + byte] |= rows[parent * row + byte];
            }
            rows[step * row + parent / 8] |= 1 << (parent % 8);
        }
    }
    rows
}
