//! Changes of steps.

use serde_json::json;

use crate::contract::change::{Breaks, ChangeKind};
use crate::contract::head::changed_fields;
use crate::contract::schema_changes::{Of, Schemas};
use crate::contract::version::handler_key;
use crate::contract::{At, Comparison, escaped, quoted};
use crate::graph::StepIndex;
use crate::template::{HandlerTemplate, StepTemplate, StepType};

impl Comparison<'_, '_> {
    pub(super) fn compare_steps(&mut self) {
        let (before, after) = (self.before, self.after);
        let removed = self.pairs.removed.clone();
        for index in removed {
            self.removed(index, &before.steps()[index]);
        }
        let added = self.pairs.added.clone();
        for index in added {
            let step = &after.steps()[index];
            let waits = match step.dependencies.as_slice() {
                [] => "it starts with the task".to_owned(),
                names => format!("it runs after {}", quoted(names.iter().map(String::as_str))),
            };
            let message = format!("step `{}` is new; {waits}", step.name);
            self.add(ChangeKind::StepAdded, Breaks::NOTHING, &at_step(step, None, Some(index)), message);
        }
        let both = self.pairs.both.clone();
        for (old, new) in &both {
            self.compare_step(*old, *new, &before.steps()[*old], &after.steps()[*new]);
        }
        if !both.is_sorted_by_key(|(_, new)| *new) {
            let message = "the steps are in another order, which nothing goes by";
            self.add(ChangeKind::StepOrder, Breaks::NOTHING, &At::top("steps"), message);
        }
    }

    fn removed(&mut self, index: usize, step: &StepTemplate) {
        let breaks = Breaks { callers: true, tasks_in_flight: self.is_unused(&step.handler) };
        let handler =
            if breaks.tasks_in_flight { self.still_asked_for(&step.handler) } else { String::new() };
        let message =
            format!("step `{}` is gone, for those who read its result or name it{handler}", step.name);
        self.add(ChangeKind::StepRemoved, breaks, &at_step(step, Some(index), None), message);
    }

    /// Whether no step after has this handler, so that a program need not have it any more.
    fn is_unused(&self, handler: &HandlerTemplate) -> bool {
        !self.after.handlers().contains(&handler_key(handler))
    }

    fn still_asked_for(&self, handler: &HandlerTemplate) -> String {
        format!(
            "; tasks in flight ask for {}, which no step has any more: keep that handler until they end",
            named(handler)
        )
    }

    fn compare_step(&mut self, old_index: usize, new_index: usize, old: &StepTemplate, new: &StepTemplate) {
        let name = &new.name;
        let at = at_step(new, Some(old_index), Some(new_index));
        let is_read =
            StepIndex::try_from(new_index).is_ok_and(|index| !self.after.plan().dependents(index).is_empty());
        if old.name != new.name {
            let read = match is_read {
                true => format!(
                    "; handlers of later steps that read `{name}` fail in tasks in flight, which have `{}`",
                    old.name
                ),
                false => String::new(),
            };
            let message = format!(
                "step `{}` is called `{name}`: those who read its result or name it do not find it{read}",
                old.name
            );
            let breaks = Breaks { callers: true, tasks_in_flight: is_read };
            self.add(ChangeKind::StepRenamed, breaks, &at.key("name"), message);
        }
        if handler_key(&old.handler) != handler_key(&new.handler) {
            let is_unused = self.is_unused(&old.handler);
            let asked = if is_unused { self.still_asked_for(&old.handler) } else { String::new() };
            let message = format!(
                "step `{name}` is run by {}, and was by {}{asked}",
                named(&new.handler),
                named(&old.handler)
            );
            let breaks = Breaks { callers: false, tasks_in_flight: is_unused };
            let key = if old.handler.callable == new.handler.callable { "method" } else { "callable" };
            self.add(ChangeKind::Handler, breaks, &at.key("handler").key(key), message);
        }
        if old.step_type != new.step_type {
            let message = format!(
                "step `{name}` is of type `{}`, and was of type `{}`: its result means something else",
                type_name(new.step_type),
                type_name(old.step_type)
            );
            self.add(ChangeKind::StepType, Breaks::BOTH, &at.key("type"), message);
        }
        self.compare_dependencies(old_index, new_index, &at);
        self.compare_settings(old, new, "", &at);
        if old.result_schema != new.result_schema {
            let schemas = Schemas {
                before: old.result_schema.as_ref(),
                after: new.result_schema.as_ref(),
                without: json!({}),
                of: Of::Result { is_read },
                name: format!("`result_schema` of step `{name}`"),
            };
            self.compare_schemas(&schemas, &at.key("result_schema"));
        }
        let others = [
            (ChangeKind::Description, "description", old.description != new.description),
            (ChangeKind::Description, "system_dependency", old.system_dependency != new.system_dependency),
            (ChangeKind::Events, "publishes_events", old.publishes_events != new.publishes_events),
            (ChangeKind::BatchConfig, "batch_config", old.batch_config != new.batch_config),
        ];
        for (kind, key, _) in others.into_iter().filter(|(_, _, is_other)| *is_other) {
            let message = format!("`{key}` of step `{name}` is another, which nothing here acts upon");
            self.add(kind, Breaks::NOTHING, &at.key(key), message);
        }
    }

