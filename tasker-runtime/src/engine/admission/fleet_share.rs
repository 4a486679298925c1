//! This worker's share of one fleet limit: the permits that it holds, and what it asks the store for.
//!
//! At any moment, no more attempts run than the store counts as this worker's permits. Two rules keep it so.
//! No attempt starts beyond `max_running`, which the store answered last. And a permit that is to go back is
//! out of use from the moment on at which the store is asked to take it, whatever becomes of the answer.

use std::time::Duration;

use tasker_store::{FleetLimit, PermitDemand, PermitGrant, START_HORIZON};
use tokio::time::Instant;

use crate::engine::admission::start_slots::StartSlots;

/// Permits that were not used for this long go back. A limit that was not full for this long is no longer
/// contended.
const IDLE: Duration = Duration::from_secs(1);

/// This worker's share of one fleet limit.
#[derive(Debug)]
pub(super) struct FleetShare {
    limit: FleetLimit,
    /// How many permits the store counts as ours, as far as we know.
    held: u32,
    /// While this many attempts run, or more, none starts; `None` when the limit has no concurrency.
    max_running: Option<u32>,
    /// For how long a grant is good after it was asked for, if the store does not answer again; `None` for
    /// as long as the worker lives.
    good_for: Option<Duration>,
    /// When the last grant was asked for.
    granted_at: Instant,
    /// The starts that the store has granted, when the limit has a rate.
    starts: StartSlots,
    /// When the limit was last full, while more steps are believed to be due under it than may start.
    contended_at: Option<Instant>,
    /// Claims that were refused since the store was asked.
    refused: u32,
    /// Attempts that began since the store was asked.
    begun: u32,
    /// The largest number of permits that were in use at a time, or had just been granted: in this window of
    /// [`IDLE`], and in the one before.
    peaks: [u32; 2],
    window_began: Instant,
    /// What the store was asked for last; `None` while it keeps nothing of this worker.
    asked: Option<Asked>,
}

/// What the store was asked for.
#[derive(Debug)]
struct Asked {
    at: Instant,
    /// The permits that were wanted in all.
    permits: u32,
    /// The starts that were wanted in addition.
    starts: u32,
    /// Whether all of that was granted.
    is_granted: bool,
    /// How many starts were granted.
    granted_starts: u32,
    /// When to ask again for what was not granted.
    retry_at: Instant,
}

/// How often the store is asked about one fleet limit.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct AskIntervals {
    /// The pause before it is asked again for what it did not grant.
    pub(in crate::engine) retry: Duration,
    /// The longest time between two requests, while this worker holds or wants anything.
    pub(in crate::engine) renewal: Duration,
}

impl FleetShare {
    /// The share of a limit that is new here, while `running` attempts in its scope run.
    pub(super) fn new(limit: FleetLimit, running: u32, now: Instant) -> Self {
        let max_running = limit.concurrency.map(|_| 0);
        Self {
            limit,
            held: 0,
            max_running,
            good_for: None,
            granted_at: now,
            starts: StartSlots::default(),
            contended_at: (running > 0).then_some(now),
            refused: 0,
            begun: 0,
            peaks: [running, 0],
            window_began: now,
            asked: None,
        }
    }

    pub(super) fn limit(&self) -> &FleetLimit {
        &self.limit
    }

    /// The limit has been set anew.
    pub(super) fn change(&mut self, limit: FleetLimit, now: Instant) {
        self.max_running = match (self.max_running, limit.concurrency) {
            (_, None) => None,
            (Some(max), Some(limit)) => Some(max.min(limit)),
            // The store has to count what runs before anything else starts.
            (None, Some(_)) => Some(0),
        };
        if self.limit.rate != limit.rate {
            self.starts.clear();
        }
        self.limit = limit;
        if let Some(asked) = &mut self.asked {
            asked.retry_at = now;
            asked.is_granted = false;
        }
        // So that the store is asked: the new limit may grant what the old one did not.
        self.contended_at = self.contended_at.or(Some(now));
    }

    /// How many more attempts may start now.
    pub(super) fn capacity(&self, running: u32, now: Instant) -> u32 {
        let permits = match self.max_running {
            None => u32::MAX,
            Some(_) if self.has_lapsed(now) => 0,
            Some(max) => max.saturating_sub(running),
        };
        let starts = self.limit.rate.map_or(u32::MAX, |_| self.starts.due(now));
        permits.min(starts)
    }

