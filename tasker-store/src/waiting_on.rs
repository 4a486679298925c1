//! What a step or a task waits for, as it is told to people and programs.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::WorkerId;
use crate::word::words;

words! {
    /// The kind of thing that a step waits for.
    ///
    /// ```
    /// assert_eq!(tasker::task::WaitKind::NoWorker.as_str(), "no_worker");
    /// ```
    WaitKind, "kind of waiting" {
        /// For a step that it depends on.
        Dependency = "dependency",
        /// For the time at which its task is to begin.
        Future = "future",
        /// For the time of its next attempt.
        Backoff = "backoff",
        /// For a fleet limit that is in use up to its bound.
        Limit = "limit",
        /// For a fleet limit of 0 to be raised or removed.
        Paused = "paused",
        /// For a worker that can run it: none that is alive can.
        NoWorker = "no_worker",
        /// For one of the workers that can run it to have room.
        Worker = "worker",
        /// For a worker that runs it to finish its attempt.
        InProcess = "in_process",
        /// For an operator: it failed for good.
        Operator = "operator",
    }
}

/// A thing that a step or a task waits for. Its text is a sentence without its subject: `waits for step
/// \`charge\``.
///
/// ```
/// use tasker::task::{WaitKind, WaitingOn};
/// let waits = WaitingOn::new(WaitKind::Dependency, "charge");
/// assert_eq!(waits.to_string(), "waits for step `charge`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WaitingOn {
    /// The kind of thing.
    pub kind: WaitKind,
    /// The thing: a step's name; of `limit` and `paused` the scope, such as `callable Billing::Charge`; of
    /// `no_worker` what no worker has, such as `namespace billing`, or `any`; of `worker` the callable.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Since when it waits, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When it goes on, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Who has what it waits for: under a limit, the workers that hold permits; of `in_process`, the workers
    /// that run it; of `worker`, those that can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<WaitHolder>,
}

/// The workers that have what a step waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WaitHolder {
    /// How much of it is in use, in attempts.
    pub in_use: u32,
    /// How much of it there is, in attempts; `None` where that has no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u32>,
    /// Each of the workers.
    pub workers: Vec<HoldingWorker>,
}

/// A worker that has some of what a step waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HoldingWorker {
    /// The worker.
    pub worker: WorkerId,
    /// The machine that it runs on; `None` for a worker that the store no longer knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whether it is alive. Others take over the work of a dead worker.
    pub alive: bool,
    /// How much it has, in attempts.
    pub count: u32,
}

impl WaitingOn {
    /// Waiting for this, of which nothing else is known yet.
    #[must_use]
    pub fn new(kind: WaitKind, reference: impl Into<String>) -> Self {
        Self { kind, reference: reference.into(), since: None, until: None, holder: None }
    }

    /// Since when it waits.
    #[must_use]
    pub fn since(mut self, since: Option<Timestamp>) -> Self {
        self.since = since;
        self
    }

    /// When it goes on.
    #[must_use]
    pub fn until(mut self, until: Option<Timestamp>) -> Self {
        self.until = until;
        self
    }

    /// Who has what it waits for.
    #[must_use]
    pub fn holder(mut self, holder: WaitHolder) -> Self {
        self.holder = Some(holder);
        self
    }

    /// Adds this to a list. Where the list has the same thing already, the two become one: since the earlier
    /// time, until the earlier time, with the workers of both.
    pub fn add_to(self, list: &mut Vec<Self>) {
        let same = |one: &&mut Self| (one.kind, &one.reference) == (self.kind, &self.reference);
        let Some(same) = list.iter_mut().find(same) else { return list.push(self) };
        same.since = same.since.into_iter().chain(self.since).min();
        same.until = same.until.into_iter().chain(self.until).min();
        let Some(holder) = self.holder else { return };
        let known = same.holder.get_or_insert_default();
        known.of = known.of.or(holder.of);
        for worker in holder.workers {
            if !known.workers.iter().any(|one| one.worker == worker.worker) {
                known.in_use += worker.count;
                known.workers.push(worker);
            }
        }
    }
}

