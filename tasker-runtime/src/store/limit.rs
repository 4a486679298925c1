//! Limits that hold for all workers of a store together, and what each worker may do under them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::id::WorkerId;

/// What a limit is on.
///
/// ```
/// use tasker_runtime::LimitKind;
/// assert_eq!(LimitKind::Callable("Billing::Charge".to_owned()).to_string(), "callable `Billing::Charge`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitKind {
    /// The steps that this callable runs.
    Callable(String),
    /// The steps of all templates in this namespace.
    Namespace(String),
}

impl LimitKind {
    /// The word for it: `namespace` or `callable`.
    ///
    /// ```
    /// assert_eq!(tasker_runtime::LimitKind::Namespace("billing".to_owned()).word(), "namespace");
    /// ```
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Namespace(_) => "namespace",
            Self::Callable(_) => "callable",
        }
    }

    /// The name of the namespace or callable.
    ///
    /// ```
    /// assert_eq!(tasker_runtime::LimitKind::Namespace("billing".to_owned()).name(), "billing");
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Namespace(name) | Self::Callable(name) => name,
        }
    }

    /// The kind of these two.
    pub(crate) fn of(word: &str, name: String) -> Option<Self> {
        match word {
            "namespace" => Some(Self::Namespace(name)),
            "callable" => Some(Self::Callable(name)),
            _ => None,
        }
    }
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.word(), self.name())
    }
}

/// How often attempts may start: the time between two of them.
///
/// ```
/// use std::time::Duration;
/// use tasker_runtime::Rate;
/// let rate: Rate = "100/s".parse().unwrap();
/// assert_eq!(rate.every(), Duration::from_millis(10));
/// assert_eq!("3/10min".parse::<Rate>().unwrap().every(), Duration::from_secs(200));
/// assert_eq!(rate.to_string(), "100/s");
/// assert!("0/s".parse::<Rate>().is_err() && "fast".parse::<Rate>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    every: Duration,
}

/// What is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write how many starts in how much time, such as `100/s`, `5/min`, `20/h` or `3/10s`: more than none, and at most 1000000/s"
)]
pub struct RateError;

/// The shortest and the longest time between two starts.
const EVERY: std::ops::RangeInclusive<Duration> =
    Duration::from_micros(1)..=Duration::from_secs(365 * 86_400);

impl Rate {
    /// So many starts in so much time.
    ///
    /// # Errors
    ///
    /// When that is none, more than a million a second, or less than one a year.
    ///
    /// ```
    /// use std::time::Duration;
    /// let rate = tasker_runtime::Rate::new(20, Duration::from_secs(60)).unwrap();
    /// assert_eq!(rate.every(), Duration::from_secs(3));
    /// ```
    pub fn new(starts: u32, per: Duration) -> Result<Self, RateError> {
        Self::spaced(per.checked_div(starts).ok_or(RateError)?).ok_or(RateError)
    }

    /// Two starts at least this far apart.
    pub(crate) fn spaced(every: Duration) -> Option<Self> {
        // A store keeps microseconds.
        let kept = Duration::from_micros(u64::try_from(every.as_nanos().div_ceil(1_000)).ok()?);
        EVERY.contains(&every).then_some(Self { every: kept })
    }

