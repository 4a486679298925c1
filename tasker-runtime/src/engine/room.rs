//! Which kinds of steps this worker takes: those of its namespaces that it has a handler for, and of each
//! namespace and callable at most as many at a time as the builder says, and as the fleet's limits allow.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tasker_store::{self, Claim, Excluded, FleetLimit, LimitScope, PermitDemand, TemplateId};
use tasker_template::StepIndex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::build::bind::BoundTemplate;
use crate::engine::permits::{Pace, Permits};

/// A kind that was full so short a while ago is claimed no more of than there is room for.
const CROWDED: Duration = Duration::from_secs(1);

/// The kinds of steps, and how many of each are under way here.
#[derive(Debug)]
pub(crate) struct Room {
    inner: Mutex<Inner>,
    /// At most so many attempts run here, of all kinds.
    most_here: u32,
    /// Tells whoever asks for permits to look.
    pub(super) asks: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// `None` for all.
    namespaces: Option<BTreeSet<String>>,
    limits: Vec<Limit>,
    known: HashSet<TemplateId>,
    steps: HashMap<(TemplateId, StepIndex), Step>,
    excluded: Arc<Excluded>,
    /// Whether a step has left `passed` that nobody was told of.
    freed: bool,
}

#[derive(Debug)]
struct Step {
    namespace: Arc<str>,
    callable: Arc<str>,
    /// Without a handler here, or of another namespace.
    is_others: bool,
    /// The limits that it falls under.
    under: Vec<usize>,
    running: u32,
}

impl Step {
    fn falls_under(&self, scope: &LimitScope) -> bool {
        scope.covers(&self.namespace, &self.callable)
    }
}

#[derive(Debug)]
struct Limit {
    scope: LimitScope,
    running: u32,
    bound: Bound,
}

/// Whose limit it is.
#[derive(Debug)]
enum Bound {
    /// This worker's, by its builder.
    Own { most: u32, full_at: Option<Instant> },
    /// All workers' together.
    Fleet(Box<Permits>),
}

/// Whether a step may run.
#[derive(Debug)]
pub(super) enum Entry {
    /// It has its place, until that is dropped.
    Entered(Place),
    /// As many of its kind are running as may.
    Full,
    /// It is another worker's, or nothing is known of it yet.
    Unclear,
}

/// The place of a step that runs, or is about to.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    step: (TemplateId, StepIndex),
    /// Tells the dispatcher that there is room again.
    wake: Arc<Notify>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.room.leave(self.step) {
            self.wake.notify_one();
        }
    }
}

/// Steps that may be claimed now, though not many of them.
#[derive(Debug)]
pub(super) struct Scarce {
    /// For how many there is room, of each kind.
    pub(super) room: usize,
    /// What to pass over so that none of them is claimed.
    pub(super) without: Arc<Excluded>,
}

impl Room {
    pub(crate) fn new(
        limits: &HashMap<LimitScope, usize>,
        namespaces: Option<BTreeSet<String>>,
        most_here: usize,
    ) -> Self {
        let number = |most: usize| u32::try_from(most).unwrap_or(u32::MAX);
        let limits = limits.iter().map(|(scope, most)| Limit {
            scope: scope.clone(),
            running: 0,
            bound: Bound::Own { most: number(*most), full_at: None },
        });
        let inner = Inner { namespaces, limits: limits.collect(), ..Inner::default() };
        Self { inner: Mutex::new(inner), most_here: number(most_here), asks: Notify::new() }
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
        let namespace: Arc<str> = bound.template.namespace.as_str().into();
        for (index, (step, own)) in (0..).zip(bound.template.steps.iter().zip(&bound.steps)) {
            let mut step = Step {
                namespace: Arc::clone(&namespace),
                callable: step.handler.callable.as_str().into(),
                is_others: own.handler.is_none() || !is_served,
                under: Vec::new(),
                running: 0,
            };
            step.under = inner.limits_of(&step);
            inner.steps.insert((bound.id, index), step);
        }
        inner.renew(Instant::now());
    }

    /// The steps that this worker does not take at the moment.
    pub(crate) fn excluded(&self) -> Arc<Excluded> {
        Arc::clone(&self.lock().excluded)
    }

    /// Steps of kinds that were full a moment ago and have room again. To claim many of them would be to
    /// hand most of them back.
    pub(super) fn scarce(&self) -> Option<Scarce> {
        let inner = self.lock();
        let now = Instant::now();
        let rooms: Vec<Option<u32>> = inner
            .limits
            .iter()
            .map(|limit| Some(limit.room(now)).filter(|room| *room > 0 && limit.is_crowded(now)))
            .collect();
        let room = rooms.iter().flatten().min()?;
        let is_scarce = |step: &Step| step.under.iter().any(|limit| rooms[*limit].is_some());
        let scarce = inner.steps.iter().filter(|(_, step)| is_scarce(step)).map(|(key, _)| *key);
        let without = Arc::new(inner.excluded.iter().copied().chain(scarce).collect());
        Some(Scarce { room: usize::try_from(*room).unwrap_or(usize::MAX), without })
    }

