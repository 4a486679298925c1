//! What this worker holds under one limit of the whole fleet, and what it asks the store for.
//!
//! More attempts than `most` never start, and the store always counts at least as many permits for us as
//! run: what is given back is not used from the moment on at which the store is asked to take it.

use std::time::Duration;

use tasker_store::{AHEAD, FleetLimit, PermitDemand, PermitGrant};
use tokio::time::Instant;

use crate::engine::start_slots::StartSlots;

/// Permits that nobody has used for so long go back, and a kind that was not full for so long is not taken
/// to be wanted beyond what runs.
const IDLE: Duration = Duration::from_secs(1);

/// One limit of the fleet, as this worker knows it.
#[derive(Debug)]
pub(super) struct Permits {
    limit: FleetLimit,
    /// So many permits count as ours in the store, as far as we know.
    held: u32,
    /// With so many attempts running or more, none starts; `None` without a limit on that.
    most: Option<u32>,
    /// For how long they hold after the store was asked, if it does not answer again.
    lasts: Option<Duration>,
    /// When the store was asked, of what it has answered last.
    held_since: Instant,
    slots: StartSlots,
    /// When the kind was last found to be full, while more of it is taken to be wanted.
    crowded: Option<Instant>,
    /// Claims that were refused since the store was asked.
    refused: u32,
    /// Attempts that started since then.
    started: u32,
    /// The most permits that were in use at a time or had just come, in this window and in the one before.
    peaks: [u32; 2],
    window: Instant,
    asked: Option<Asked>,
}

/// What the store was asked for last.
#[derive(Debug)]
struct Asked {
    at: Instant,
    wanted: u32,
    starts: u32,
    /// Whether the answer was all that we wanted.
    is_enough: bool,
    /// Of starts, how many it had.
    granted: u32,
    /// When to ask again after a refusal.
    again: Instant,
}

/// How often the store is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// After a refusal.
    pub(super) again: Duration,
    /// While something is held.
    pub(super) renew: Duration,
}

impl Permits {
    /// Under a limit that is new here, while so many attempts of its kind run.
    pub(super) fn new(limit: FleetLimit, running: u32, now: Instant) -> Self {
        let most = limit.concurrency.map(|_| 0);
        Self {
            limit,
            held: 0,
            most,
            lasts: None,
            held_since: now,
            slots: StartSlots::default(),
            crowded: (running > 0).then_some(now),
            refused: 0,
            started: 0,
            peaks: [running, 0],
            window: now,
            asked: None,
        }
    }

    pub(super) fn limit(&self) -> &FleetLimit {
        &self.limit
    }

    /// The limit has been set anew.
    pub(super) fn change(&mut self, limit: FleetLimit, now: Instant) {
        self.most = match (self.most, limit.concurrency) {
            (_, None) => None,
            (Some(most), Some(limit)) => Some(most.min(limit)),
            // All that run are the store's to count first.
            (None, Some(_)) => Some(0),
        };
        if self.limit.rate != limit.rate {
            self.slots.clear();
        }
        self.limit = limit;
        if let Some(asked) = &mut self.asked {
            asked.again = now;
            asked.is_enough = false;
        }
        // A change is worth a question.
        self.crowded = self.crowded.or(Some(now));
    }

    /// How many more attempts may start now.
    pub(super) fn room(&self, running: u32, now: Instant) -> u32 {
        let permits = match self.most {
            None => u32::MAX,
            Some(_) if self.has_lapsed(now) => 0,
            Some(most) => most.saturating_sub(running),
        };
        let starts = self.limit.rate.map_or(u32::MAX, |_| self.slots.due(now));
        permits.min(starts)
    }

    /// Whether steps of the kind are better left alone: none may start, and we know that they are wanted.
    /// Otherwise the next claim says so, and is handed back.
    pub(super) fn is_excluded(&self, running: u32, now: Instant) -> bool {
        self.crowded.is_some() && self.room(running, now) == 0
    }

    /// Whether the kind was full a moment ago.
    pub(super) fn is_crowded(&self, now: Instant) -> bool {
        self.crowded.is_some_and(|last| now.duration_since(last) < IDLE)
    }

    fn has_lapsed(&self, now: Instant) -> bool {
        self.lasts.is_some_and(|lasts| self.held_since + lasts <= now)
    }

    /// An attempt starts; `running` counts it.
    pub(super) fn enter(&mut self, running: u32, now: Instant) {
        if self.limit.rate.is_some() {
            self.slots.take();
        }
        self.started = self.started.saturating_add(1);
        self.peaks[0] = self.peaks[0].max(running);
        if self.room(running, now) == 0 {
            self.crowded = Some(now);
        }
    }

    /// A claim found no room.
    pub(super) fn refuse(&mut self, now: Instant) {
        self.refused = self.refused.saturating_add(1);
        self.crowded = Some(now);
    }

