//! Changes of the overrides of environments.

use std::collections::HashSet;

use crate::contract::change::{Breaks, ChangeKind};
use crate::contract::steps::at_step;
use crate::contract::{At, Comparison};
use crate::template::Environment;

impl Comparison<'_, '_> {
    pub(super) fn compare_environments(&mut self) {
        let (before, after) = (self.before.template(), self.after.template());
        let all = At::top("environments");
        let find = |environments: &'_ [Environment], name: &str| {
            environments.iter().find(|one| one.name == name).map(|one| one.steps.clone())
        };
        for Environment { name, steps } in &before.environments {
            let at = all.key(name);
            match find(&after.environments, name) {
                None => {
                    let message = format!(
                        "the environment `{name}` is gone: tasks in flight that were created in it are left \
                         to workers of it, and none starts in an environment that no template has"
                    );
                    let on = At { after: None, ..at };
                    self.add(ChangeKind::Environment, Breaks::TASKS_IN_FLIGHT, &on, message);
                }
                // Where overrides are applied already, they were compared with the steps.
                Some(other) if other != *steps && before.environment.is_none() => {
                    self.compare_environment(name, &at);
                }
                Some(_) => {}
            }
        }
        for Environment { name, .. } in &after.environments {
            if find(&before.environments, name).is_none() {
                let on = At { before: None, ..all.key(name) };
                let message = format!("the environment `{name}` is new");
                self.add(ChangeKind::Environment, Breaks::NOTHING, &on, message);
            }
        }
    }

    /// Adds what changes in one environment, and does not without it.
    fn compare_environment(&mut self, name: &str, at: &At) {
        let (before, after) = (self.before.template(), self.after.template());
        let (resolved_before, resolved_after) = (before.for_environment(name), after.for_environment(name));
        let prefix = format!("in the environment `{name}`, ");
        let known: HashSet<String> =
            self.changes.iter().map(|change| format!("{prefix}{}", change.message)).collect();
        let count = self.changes.len();
        for (old, new) in self.pairs.both.clone() {
            let (was, is) = (&resolved_before.steps[old], &resolved_after.steps[new]);
            if was == is {
                continue;
            }
            self.compare_settings(was, is, &prefix, &at_step(is, Some(old), Some(new)));
        }
        let mut own = self.changes.split_off(count);
        own.retain(|change| !known.contains(&change.message));
        let is_silent = own.is_empty();
        for change in &mut own {
            // It stands among the overrides, or would.
            let (before, after) = (&at.before, &at.after);
            change.path = format!("{}{}", at.path, change.path);
            change.before = before.as_ref().and_then(|pointer| self.before.place(pointer));
            change.after = after.as_ref().and_then(|pointer| self.after.place(pointer));
        }
        self.changes.append(&mut own);
        if is_silent {
            let message = format!("the overrides of the environment `{name}` are others, to the same effect");
            self.add(ChangeKind::Environment, Breaks::NOTHING, at, message);
        }
    }
}