    /// The time between two starts.
    #[must_use]
    pub fn every(self) -> Duration {
        self.every
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let (starts, per) = text.split_once('/').ok_or(RateError)?;
        let starts: u32 = starts.trim().parse().map_err(|_| RateError)?;
        let per = per.trim();
        let (number, unit) = per.split_at(per.find(|c: char| !c.is_ascii_digit()).ok_or(RateError)?);
        let number: u64 = if number.is_empty() { 1 } else { number.parse().map_err(|_| RateError)? };
        let seconds = match unit.trim() {
            "s" => 1,
            "min" | "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(RateError),
        };
        Self::new(starts, Duration::from_secs(number.checked_mul(seconds).ok_or(RateError)?))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let every = self.every.as_secs_f64();
        let units = [(1.0, "s"), (60.0, "min"), (3_600.0, "h"), (86_400.0, "d")]
            .map(|(per, unit)| (per / every, unit));
        // A third of a second is kept as 333334 microseconds.
        let whole =
            |starts: f64| starts > 0.5 && (starts.round() - starts).abs() <= starts / every / 1e6 + 1e-9;
        if let Some((starts, unit)) = units.into_iter().find(|(starts, _)| whole(*starts)) {
            return write!(f, "{starts:.0}/{unit}");
        }
        match units.into_iter().find(|(starts, _)| *starts > 1.0) {
            Some((starts, unit)) => write!(f, "{starts:.3}/{unit}"),
            None => write!(f, "1/{:.0}h", every / 3_600.0),
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A limit that holds for all workers of a store together. It is kept in the store.
///
/// ```
/// use tasker_runtime::{FleetLimit, LimitKind};
/// let limit = FleetLimit::new(LimitKind::Callable("Billing::Charge".to_owned()))
///     .concurrency(10)
///     .rate("100/s".parse().unwrap());
/// assert_eq!(limit.concurrency, Some(10));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetLimit {
    /// What it is on.
    pub kind: LimitKind,
    /// At most so many attempts at a time; 0 pauses the kind.
    pub concurrency: Option<u32>,
    /// How often attempts may start.
    pub rate: Option<Rate>,
}

impl FleetLimit {
    /// A limit on nothing yet: it needs a concurrency or a rate.
    #[must_use]
    pub fn new(kind: LimitKind) -> Self {
        Self { kind, concurrency: None, rate: None }
    }

    /// At most so many attempts at a time; 0 pauses the kind.
    #[must_use]
    pub fn concurrency(mut self, attempts: u32) -> Self {
        self.concurrency = Some(attempts);
        self
    }

    /// How often attempts may start.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }
}

/// A limit, and what is used of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitRecord {
    /// The limit.
    pub limit: FleetLimit,
    /// How many permits workers hold that are alive: each is for one attempt, running or about to.
    pub held: u32,
    /// How many workers hold them.
    pub workers: u32,
    /// How many workers have none and want some.
    pub waiting: u32,
}

impl LimitRecord {
    pub(crate) fn new(limit: FleetLimit, holders: impl Iterator<Item = Holder>) -> Self {
        let mut record = Self { limit, held: 0, workers: 0, waiting: 0 };
        for holder in holders {
            record.held += holder.held;
            record.workers += u32::from(holder.held > 0);
            record.waiting += u32::from(holder.starved_since.is_some());
        }
        record
    }
}

impl Serialize for LimitRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let FleetLimit { kind, concurrency, rate } = &self.limit;
        let mut record = serializer.serialize_struct("LimitRecord", 7)?;
        record.serialize_field("kind", kind.word())?;
        record.serialize_field("name", kind.name())?;
        record.serialize_field("concurrency", concurrency)?;
        record.serialize_field("rate", rate)?;
        record.serialize_field("held", &self.held)?;
        record.serialize_field("workers", &self.workers)?;
        record.serialize_field("waiting", &self.waiting)?;
        record.end()
    }
}

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct PermitRequest {
    /// For whom.
    pub worker: WorkerId,
    /// For these kinds; those that are not limited are passed over.
    pub wanted: Vec<Wanted>,
    /// The time, for stores that have no clock of their own.
    pub now: Timestamp,
}

/// What a worker wants under one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The kind.
    pub kind: LimitKind,
    /// So many permits it cannot give back in this operation: they are in use, or may be by the time of
    /// the answer.
    pub keep: u32,
    /// So many permits it wants to hold in all. Fewer than it holds gives the others back.
    pub wanted: u32,
    /// So many more starts it wants to be allowed.
    pub starts: u32,
}

impl Wanted {
    /// With what is in use kept, and nothing else.
    #[cfg(feature = "postgres")]
    pub(crate) fn but_nothing_new(&self) -> Self {
        Self { wanted: 0, starts: 0, ..self.clone() }
    }
}

/// The answer to [`Store::permits`](crate::store::Store::permits).
#[derive(Clone, Debug, Default)]
pub struct Permits {
    /// All limits of the store.
    pub limits: Vec<FleetLimit>,
    /// For each kind that was asked for and is limited.
    pub granted: Vec<Granted>,
    /// For how long, from the moment of asking, they are the worker's if it is not heard of; `None` for as
    /// long as it lives.
    pub lasts: Option<Duration>,
}

/// What a worker may do under one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The kind.
    pub kind: LimitKind,
    /// So many permits count as the worker's.
    pub held: u32,
    /// With so many attempts running or more it may not start another; `None` without a limit on that.
    pub most: Option<u32>,
    /// So many starts are allowed, the first after `first_in`, and each of the others a
    /// [`Rate::every`] later.
    pub starts: u32,
    /// When the first of them is; when there are none, when the next one will be.
    pub first_in: Duration,
}