    /// Takes up the room of a step, unless there is none. What is given wakes whoever waits for room.
    pub(super) fn enter(self: &Arc<Self>, claim: &Claim, wake: &Arc<Notify>) -> Entry {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let key = (claim.template, claim.step);
        let Some(step) = inner.steps.get_mut(&key) else { return Entry::Unclear };
        if step.is_others {
            return Entry::Unclear;
        }
        if !step.under.is_empty() {
            let now = Instant::now();
            let full = step.under.iter().find(|limit| inner.limits[**limit].room(now) == 0);
            if let Some(full) = full {
                inner.limits[*full].refuse(now);
                self.call_if_urgent(inner, now);
                inner.renew(now);
                return Entry::Full;
            }
            let mut is_full = false;
            for limit in &step.under {
                let limit = &mut inner.limits[*limit];
                limit.enter(now);
                is_full |= limit.room(now) == 0;
            }
            step.running += 1;
            if is_full {
                self.call_if_urgent(inner, now);
                inner.renew(now);
            }
        } else {
            step.running += 1;
        }
        Entry::Entered(Place { room: Arc::clone(self), step: key, wake: Arc::clone(wake) })
    }

    /// Gives the room of a step back; whether others of its kind may have waited for it.
    fn leave(&self, key: (TemplateId, StepIndex)) -> bool {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let Some(step) = inner.steps.get_mut(&key) else { return false };
        step.running -= 1;
        if step.under.is_empty() {
            return false;
        }
        let now = Instant::now();
        let (mut was_full, mut has_room) = (false, false);
        for limit in &step.under {
            let limit = &mut inner.limits[*limit];
            let full = limit.room(now) == 0;
            limit.leave(now);
            was_full |= full;
            has_room |= full && limit.room(now) > 0;
        }
        if was_full {
            // What is no longer used may be somebody else's.
            self.call_if_urgent(inner, now);
        }
        if has_room {
            inner.renew(now);
        }
        has_room
    }

