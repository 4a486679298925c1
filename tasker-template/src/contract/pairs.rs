//! Which steps of two templates are the same step.

use std::collections::{HashMap, HashSet};

use crate::contract::version::{TemplateVersion, handler_key};
use crate::graph::StepIndex;

/// For a step with more candidates than this, the first of them are looked at.
const MAX_CANDIDATES: usize = 100;

/// The steps of two templates, by their indices.
#[derive(Debug)]
pub(super) struct Pairs {
    /// Steps that both have, in the order of the template before. Their names differ where a step was renamed.
    pub(super) both: Vec<(usize, usize)>,
    pub(super) removed: Vec<usize>,
    pub(super) added: Vec<usize>,
    /// Of each step after, the one that it was.
    before: HashMap<usize, usize>,
}

impl Pairs {
    /// Steps of one name are one step. A step that is gone was renamed when a new one has its handler, and both wait
    /// for the same, or the same waits for both, or neither waits for anything.
    pub(super) fn new(before: &TemplateVersion<'_>, after: &TemplateVersion<'_>) -> Self {
        let mut after_of: HashMap<usize, usize> = HashMap::new();
        for (index, step) in before.steps().iter().enumerate() {
            if let Some(same) = after.plan().index(&step.name) {
                after_of.insert(index, same as usize);
            }
        }
        let mut taken: HashSet<usize> = after_of.values().copied().collect();
        let mut candidates: HashMap<_, Vec<usize>> = HashMap::new();
        for (index, step) in after.steps().iter().enumerate().filter(|(index, _)| !taken.contains(index)) {
            candidates.entry(handler_key(&step.handler)).or_default().push(index);
        }
        // Parents first, so that a renamed parent is known.
        for index in before.plan().order().iter().map(|index| *index as usize) {
            if after_of.contains_key(&index) {
                continue;
            }
            let same_handler = candidates.get(&handler_key(&before.steps()[index].handler));
            let same_handler = same_handler.into_iter().flatten().filter(|one| !taken.contains(one));
            let scored = same_handler.take(MAX_CANDIDATES).filter_map(|candidate| {
                let score = likeness(before, after, &after_of, index, *candidate)?;
                // Of equals, the first.
                Some((score, std::cmp::Reverse(*candidate)))
            });
            if let Some((_, std::cmp::Reverse(best))) = scored.max() {
                after_of.insert(index, best);
                taken.insert(best);
            }
        }
        let is_known = |index: &usize| after_of.contains_key(index);
        let (known, removed) = (0..before.steps().len()).partition::<Vec<_>, _>(is_known);
        let both: Vec<(usize, usize)> = known.into_iter().map(|index| (index, after_of[&index])).collect();
        let added = (0..after.steps().len()).filter(|index| !taken.contains(index)).collect();
        let before = both.iter().map(|(before, after)| (*after, *before)).collect();
        Self { both, removed, added, before }
    }

    /// The step that a step of the template after was.
    pub(super) fn before(&self, after: usize) -> Option<usize> {
        self.before.get(&after).copied()
    }
}

/// How many parents and dependents two steps share; `None` when they are not alike.
fn likeness(
    before: &TemplateVersion<'_>,
    after: &TemplateVersion<'_>,
    after_of: &HashMap<usize, usize>,
    old: usize,
    new: usize,
) -> Option<usize> {
    let (old, new) = (StepIndex::try_from(old).ok()?, StepIndex::try_from(new).ok()?);
    let shared = |olds: &[StepIndex], news: &[StepIndex]| {
        let news: HashSet<usize> = news.iter().map(|index| *index as usize).collect();
        let known = olds.iter().filter_map(|index| after_of.get(&(*index as usize)));
        known.filter(|index| news.contains(index)).count()
    };
    let (olds, news) = (before.plan().parents(old), after.plan().parents(new));
    let parents = shared(olds, news);
    let dependents = shared(before.plan().dependents(old), after.plan().dependents(new));
    let are_roots = olds.is_empty() && news.is_empty();
    (are_roots || parents + dependents > 0).then_some(parents + dependents)
}