    /// Compares what an environment can override. Messages begin with `prefix`.
    pub(super) fn compare_settings(&mut self, old: &StepTemplate, new: &StepTemplate, prefix: &str, at: &At) {
        let name = &new.name;
        let (before, after) = (&old.handler.initialization, &new.handler.initialization);
        let on = at.key("handler").key("initialization");
        self.compare_initialization(before, after, (name, prefix), &on);
        if old.retry != new.retry {
            let changed = changed_fields(&json!(old.retry), &json!(new.retry));
            let message = format!("{prefix}`retry` of step `{name}`: {changed}");
            self.add(ChangeKind::Retry, Breaks::NOTHING, &at.key("retry"), message);
        }
        if old.timeout_seconds != new.timeout_seconds {
            let text =
                |seconds: Option<u32>| seconds.map_or("none".to_owned(), |seconds| seconds.to_string());
            let [was, is] = [old.timeout_seconds, new.timeout_seconds].map(text);
            let message = format!("{prefix}`timeout_seconds` of step `{name}`: {was} -> {is}");
            self.add(ChangeKind::Timeout, Breaks::NOTHING, &at.key("timeout_seconds"), message);
        }
    }

    fn compare_dependencies(&mut self, old_index: usize, new_index: usize, at: &At) {
        let (Ok(old), Ok(new)) = (StepIndex::try_from(old_index), StepIndex::try_from(new_index)) else {
            return;
        };
        let (before, after) = (self.before, self.after);
        let (parents_before, parents_after) = (before.plan().parents(old), after.plan().parents(new));
        let was = |index: StepIndex| {
            self.pairs.before(index as usize).and_then(|was| StepIndex::try_from(was).ok())
        };
        let (mut fresh, mut direct, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        for parent in parents_after {
            let name = after.steps()[*parent as usize].name.as_str();
            match was(*parent) {
                Some(was) if parents_before.contains(&was) => kept.push(was),
                Some(was) if before.plan().is_ancestor(was, old) => direct.push(name),
                _ => fresh.push(name),
            }
        }
        let lost: Vec<&str> = parents_before
            .iter()
            .filter(|parent| !kept.contains(parent))
            .map(|parent| before.steps()[*parent as usize].name.as_str())
            .collect();
        let name = after.steps()[new_index].name.as_str();
        let on = at.key("dependencies");
        if !fresh.is_empty() {
            let message = format!(
                "step `{name}` waits for {} too; if its handler reads that, it fails in tasks in flight, \
                 where the step did not wait for it",
                quoted(fresh)
            );
            self.add(ChangeKind::Dependencies, Breaks::TASKS_IN_FLIGHT, &on, message);
        }
        if !direct.is_empty() {
            let message = format!(
                "step `{name}` waits for {} too, for which it waited by way of others before",
                quoted(direct)
            );
            self.add(ChangeKind::Dependencies, Breaks::NOTHING, &on, message);
        }
        if !lost.is_empty() {
            let message = format!("step `{name}` does not wait for {} any more", quoted(lost));
            self.add(ChangeKind::Dependencies, Breaks::NOTHING, &on, message);
        }
    }
}

/// A step, where it stands in the templates that have it.
pub(super) fn at_step(step: &StepTemplate, before: Option<usize>, after: Option<usize>) -> At {
    let pointer = |index: usize| format!("/steps/{index}");
    At {
        path: format!("/steps/{}", escaped(&step.name)),
        before: before.map(pointer),
        after: after.map(pointer),
    }
}

fn named(handler: &HandlerTemplate) -> String {
    match &handler.method {
        Some(method) => format!("`{}` with method `{method}`", handler.callable),
        None => format!("`{}`", handler.callable),
    }
}

fn type_name(step_type: StepType) -> &'static str {
    StepType::NAMES.iter().find(|(_, one)| *one == step_type).map_or("standard", |(name, _)| name)
}
