//! Which kinds of steps this worker takes: those of its namespaces that it has a handler for, and of each
//! namespace and callable at most as many at a time as the builder says.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tasker_template::StepIndex;

use crate::bind::BoundTemplate;
use crate::id::TemplateId;
use crate::store::{Claim, Passed};

/// What a limit is on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Namespace(String),
    Callable(String),
}

/// The kinds of steps, and how many of each are under way here.
#[derive(Debug, Default)]
pub(crate) struct Room(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// `None` for all.
    namespaces: Option<BTreeSet<String>>,
    limits: Vec<Limit>,
    known: HashSet<TemplateId>,
    /// The limits that a step falls under.
    under: HashMap<(TemplateId, StepIndex), Vec<usize>>,
    /// Steps without a handler here, and those of other namespaces.
    others: HashSet<(TemplateId, StepIndex)>,
    passed: Arc<Passed>,
}

#[derive(Debug)]
struct Limit {
    kind: Kind,
    most: usize,
    running: usize,
}

impl Room {
    pub(crate) fn new(limits: &HashMap<Kind, usize>, namespaces: Option<BTreeSet<String>>) -> Self {
        let limits = limits.iter().map(|(kind, most)| Limit { kind: kind.clone(), most: *most, running: 0 });
        Self(Mutex::new(Inner { namespaces, limits: limits.collect(), ..Inner::default() }))
    }

    /// Whether steps of this namespace are run here.
    pub(crate) fn serves(&self, namespace: &str) -> bool {
        self.lock().serves(namespace)
    }

    /// Takes note of a template's steps.
    pub(crate) fn learn(&self, bound: &BoundTemplate) {
        let mut inner = self.lock();
        if !inner.known.insert(bound.id) {
            return;
        }
        let is_served = inner.serves(&bound.template.namespace);
        for (index, (step, own)) in (0..).zip(bound.template.steps.iter().zip(&bound.steps)) {
            let applies = |limit: &Limit| match &limit.kind {
                Kind::Namespace(namespace) => *namespace == bound.template.namespace,
                Kind::Callable(callable) => *callable == step.handler.callable,
            };
            let under: Vec<usize> = (0..)
                .zip(&inner.limits)
                .filter(|(_, limit)| applies(limit))
                .map(|(index, _)| index)
                .collect();
            if !under.is_empty() {
                inner.under.insert((bound.id, index), under);
            }
            if own.handler.is_none() || !is_served {
                inner.others.insert((bound.id, index));
            }
        }
        inner.renew();
    }

    /// The steps that this worker does not take at the moment.
    pub(crate) fn passed(&self) -> Arc<Passed> {
        Arc::clone(&self.lock().passed)
    }

    /// Takes up the room of a step, unless there is none.
    pub(crate) fn enter(&self, claim: &Claim) -> bool {
        let mut inner = self.lock();
        let inner = &mut *inner;
        if inner.others.contains(&(claim.template, claim.step)) {
            return false;
        }
        let Some(under) = inner.under.get(&(claim.template, claim.step)) else { return true };
        if under.iter().any(|limit| inner.limits[*limit].is_full()) {
            return false;
        }
        under.iter().for_each(|limit| inner.limits[*limit].running += 1);
        if under.iter().any(|limit| inner.limits[*limit].is_full()) {
            inner.renew();
        }
        true
    }

    /// Gives the room of a step back; whether others of its kind may have waited for it.
    pub(crate) fn leave(&self, claim: &Claim) -> bool {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let Some(under) = inner.under.get(&(claim.template, claim.step)) else { return false };
        let was_full = under.iter().any(|limit| inner.limits[*limit].is_full());
        under.iter().for_each(|limit| inner.limits[*limit].running -= 1);
        if was_full {
            inner.renew();
        }
        was_full
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn serves(&self, namespace: &str) -> bool {
        self.namespaces.as_ref().is_none_or(|served| served.contains(namespace))
    }

    fn renew(&mut self) {
        let full =
            self.under.iter().filter(|(_, under)| under.iter().any(|limit| self.limits[*limit].is_full()));
        self.passed = Arc::new(full.map(|(step, _)| *step).chain(self.others.iter().copied()).collect());
    }
}

impl Limit {
    fn is_full(&self) -> bool {
        self.running >= self.most
    }
}