/// Starts are given out for so far ahead.
pub(crate) const AHEAD: Duration = Duration::from_secs(1);
/// A worker that has wanted a permit for so long and has none comes before those that hold some.
const PATIENCE: Duration = Duration::from_secs(1);

/// A worker's part of a limit, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) worker: WorkerId,
    pub(crate) held: u32,
    pub(crate) wanted: u32,
    /// Since when it has wanted a permit and had none.
    pub(crate) starved_since: Option<Timestamp>,
}

impl Holder {
    /// Whether nothing is worth keeping of it.
    pub(crate) fn is_idle(&self) -> bool {
        self.held == 0 && self.wanted == 0
    }
}

/// A limit, and all that is kept of it, at a moment at which nobody else changes it.
#[derive(Clone, Debug)]
pub(crate) struct Ledger<'a> {
    pub(crate) limit: &'a FleetLimit,
    /// Workers that are alive, the one that asks among them if it is known.
    pub(crate) holders: &'a [Holder],
    /// When the next start may be.
    pub(crate) next_start: Option<Timestamp>,
    pub(crate) now: Timestamp,
}

/// What comes of asking.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) granted: Granted,
    pub(crate) holder: Holder,
    /// When the next start may be, if that has changed.
    pub(crate) next_start: Option<Timestamp>,
}

impl Ledger<'_> {
    /// What a worker that is alive is granted. Every store decides by this.
    pub(crate) fn decide(&self, worker: WorkerId, asked: &Wanted) -> Decision {
        let before = self.holders.iter().find(|holder| holder.worker == worker);
        let starved_since = before.and_then(|before| before.starved_since);
        let (most, held) = match self.limit.concurrency {
            None => (None, asked.keep),
            Some(limit) => {
                let own = Holder { worker, held: asked.keep, wanted: asked.wanted, starved_since };
                let others: u32 = self.others(worker).map(|other| other.held).sum();
                let free = limit.saturating_sub(others);
                let most = asked.wanted.min(free).min(self.share(limit, own));
                (Some(most), asked.keep.max(most))
            }
        };
        let starves = held == 0 && asked.wanted > 0 && most == Some(0);
        let starved_since = starves.then(|| starved_since.unwrap_or(self.now));
        let holder = Holder { worker, held, wanted: asked.wanted, starved_since };
        let wanted_starts = if most == Some(0) { 0 } else { asked.starts };
        let (starts, first_in, next_start) = self.starts(wanted_starts);
        let granted = Granted { kind: asked.kind.clone(), held, most, starts, first_in };
        Decision { granted, holder, next_start }
    }

    fn others(&self, worker: WorkerId) -> impl Iterator<Item = &Holder> {
        self.holders.iter().filter(move |holder| holder.worker != worker)
    }

    /// How much is one's own when all take what they want and nobody has more than those who want more
    /// than they get. What does not divide goes first to who has waited for long without any, and then to
    /// who has it already.
    fn share(&self, limit: u32, own: Holder) -> u32 {
        let mut all: Vec<Holder> = self.others(own.worker).copied().chain([own]).collect();
        all.sort_by_key(|holder| holder.wanted);
        let mut left = limit;
        for (index, holder) in all.iter().enumerate() {
            let count = u32::try_from(all.len() - index).unwrap_or(u32::MAX);
            let level = left / count;
            if holder.wanted > level {
                let rest = left % count;
                let mut wanting: Vec<&Holder> = all[index..].iter().collect();
                wanting.sort_by_key(|one| {
                    let waited = one.starved_since.map(|since| self.now.duration_since(since));
                    let is_long = waited.is_some_and(|waited| waited.unsigned_abs() >= PATIENCE);
                    let since = one.starved_since.filter(|_| is_long).unwrap_or(Timestamp::MAX);
                    (since, std::cmp::Reverse(one.held.min(level + 1)), one.worker)
                });
                let place = wanting.iter().position(|one| one.worker == own.worker);
                let is_first = place.is_some_and(|place| u32::try_from(place).unwrap_or(u32::MAX) < rest);
                // Who wants no more than the level has been dealt with: it has what it wants.
                return if own.wanted <= level { own.wanted } else { level + u32::from(is_first) };
            }
            left -= holder.wanted;
        }
        own.wanted
    }

    /// Starts from the next free one on: how many, in how long the first is, and when the next is free.
    fn starts(&self, wanted: u32) -> (u32, Duration, Option<Timestamp>) {
        let Some(rate) = self.limit.rate else { return (0, Duration::ZERO, None) };
        let later = |time: Timestamp, span: Duration| crate::clock::later(time, span);
        let (every, ahead) = (rate.every(), later(self.now, AHEAD));
        // One that is farther off than any that was granted at this rate was left by a lower rate, or by a
        // clock that was ahead.
        let next = self.next_start.unwrap_or(self.now);
        let first = if next > later(ahead, every) { ahead } else { next.max(self.now) };
        let first_in = span(self.now, first);
        let fit = if first > ahead { 0 } else { span(first, ahead).as_micros() / every.as_micros() + 1 };
        let starts = wanted.min(u32::try_from(fit).unwrap_or(u32::MAX));
        (starts, first_in, (starts > 0).then(|| later(first, every.saturating_mul(starts))))
    }
}