    /// Whether the store is to hand out no steps under this limit: none may start, and it is known that more
    /// are due. While that is not known, the next claim is what tells: it is refused, and handed back.
    pub(super) fn is_excluded(&self, running: u32, now: Instant) -> bool {
        self.contended_at.is_some() && self.capacity(running, now) == 0
    }

    /// Whether the limit was full within the last second.
    pub(super) fn is_contended(&self, now: Instant) -> bool {
        self.contended_at.is_some_and(|at| now.duration_since(at) < IDLE)
    }

    fn has_lapsed(&self, now: Instant) -> bool {
        self.good_for.is_some_and(|good_for| self.granted_at + good_for <= now)
    }

    /// An attempt begins; `running` counts it.
    pub(super) fn begin(&mut self, running: u32, now: Instant) {
        if self.limit.rate.is_some() {
            self.starts.take();
        }
        self.begun = self.begun.saturating_add(1);
        self.peaks[0] = self.peaks[0].max(running);
        if self.capacity(running, now) == 0 {
            self.contended_at = Some(now);
        }
    }

    /// A claim was not admitted, because there is no capacity.
    pub(super) fn refuse(&mut self, now: Instant) {
        self.refused = self.refused.saturating_add(1);
        self.contended_at = Some(now);
    }

    /// Lets go of what has expired: starts that nobody used, and the belief that more steps are due.
    pub(super) fn expire(&mut self, running: u32, now: Instant) {
        if self.starts.expire(now) && self.refused == 0 {
            // No step came for a start, so that none is due; unless they waited for permits, not for starts.
            self.contended_at =
                self.contended_at.filter(|_| self.max_running.is_some_and(|max| running >= max));
        }
        if now.duration_since(self.window_began) >= IDLE {
            self.peaks = [running, self.peaks[0]];
            self.window_began = now;
        }
        if self.capacity(running, now) == 0 {
            self.contended_at = self.contended_at.map(|_| now);
        } else if !self.is_contended(now) {
            self.contended_at = None;
        }
    }

    /// When to ask the store; `None` while there is nothing to ask for. `max_here` is the largest number of
    /// attempts that run in this worker, whatever their steps.
    pub(super) fn ask_at(&self, running: u32, max_here: u32, intervals: AskIntervals) -> Option<Instant> {
        let AskIntervals { retry, renewal } = intervals;
        // Early enough for a second try before the grant lapses, but never without a pause.
        let renewal = self.good_for.map_or(renewal, |good_for| renewal.min(retry.max(good_for / 3)));
        let renew_at = self.asked.as_ref().map(|asked| asked.at + renewal);
        [self.due_at(running, max_here), renew_at].into_iter().flatten().min()
    }

    /// Whether the store is to be asked now, and not only when it is time to renew.
    pub(super) fn is_due(&self, running: u32, max_here: u32, now: Instant) -> bool {
        self.due_at(running, max_here).is_some_and(|at| at <= now)
    }

    /// When to ask because more is wanted, or because permits are due to another worker.
    fn due_at(&self, running: u32, max_here: u32) -> Option<Instant> {
        let Some(asked) = &self.asked else {
            return (self.contended_at.is_some() || running > 0).then_some(self.window_began);
        };
        if self.max_running.is_some_and(|max| self.held > running.max(max)) {
            return Some(asked.at);
        }
        let lacks_permits = self.max_running.is_some_and(|max| running >= max && max < max_here);
        let has_permits = self.max_running.is_none_or(|max| max > 0);
        let lacks_starts =
            self.limit.rate.is_some() && has_permits && self.starts.left() <= asked.granted_starts / 4;
        let lacks = self.contended_at.is_some() && (lacks_permits || lacks_starts);
        lacks.then_some(if asked.is_granted { asked.at } else { asked.retry_at })
    }

