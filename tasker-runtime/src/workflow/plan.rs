//! What `workflow!` knows of its template and of the listed handlers while it compiles.

use tasker_template::name_hash;

use crate::handler::{CodeLocation, ConfigParameter, Dependency, InputParameter, StepHandler};
use crate::workflow::text::is_same;

/// The template of a workflow.
#[derive(Debug)]
pub struct TemplateFacts {
    /// The file as `workflow!` names it.
    pub file: &'static str,
    /// Its steps, in the order of the file.
    pub steps: &'static [StepPlan],
    /// The indexes of the steps in the order of the hashes of their names.
    pub by_name: &'static [usize],
    /// The indexes of the steps in the order of their keys, and of the file.
    pub by_key: &'static [usize],
    /// A row of bits for each step: which steps are its ancestors.
    pub ancestors: &'static [u8],
}

/// A step of the template.
#[derive(Debug)]
pub struct StepPlan {
    /// Its name.
    pub name: &'static str,
    /// The hash of its name.
    pub hash: u64,
    /// The line of its name.
    pub line: u32,
    /// The callable of its handler.
    pub callable: &'static str,
    /// The method of its handler.
    pub method: &'static str,
    /// The hash of callable and method.
    pub key: u64,
    /// The line and column of the callable in the file, counted from 1.
    pub place: (u32, u32),
    /// The text around it, at most its line.
    pub source: &'static str,
    /// The callable in that text: the characters before it, and its own.
    pub mark: (u32, u32),
    /// The keys of its handler's configuration, those of all environments included.
    pub config: &'static [&'static str],
}

/// A handler that `workflow!` lists.
#[derive(Debug)]
pub struct ListedHandler {
    /// The path as it is written.
    pub path: &'static str,
    /// The step for which it is listed; `None` for all that name its callable.
    pub step: Option<usize>,
    pub(super) callable: &'static str,
    pub(super) method: &'static str,
    pub(super) key: u64,
    pub(super) depends_on: &'static [Dependency],
    pub(super) input_fields: &'static [InputParameter],
    pub(super) configs: &'static [ConfigParameter],
    pub(super) location: CodeLocation,
}

impl ListedHandler {
    /// A handler by its path.
    #[must_use]
    pub const fn of<H: StepHandler>(path: &'static str, step: Option<usize>) -> Self {
        Self {
            path,
            step,
            callable: H::CALLABLE,
            method: H::METHOD,
            key: name_hash(&[H::CALLABLE, H::METHOD]),
            depends_on: H::DEPENDS_ON,
            input_fields: H::INPUT_FIELDS,
            configs: H::CONFIGS,
            location: H::LOCATION,
        }
    }

    /// Whether its own macro has reported a mistake, so that its callable is not known.
    pub(super) const fn is_broken(&self) -> bool {
        self.callable.is_empty()
    }
}

impl TemplateFacts {
    /// The index of the step of this name.
    pub(super) const fn index(&self, name: &str) -> Option<usize> {
        let hash = name_hash(&[name]);
        let (mut low, mut high) = (0, self.by_name.len());
        while low < high {
            let middle = (low + high) / 2;
            if self.steps[self.by_name[middle]].hash < hash { low = middle + 1 } else { high = middle }
        }
        while low < self.by_name.len() && self.steps[self.by_name[low]].hash == hash {
            if is_same(self.steps[self.by_name[low]].name, name) {
                return Some(self.by_name[low]);
            }
            low += 1;
        }
        None
    }

    /// The first place in `by_key` that has this key, if any has.
    const fn first_of(&self, key: u64) -> usize {
        let (mut low, mut high) = (0, self.by_key.len());
        while low < high {
            let middle = (low + high) / 2;
            if self.steps[self.by_key[middle]].key < key { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The next step behind `after` that the handler runs, and is not listed for another one; in the order of the
    /// file.
    pub(super) const fn next_of(&self, handler: &ListedHandler, after: Option<usize>) -> Option<usize> {
        let mut place = self.first_of(handler.key);
        while place < self.by_key.len() && self.steps[self.by_key[place]].key == handler.key {
            let step = self.by_key[place];
            let is_behind = match after {
                Some(after) => step > after,
                None => true,
            };
            let is_for_another = matches!(handler.step, Some(own) if own != step);
            if is_behind && !is_for_another && runs(handler, &self.steps[step]) {
                return Some(step);
            }
            place += 1;
        }
        None
    }

    pub(super) const fn is_ancestor(&self, ancestor: usize, step: usize) -> bool {
        let row = self.steps.len().div_ceil(8);
        self.ancestors[step * row + ancestor / 8] & (1 << (ancestor % 8)) != 0
    }
}

/// Whether the handler runs the step.
pub(super) const fn runs(handler: &ListedHandler, step: &StepPlan) -> bool {
    handler.key == step.key
        && is_same(handler.callable, step.callable)
        && is_same(handler.method, step.method)
}

/// The listed handler that runs a step.
pub(super) const fn handler_of(
    template: &TemplateFacts,
    handlers: &[ListedHandler],
    step: usize,
) -> Option<usize> {
    let (wanted, mut index) = (&template.steps[step], 0);
    while index < handlers.len() {
        // A call takes the compiler much longer than a comparison.
        if handlers[index].key == wanted.key && runs(&handlers[index], wanted) {
            return Some(index);
        }
        index += 1;
    }
    None
}