impl WaitHolder {
    /// These workers, which have what their counts add up to.
    #[must_use]
    pub fn new(workers: Vec<HoldingWorker>, of: Option<u32>) -> Self {
        Self { in_use: workers.iter().map(|worker| worker.count).sum(), of, workers }
    }

    /// How much of it is in use, and by whom: `5 of 5 in use by worker …`.
    fn described(&self, what: &str) -> String {
        let of = self.of.map(|of| format!(" of {of}")).unwrap_or_default();
        let by = match &self.workers[..] {
            [] => String::new(),
            [one] => format!(" by {one}"),
            [one, others @ ..] if others.len() == 1 => format!(" by {one} and {}", others[0]),
            all => format!(" by {} workers", all.len()),
        };
        format!("{}{of}{what} in use{by}", self.in_use)
    }
}

impl HoldingWorker {
    /// A worker that has so much.
    #[must_use]
    pub fn new(worker: WorkerId, host: Option<String>, alive: bool, count: u32) -> Self {
        Self { worker, host, alive, count }
    }
}

impl fmt::Display for HoldingWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {}", self.worker)?;
        if let Some(host) = self.host.as_ref().filter(|host| !host.is_empty()) {
            write!(f, " on {host}")?;
        }
        if self.alive { Ok(()) } else { f.write_str(", which is dead") }
    }
}

/// A time as people read it.
fn moment(at: Timestamp) -> impl fmt::Display {
    at.strftime("%Y-%m-%d %H:%M:%SZ")
}

/// `callable X` with the name in quotes.
fn quoted(reference: &str) -> String {
    match reference.split_once(' ') {
        Some((word, name)) => format!("{word} `{name}`"),
        None => format!("`{reference}`"),
    }
}

impl fmt::Display for WaitingOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, reference, since, until, holder } = self;
        let until = until.map(|until| format!(", until {}", moment(until))).unwrap_or_default();
        let used = |what| holder.as_ref().map(|holder| format!(" ({})", holder.described(what)));
        match kind {
            WaitKind::Dependency => write!(f, "waits for step `{reference}`")?,
            // Since when is of no interest: the time that counts is the one to come.
            WaitKind::Future => {
                return match self.until {
                    Some(until) => write!(f, "begins at {}", moment(until)),
                    None => f.write_str("begins later"),
                };
            }
            WaitKind::Backoff => write!(f, "waits for the next attempt of step `{reference}`{until}")?,
            WaitKind::Limit => {
                let used = used("").unwrap_or_default();
                write!(f, "waits for the limit on {}{used}{until}", quoted(reference))?;
            }
            WaitKind::Paused => write!(f, "waits, because {} is paused", quoted(reference))?,
            WaitKind::NoWorker => {
                let why = match reference.split_once(' ') {
                    Some(("callable", name)) => format!("none that is alive has a handler for `{name}`"),
                    Some(("namespace", name)) => format!("none that is alive serves namespace `{name}`"),
                    Some(("environment", name)) => format!("none that is alive has environment `{name}`"),
                    Some(("no", "environment")) => "none that is alive is without an environment".to_owned(),
                    _ => "none is alive".to_owned(),
                };
                write!(f, "waits for a worker that can run it: {why}")?;
            }
            WaitKind::Worker => {
                let used = used(" places").unwrap_or_default();
                write!(f, "waits for a worker that has room for `{reference}`{used}")?;
            }
            WaitKind::InProcess => match holder.as_ref().map(|holder| &holder.workers[..]) {
                Some([one]) if one.alive => write!(f, "step `{reference}` is run by {one}")?,
                Some([one]) => {
                    write!(f, "step `{reference}` was run by {one}; it waits for another to take it over")?
                }
                Some(several) if !several.is_empty() => {
                    write!(f, "step `{reference}` is run by {} workers", several.len())?;
                }
                _ if reference.is_empty() => f.write_str("a step of it is run")?,
                _ => write!(f, "step `{reference}` is run")?,
            },
            WaitKind::Operator => write!(f, "waits for an operator: step `{reference}` failed for good")?,
        }
        since.map_or(Ok(()), |since| write!(f, ", since {}", moment(since)))
    }
}