    /// Time has passed.
    pub(super) fn pass_time(&mut self, running: u32, now: Instant) {
        if self.slots.expire(now) && self.refused == 0 {
            // Nobody came: none is wanted, unless for want of permits.
            self.crowded = self.crowded.filter(|_| self.most.is_some_and(|most| running >= most));
        }
        if now.duration_since(self.window) >= IDLE {
            self.peaks = [running, self.peaks[0]];
            self.window = now;
        }
        if self.room(running, now) == 0 {
            self.crowded = self.crowded.map(|_| now);
        } else if !self.is_crowded(now) {
            self.crowded = None;
        }
    }

    /// When the store is to be asked; `None` while there is nothing to ask for.
    pub(super) fn ask_at(&self, running: u32, most_here: u32, pace: Pace) -> Option<Instant> {
        // In time for another try, and not without a pause when little time is left.
        let renew = self.lasts.map_or(pace.renew, |lasts| pace.renew.min(pace.again.max(lasts / 3)));
        let renew = self.asked.as_ref().map(|asked| asked.at + renew);
        [self.needs_at(running, most_here), renew].into_iter().flatten().min()
    }

    /// Whether the store is to be asked now, whatever else there is to do.
    pub(super) fn is_urgent(&self, running: u32, most_here: u32, now: Instant) -> bool {
        self.needs_at(running, most_here).is_some_and(|at| at <= now)
    }

    /// When to ask, because something is wanted, or is to go back to somebody else.
    fn needs_at(&self, running: u32, most_here: u32) -> Option<Instant> {
        let Some(asked) = &self.asked else {
            return (self.crowded.is_some() || running > 0).then_some(self.window);
        };
        if self.most.is_some_and(|most| self.held > running.max(most)) {
            return Some(asked.at);
        }
        let wants_permits = self.most.is_some_and(|most| running >= most && most < most_here);
        let has_permits = self.most.is_none_or(|most| most > 0);
        let wants_starts = self.limit.rate.is_some() && has_permits && self.slots.left() <= asked.granted / 4;
        let wants = self.crowded.is_some() && (wants_permits || wants_starts);
        wants.then_some(if asked.is_enough { asked.at } else { asked.again })
    }

    /// What to ask for. From now on no more is used than what we do not give back.
    pub(super) fn ask(
        &mut self,
        running: u32,
        most_here: u32,
        pace: Pace,
        now: Instant,
    ) -> Option<PermitDemand> {
        if self.asked.is_none() && self.crowded.is_none() && running == 0 {
            return None;
        }
        let used = self.peaks.into_iter().max().unwrap_or(0).max(running);
        let lacks = self.crowded.is_some() && self.most.is_some_and(|most| running >= most);
        // What runs, what was refused, and a little: as much again, since the refusal of one keeps us from
        // seeing others.
        let more = if lacks { self.refused.max(running).max(1) } else { 0 };
        let wanted = used.max(running.saturating_add(more)).min(most_here.max(running));
        let starts = match self.limit.rate {
            Some(rate) if self.crowded.is_some() => {
                let fit = AHEAD.as_micros() / rate.every().as_micros() + 1;
                let likely = self.refused.max(self.started.saturating_mul(2)).max(1);
                likely.min(u32::try_from(fit).unwrap_or(u32::MAX)).saturating_sub(self.slots.left())
            }
            _ => 0,
        };
        self.most = self.most.map(|most| most.min(wanted));
        let keep = self.most.map_or(running, |most| running.max(most));
        (self.refused, self.started) = (0, 0);
        let again = now + pace.again;
        self.asked = Some(Asked { at: now, wanted, starts, is_enough: false, granted: 0, again });
        Some(PermitDemand { scope: self.limit.scope.clone(), keep, wanted, starts })
    }

    /// What to ask for when nothing more is to start here: what runs, and no more.
    pub(super) fn ask_for_what_runs(
        &mut self,
        running: u32,
        pace: Pace,
        now: Instant,
    ) -> Option<PermitDemand> {
        self.asked.as_ref()?;
        (self.crowded, self.refused, self.peaks) = (None, 0, [0; 2]);
        self.ask(running, running, pace, now)
    }

    /// The store has answered. `lasts` is from the moment of asking on.
    pub(super) fn take(&mut self, granted: &PermitGrant, lasts: Option<Duration>, now: Instant) {
        let Some(asked) = &mut self.asked else { return };
        self.held = granted.held;
        if self.limit.concurrency.is_some() {
            let most = granted.most.unwrap_or(0);
            if self.most.is_none_or(|before| most > before) {
                // What has just come is not idle.
                self.peaks[0] = self.peaks[0].max(most);
            }
            self.most = Some(most);
        }
        if granted.held == 0 && asked.wanted == 0 && asked.starts == 0 {
            // The store keeps nothing of us.
            self.asked = None;
            return;
        }
        (self.lasts, self.held_since) = (lasts, asked.at);
        asked.granted = granted.starts;
        asked.is_enough =
            granted.most.is_none_or(|most| most >= asked.wanted) && granted.starts >= asked.starts;
        if let Some(rate) = self.limit.rate {
            self.slots.add(now + granted.first_in, rate.every(), granted.starts);
            if granted.starts < asked.starts {
                // The next one is given out a while before it comes.
                asked.again = asked.again.max(now + granted.first_in.saturating_sub(AHEAD));
            }
        }
    }