    /// Takes note of the limits that the store has.
    pub(super) fn learn_limits(&self, limits: &[FleetLimit]) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let now = Instant::now();
        let is_there = |scope: &LimitScope| limits.iter().any(|limit| limit.scope == *scope);
        let before = inner.limits.len();
        inner.limits.retain(|limit| matches!(limit.bound, Bound::Own { .. }) || is_there(&limit.scope));
        let mut has_changed = inner.limits.len() != before;
        for limit in limits {
            let known = inner.limits.iter_mut().find_map(|known| match &mut known.bound {
                Bound::Fleet(permits) if known.scope == limit.scope => Some(permits),
                _ => None,
            });
            match known {
                Some(permits) if permits.limit() == limit => continue,
                Some(permits) => permits.change(limit.clone(), now),
                None => {
                    let of_kind = inner.steps.values().filter(|step| step.falls_under(&limit.scope));
                    let running = of_kind.map(|step| step.running).sum();
                    let permits = Permits::new(limit.clone(), running, now);
                    let bound = Bound::Fleet(Box::new(permits));
                    inner.limits.push(Limit { scope: limit.scope.clone(), running, bound });
                }
            }
            has_changed = true;
        }
        if has_changed {
            let mut steps = std::mem::take(&mut inner.steps);
            steps.values_mut().for_each(|step| step.under = inner.limits_of(step));
            inner.steps = steps;
            inner.renew(now);
        }
    }

    /// Lets go of what has expired; whether steps may be claimed now that could not before.
    pub(super) fn pass_time(&self) -> bool {
        let mut inner = self.lock();
        let now = Instant::now();
        for limit in &mut inner.limits {
            if let Bound::Fleet(permits) = &mut limit.bound {
                permits.pass_time(limit.running, now);
            }
        }
        if inner.has_fleet() {
            inner.renew(now);
        }
        std::mem::take(&mut inner.freed)
    }

    /// What to ask the store for, if it is time to.
    pub(super) fn ask(&self, pace: Pace) -> Vec<PermitDemand> {
        let mut inner = self.lock();
        let (now, most_here) = (Instant::now(), self.most_here);
        if !inner
            .fleet()
            .any(|(permits, running)| permits.ask_at(running, most_here, pace).is_some_and(|at| at <= now))
        {
            return Vec::new();
        }
        let fleet = inner.limits.iter_mut().filter_map(|limit| match &mut limit.bound {
            Bound::Fleet(permits) => permits.ask(limit.running, most_here, pace, now),
            Bound::Own { .. } => None,
        });
        fleet.collect()
    }

    /// What to ask the store for when nothing more is to start here.
    pub(super) fn ask_for_what_runs(&self, pace: Pace) -> Vec<PermitDemand> {
        let mut inner = self.lock();
        let now = Instant::now();
        let fleet = inner.limits.iter_mut().filter_map(|limit| match &mut limit.bound {
            Bound::Fleet(permits) => permits.ask_for_what_runs(limit.running, pace, now),
            Bound::Own { .. } => None,
        });
        fleet.collect()
    }

    /// The store has answered.
    pub(super) fn take(&self, answer: &tasker_store::PermitGrants) {
        let mut inner = self.lock();
        let now = Instant::now();
        for granted in &answer.granted {
            let limit =
                inner.limits.iter_mut().find(|limit| limit.scope == granted.scope && limit.is_fleet());
            if let Some(Limit { bound: Bound::Fleet(permits), .. }) = limit {
                permits.take(granted, answer.lasts, now);
            }
        }
    }

    /// When there is something to do: to ask, or to see that a start is due.
    pub(super) fn next(&self, pace: Pace) -> Option<Instant> {
        let inner = self.lock();
        let now = Instant::now();
        let times = inner.fleet().flat_map(|(permits, running)| {
            [permits.ask_at(running, self.most_here, pace), permits.changes_at(now)]
        });
        times.flatten().min()
    }

    /// Calls whoever asks for permits, if that cannot wait.
    fn call_if_urgent(&self, inner: &Inner, now: Instant) {
        if inner.fleet().any(|(permits, running)| permits.is_urgent(running, self.most_here, now)) {
            self.asks.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn serves(&self, namespace: &str) -> bool {
        self.namespaces.as_ref().is_none_or(|served| served.contains(namespace))
    }

    fn limits_of(&self, step: &Step) -> Vec<usize> {
        let limits = (0..).zip(&self.limits).filter(|(_, limit)| step.falls_under(&limit.scope));
        limits.map(|(index, _)| index).collect()
    }

    fn fleet(&self) -> impl Iterator<Item = (&Permits, u32)> {
        self.limits.iter().filter_map(|limit| match &limit.bound {
            Bound::Fleet(permits) => Some((&**permits, limit.running)),
            Bound::Own { .. } => None,
        })
    }

    fn has_fleet(&self) -> bool {
        self.fleet().next().is_some()
    }

    fn renew(&mut self, now: Instant) {
        let excluded: Vec<bool> = self.limits.iter().map(|limit| limit.is_excluded(now)).collect();
        let is_excluded = |step: &Step| step.is_others || step.under.iter().any(|limit| excluded[*limit]);
        let steps = self.steps.iter().filter(|(_, step)| is_excluded(step)).map(|(key, _)| *key);
        let excluded: Excluded = steps.collect();
        self.freed |= self.excluded.iter().any(|step| !excluded.contains(step));
        self.excluded = Arc::new(excluded);
    }
}

impl Limit {
    fn is_fleet(&self) -> bool {
        matches!(self.bound, Bound::Fleet(_))
    }

    /// How many more may start.
    fn room(&self, now: Instant) -> u32 {
        match &self.bound {
            Bound::Own { most, .. } => most.saturating_sub(self.running),
            Bound::Fleet(permits) => permits.room(self.running, now),
        }
    }

    fn is_excluded(&self, now: Instant) -> bool {
        match &self.bound {
            Bound::Own { most, .. } => self.running >= *most,
            Bound::Fleet(permits) => permits.is_excluded(self.running, now),
        }
    }

    fn is_crowded(&self, now: Instant) -> bool {
        match &self.bound {
            Bound::Own { full_at, .. } => full_at.is_some_and(|at| now.duration_since(at) < CROWDED),
            Bound::Fleet(permits) => permits.is_crowded(now),
        }
    }

    fn enter(&mut self, now: Instant) {
        self.running += 1;
        match &mut self.bound {
            Bound::Own { most, full_at } if self.running >= *most => *full_at = Some(now),
            Bound::Own { .. } => {}
            Bound::Fleet(permits) => permits.enter(self.running, now),
        }
    }

    fn refuse(&mut self, now: Instant) {
        match &mut self.bound {
            Bound::Own { full_at, .. } => *full_at = Some(now),
            Bound::Fleet(permits) => permits.refuse(now),
        }
    }

    fn leave(&mut self, now: Instant) {
        if let Bound::Own { most, full_at } = &mut self.bound
            && self.running >= *most
        {
            *full_at = Some(now);
        }
        self.running -= 1;
    }
}