/// From one time to a later one.
fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_microsecond(micros).unwrap()
    }

    fn holder(worker: u128, held: u32, wanted: u32, starved: Option<i64>) -> Holder {
        let worker = WorkerId(uuid::Uuid::from_u128(worker));
        Holder { worker, held, wanted, starved_since: starved.map(at) }
    }

    #[track_caller]
    fn check_shares(limit: u32, holders: &[Holder], shares: &[u32]) {
        let kept = FleetLimit::new(LimitKind::Namespace("n".to_owned())).concurrency(limit);
        let ledger = Ledger { limit: &kept, holders, next_start: None, now: at(5_000_000) };
        let found: Vec<u32> = holders.iter().map(|own| ledger.share(limit, *own)).collect();
        assert_eq!(found, shares);
        assert!(found.iter().sum::<u32>() <= limit);
    }

    #[test]
    fn nobody_has_more_than_one_who_wants_more_than_it_gets() {
        check_shares(10, &[holder(1, 10, 20, None), holder(2, 0, 1, None)], &[9, 1]);
        check_shares(10, &[holder(1, 10, 20, None), holder(2, 0, 20, None)], &[5, 5]);
        check_shares(10, &[holder(1, 2, 2, None), holder(2, 3, 3, None)], &[2, 3]);
        check_shares(10, &[holder(1, 3, 8, None), holder(2, 4, 8, None), holder(3, 3, 8, None)], &[3, 4, 3]);
        check_shares(0, &[holder(1, 1, 3, None)], &[0]);
    }

    #[test]
    fn what_does_not_divide_goes_to_who_has_waited_for_long() {
        check_shares(1, &[holder(1, 1, 2, None), holder(2, 0, 1, Some(4_500_000))], &[1, 0]);
        check_shares(1, &[holder(1, 1, 2, None), holder(2, 0, 1, Some(3_900_000))], &[0, 1]);
        let waiting = [holder(1, 0, 1, Some(2)), holder(2, 0, 1, Some(1)), holder(3, 2, 2, None)];
        check_shares(2, &waiting, &[1, 1, 0]);
    }

    #[track_caller]
    fn check_rate(text: &str, every: Duration, shown: &str) {
        let rate: Rate = text.parse().unwrap();
        assert_eq!((rate.every(), rate.to_string().as_str()), (every, shown));
        assert_eq!(rate.to_string().parse::<Rate>().unwrap().to_string(), shown);
    }

    #[test]
    fn a_rate_is_shown_as_it_was_written() {
        check_rate("100/s", Duration::from_millis(10), "100/s");
        check_rate("3/s", Duration::from_micros(333_334), "3/s");
        check_rate("60/min", Duration::from_secs(1), "1/s");
        check_rate("7/min", Duration::from_micros(8_571_429), "7/min");
        check_rate("5/10s", Duration::from_secs(2), "30/min");
        check_rate("5/36s", Duration::from_millis(7_200), "500/h");
        check_rate(" 1 / h", Duration::from_secs(3_600), "1/h");
        check_rate("1/3d", Duration::from_secs(3 * 86_400), "1/72h");
        check_rate("1000000/s", Duration::from_micros(1), "1000000/s");
        for text in [
            "",
            "100",
            "/s",
            "0/s",
            "-1/s",
            "1.5/s",
            "1/",
            "1/0s",
            "1/week",
            "2000000/s",
            "1/999999999999999999d",
        ] {
            assert_eq!(text.parse::<Rate>(), Err(RateError), "{text}");
        }
    }
}