    /// What to ask the store for; `None` when that is nothing. From now on no more permits are used than the
    /// demand keeps.
    pub(super) fn demand(
        &mut self,
        running: u32,
        max_here: u32,
        intervals: AskIntervals,
        now: Instant,
    ) -> Option<PermitDemand> {
        if self.asked.is_none() && self.contended_at.is_none() && running == 0 {
            return None;
        }
        let used = self.peaks.into_iter().max().unwrap_or(0).max(running);
        let lacks = self.contended_at.is_some() && self.max_running.is_some_and(|max| running >= max);
        // What runs and what was refused, or as much again as runs: after the first refusal the steps are
        // excluded, so that the count of refusals says too little.
        let more = if lacks { self.refused.max(running).max(1) } else { 0 };
        let wanted = used.max(running.saturating_add(more)).min(max_here.max(running));
        let starts = match self.limit.rate {
            Some(rate) if self.contended_at.is_some() => {
                let fit = START_HORIZON.as_micros() / rate.every().as_micros() + 1;
                let likely = self.refused.max(self.begun.saturating_mul(2)).max(1);
                likely.min(u32::try_from(fit).unwrap_or(u32::MAX)).saturating_sub(self.starts.left())
            }
            _ => 0,
        };
        self.max_running = self.max_running.map(|max| max.min(wanted));
        let keep = self.max_running.map_or(running, |max| running.max(max));
        (self.refused, self.begun) = (0, 0);
        let retry_at = now + intervals.retry;
        let permits = wanted;
        self.asked = Some(Asked { at: now, permits, starts, is_granted: false, granted_starts: 0, retry_at });
        Some(PermitDemand { scope: self.limit.scope.clone(), keep, wanted, starts })
    }

    /// What to ask the store for when nothing more is to start here: to keep what runs, and no more.
    pub(super) fn last_demand(
        &mut self,
        running: u32,
        intervals: AskIntervals,
        now: Instant,
    ) -> Option<PermitDemand> {
        self.asked.as_ref()?;
        (self.contended_at, self.refused, self.peaks) = (None, 0, [0; 2]);
        self.demand(running, running, intervals, now)
    }

    /// Takes what the store has granted. `good_for` counts from the moment at which it was asked.
    pub(super) fn take(&mut self, grant: &PermitGrant, good_for: Option<Duration>, now: Instant) {
        let Some(asked) = &mut self.asked else { return };
        self.held = grant.held;
        if self.limit.concurrency.is_some() {
            let max = grant.max_running.unwrap_or(0);
            if self.max_running.is_none_or(|before| max > before) {
                // Permits that have just come are not idle.
                self.peaks[0] = self.peaks[0].max(max);
            }
            self.max_running = Some(max);
        }
        if grant.held == 0 && asked.permits == 0 && asked.starts == 0 {
            // The store keeps nothing of this worker any more.
            self.asked = None;
            return;
        }
        (self.good_for, self.granted_at) = (good_for, asked.at);
        asked.granted_starts = grant.starts;
        asked.is_granted =
            grant.max_running.is_none_or(|max| max >= asked.permits) && grant.starts >= asked.starts;
        if let Some(rate) = self.limit.rate {
            self.starts.add(now + grant.first_in, rate.every(), grant.starts);
            if grant.starts < asked.starts {
                // The store grants the next start no earlier than this.
                asked.retry_at = asked.retry_at.max(now + grant.first_in.saturating_sub(START_HORIZON));
            }
        }
    }