    /// When something changes by itself: a start is due, or expires.
    pub(super) fn changes_at(&self, now: Instant) -> Option<Instant> {
        match self.slots.next().filter(|next| *next > now) {
            Some(next) => Some(next),
            None => self.slots.expires(),
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

    const PACE: Pace = Pace { again: Duration::from_millis(250), renew: Duration::from_secs(1) };

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
        permits: Permits,
        running: u32,
        /// An answer that is on its way.
        answer: Option<PermitGrant>,
    }

    impl Model {
        fn new(limit: FleetLimit, workers: usize, now: Instant) -> Self {
            let worker = |_| {
                let permits = Permits::new(limit.clone(), 0, now);
                Worker { id: WorkerId::random(), permits, running: 0, answer: None }
            };
            let (workers, next_start) = ((0..workers).map(worker).collect(), None);
            Self { limit, holders: Vec::new(), next_start, now: Timestamp::UNIX_EPOCH, workers }
        }

        fn ask(&mut self, index: usize, now: Instant) {
            let worker = &mut self.workers[index];
            let Some(wanted) = worker.permits.ask(worker.running, 100, PACE, now) else { return };
            let (limit, holders) = (&self.limit, &self.holders[..]);
            let ledger = Ledger { limit, holders, next_start: self.next_start, now: self.now };
            let decision = ledger.decide(worker.id, &wanted);
            self.next_start = decision.next_start.or(self.next_start);
            self.holders.retain(|holder| holder.worker != worker.id);
            self.holders.push(decision.holder);
            worker.answer = Some(decision.granted);
        }

        /// What must be true at any moment.
        fn holds(&self) {
            let most = self.limit.concurrency.unwrap();
            let held: u32 = self.holders.iter().map(|holder| holder.held).sum();
            assert!(held <= most, "{held} of {most} are held");
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
                    0..5 if worker.permits.room(worker.running, now) > 0 => {
                        worker.running += 1;
                        started += 1;
                        worker.permits.enter(worker.running, now);
                    }
                    0..5 => worker.permits.refuse(now),
                    5..8 => worker.running -= u32::from(worker.running > 0),
                    8 => {
                        let pause = Duration::from_millis(random.u64(..400));
                        tokio::time::advance(pause).await;
                        model.now = later(model.now, pause);
                    }
                    _ => match worker.answer.take() {
                        // One that is lost is never heard of.
                        Some(answer) if random.u32(..5) > 0 => worker.permits.take(&answer, None, now),
                        Some(_) => {}
                        None => model.ask(index, now),
                    },
                }
                let worker = &mut model.workers[index];
                worker.permits.pass_time(worker.running, now);
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
            worker.permits.pass_time(worker.running, now);
            if worker.permits.ask_at(worker.running, 100, PACE).is_some_and(|at| at <= now) {
                model.ask(0, now);
                let worker = &mut model.workers[0];
                let answer = worker.answer.take().unwrap();
                worker.permits.take(&answer, None, now);
            }
        };
        step(&mut model);
        assert!(model.holders.is_empty(), "nothing is wanted");
        (0..3).for_each(|_| model.workers[0].permits.refuse(begun));
        assert!(model.workers[0].permits.is_excluded(0, begun));
        step(&mut model);
        assert_eq!((model.holders[0].held, model.workers[0].permits.is_excluded(0, begun)), (3, false));
        tokio::time::advance(Duration::from_millis(900)).await;
        step(&mut model);
        assert_eq!(model.holders[0].held, 3);
        for _ in 0..4 {
            tokio::time::advance(Duration::from_millis(500)).await;
            step(&mut model);
        }
        assert_eq!(model.holders[0].held, 0);
        // Nothing is asked any more, until a claim is refused.
        assert_eq!(model.workers[0].permits.ask_at(0, 100, PACE), None);
        assert!(!model.workers[0].permits.is_excluded(0, Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_store_has_not_confirmed_within_a_lease_is_not_used() {
        let now = Instant::now();
        let mut permits = Permits::new(limit().concurrency(2), 0, now);
        permits.refuse(now);
        permits.ask(0, 100, PACE, now).unwrap();
        let scope = limit().scope;
        let granted = PermitGrant { scope, held: 1, most: Some(1), starts: 0, first_in: Duration::ZERO };
        permits.take(&granted, Some(Duration::from_secs(3)), now);
        assert_eq!(permits.room(0, now + Duration::from_millis(2_999)), 1);
        assert_eq!(permits.room(0, now + Duration::from_secs(3)), 0);
        // It asks well before.
        assert_eq!(permits.ask_at(0, 100, PACE), Some(now + Duration::from_secs(1)));
        permits.take(&granted, Some(Duration::from_millis(600)), now);
        assert_eq!(permits.ask_at(0, 100, PACE), Some(now + Duration::from_millis(250)));
    }
}