    /// When the capacity changes by itself: a start is due, or expires.
    pub(super) fn changes_at(&self, now: Instant) -> Option<Instant> {
        match self.starts.next().filter(|next| *next > now) {
            Some(next) => Some(next),
            None => self.starts.expires(),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use tasker_store::LimitScope;
    use tasker_store::WorkerId;
    use tasker_store::later;
    use tasker_store::{Holder, Ledger};

    const EVERY: AskIntervals =
        AskIntervals { retry: Duration::from_millis(250), renewal: Duration::from_secs(1) };

    fn limit() -> FleetLimit {
        FleetLimit::new(LimitScope::Callable("a".to_owned()))
    }

    /// A store with one limit, and workers that ask it.
    struct Model {
        limit: FleetLimit,
        holders: Vec<Holder>,
        next_start: Option<Timestamp>,
        now: Timestamp,
        workers: Vec<Worker>,
    }

    struct Worker {
        id: WorkerId,
        share: FleetShare,
        running: u32,
        /// An answer that is on its way.
        answer: Option<PermitGrant>,
    }

    impl Model {
        fn new(limit: FleetLimit, workers: usize, now: Instant) -> Self {
            let worker = |_| {
                let share = FleetShare::new(limit.clone(), 0, now);
                Worker { id: WorkerId::random(), share, running: 0, answer: None }
            };
            let (workers, next_start) = ((0..workers).map(worker).collect(), None);
            Self { limit, holders: Vec::new(), next_start, now: Timestamp::UNIX_EPOCH, workers }
        }

        fn ask(&mut self, index: usize, now: Instant) {
            let worker = &mut self.workers[index];
            let Some(demand) = worker.share.demand(worker.running, 100, EVERY, now) else { return };
            let (limit, holders) = (&self.limit, &self.holders[..]);
            let ledger = Ledger { limit, holders, next_start: self.next_start, now: self.now };
            let decision = ledger.decide(worker.id, &demand);
            self.next_start = decision.next_start.or(self.next_start);
            self.holders.retain(|holder| holder.worker != worker.id);
            self.holders.push(decision.holder);
            worker.answer = Some(decision.granted);
        }

        /// What must be true at any moment.
        fn holds(&self) {
            let max = self.limit.concurrency.unwrap();
            let held: u32 = self.holders.iter().map(|holder| holder.held).sum();
            assert!(held <= max, "{held} of {max} are held");
            for worker in self.workers.iter().filter(|worker| worker.running > 0) {
                let own = self.holders.iter().find(|holder| holder.worker == worker.id).unwrap();
                assert!(worker.running <= own.held, "{} run with {}", worker.running, own.held);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_is_asked_answered_and_lost_no_more_runs_than_is_held() {
        let mut started = 0;
        for seed in 0..40 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut model = Model::new(limit().concurrency(random.u32(1..6)), 3, Instant::now());
            for _ in 0..600 {
                let now = Instant::now();
                let index = random.usize(..3);
                let worker = &mut model.workers[index];
                match random.u32(..12) {
                    0..5 if worker.share.capacity(worker.running, now) > 0 => {
                        worker.running += 1;
                        started += 1;
                        worker.share.begin(worker.running, now);
                    }
                    0..5 => worker.share.refuse(now),
                    5..8 => worker.running -= u32::from(worker.running > 0),
                    8 => {
                        let pause = Duration::from_millis(random.u64(..400));
                        tokio::time::advance(pause).await;
                        model.now = later(model.now, pause);
                    }
                    _ => match worker.answer.take() {
                        // One that is lost is never heard of.
                        Some(answer) if random.u32(..5) > 0 => worker.share.take(&answer, None, now),
                        Some(_) => {}
                        None => model.ask(index, now),
                    },
                }
                let worker = &mut model.workers[index];
                worker.share.expire(worker.running, now);
                model.holds();
            }
        }
        assert!(started > 1_000, "{started}");
    }

    #[tokio::test(start_paused = true)]
    async fn permits_that_nobody_uses_go_back() {
        let begun = Instant::now();
        let mut model = Model::new(limit().concurrency(4), 1, begun);
        let step = |model: &mut Model| {
            let now = Instant::now();
            let worker = &mut model.workers[0];
            worker.share.expire(worker.running, now);
            if worker.share.ask_at(worker.running, 100, EVERY).is_some_and(|at| at <= now) {
                model.ask(0, now);
                let worker = &mut model.workers[0];
                let answer = worker.answer.take().unwrap();
                worker.share.take(&answer, None, now);
            }
        };
        step(&mut model);
        assert!(model.holders.is_empty(), "nothing is wanted");
        (0..3).for_each(|_| model.workers[0].share.refuse(begun));
        assert!(model.workers[0].share.is_excluded(0, begun));
        step(&mut model);
        assert_eq!((model.holders[0].held, model.workers[0].share.is_excluded(0, begun)), (3, false));
        tokio::time::advance(Duration::from_millis(900)).await;
        step(&mut model);
        assert_eq!(model.holders[0].held, 3);
        for _ in 0..4 {
            tokio::time::advance(Duration::from_millis(500)).await;
            step(&mut model);
        }
        assert_eq!(model.holders[0].held, 0);
        // Nothing is asked any more, until a claim is refused.
        assert_eq!(model.workers[0].share.ask_at(0, 100, EVERY), None);
        assert!(!model.workers[0].share.is_excluded(0, Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_store_has_not_confirmed_within_a_lease_is_not_used() {
        let now = Instant::now();
        let mut share = FleetShare::new(limit().concurrency(2), 0, now);
        share.refuse(now);
        share.demand(0, 100, EVERY, now).unwrap();
        let scope = limit().scope;
        let grant = PermitGrant { scope, held: 1, max_running: Some(1), starts: 0, first_in: Duration::ZERO };
        share.take(&grant, Some(Duration::from_secs(3)), now);
        assert_eq!(share.capacity(0, now + Duration::from_millis(2_999)), 1);
        assert_eq!(share.capacity(0, now + Duration::from_secs(3)), 0);
        // It asks well before.
        assert_eq!(share.ask_at(0, 100, EVERY), Some(now + Duration::from_secs(1)));
        share.take(&grant, Some(Duration::from_millis(600)), now);
        assert_eq!(share.ask_at(0, 100, EVERY), Some(now + Duration::from_millis(250)));
    }
}
