//! Dead letters: the queue of tasks that were given up, each with the reason and its status.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tasker_store::{
    ActionRecord, DeadLetterReason, DeadLetterStatus, TaskFilter, TaskHead, TaskId, TaskState,
    TemplateRecord, WaitingFor, chain,
};

use crate::client::error::Error;
use crate::client::tasker::Tasker;

/// A task that was given up: an entry in the queue of tasks that an operator should look at.
///
/// A task has a dead letter for each time that it was given up, and at most one that is pending. A
/// [retry](Tasker::retry) of the task resolves it, and so does [`investigate`](Tasker::investigate), which
/// sets its status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The task.
    pub task: TaskId,
    /// Its template's namespace.
    pub namespace: String,
    /// Its template's name.
    pub name: String,
    /// Its template's version.
    pub version: String,
    /// The task's present state.
    pub state: TaskState,
    /// The state that it was in; `None` for tasks that an older version of Tasker gave up.
    pub original_state: Option<TaskState>,
    /// What it was waiting for; `None` when it waited for nothing.
    pub waiting_for: Option<WaitingFor>,
    /// Why it was given up.
    pub reason: DeadLetterReason,
    /// When it was given up.
    pub at: Timestamp,
    /// Who gave it up: an operator, or `staleness`.
    pub by: String,
    /// The reason that was given.
    pub message: String,
    /// The status of the dead letter.
    pub status: DeadLetterStatus,
    /// When its status was set, unless it is pending.
    pub resolved_at: Option<Timestamp>,
    /// Who set its status, unless it is pending.
    pub resolved_by: Option<String>,
    /// The notes of the operator who set its status.
    pub notes: Option<String>,
    /// Its priority in the queue while it is pending, the highest first. A stale task begins with 100 points,
    /// any other with 10, and each gets a point for every minute in the queue.
    pub priority: Option<i64>,
}

/// Which dead letters to list: those that meet every condition; fifty unless said otherwise.
///
/// ```
/// use tasker::operate::{DeadLetterFilter, DeadLetterStatus};
/// let filter = DeadLetterFilter::new().statuses([DeadLetterStatus::Pending]).namespace("billing");
/// assert_eq!(filter.limit, 50);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeadLetterFilter {
    /// With one of these; none given, with any.
    pub statuses: Vec<DeadLetterStatus>,
    /// Of tasks of this namespace.
    pub namespace: Option<String>,
    /// At most this many.
    pub limit: usize,
}

impl Default for DeadLetterFilter {
    fn default() -> Self {
        Self { statuses: Vec::new(), namespace: None, limit: 50 }
    }
}

impl DeadLetterFilter {
    /// The first fifty dead letters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one of these; none given, with any.
    #[must_use]
    pub fn statuses(mut self, statuses: impl IntoIterator<Item = DeadLetterStatus>) -> Self {
        self.statuses = statuses.into_iter().collect();
        self
    }

    /// Of tasks of this namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// At most this many.
    #[must_use]
    pub fn limit(mut self, letters: usize) -> Self {
        self.limit = letters;
        self
    }
}

impl Tasker {
    /// The dead letters that meet the filter: pending ones by their priority, then the others, the newest
    /// first.
    ///
    /// # Errors
    ///
    /// When the store fails.
    ///
    /// ```
    /// # use tasker::{Error, Tasker, operate::{DeadLetterFilter, DeadLetterStatus}};
    /// async fn next(tasker: &Tasker) -> Result<(), Error> {
    ///     let filter = DeadLetterFilter::new().statuses([DeadLetterStatus::Pending]);
    ///     for letter in tasker.dead_letters(filter).await? {
    ///         println!("{}: {}", letter.task, letter.message);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub async fn dead_letters(&self, filter: DeadLetterFilter) -> Result<Vec<DeadLetter>, Error> {
        /// The number of tasks in one query.
        const PAGE: usize = 200;
        let (store, now) = (&self.engine().store, self.engine().clock.now());
        let is_wanted = |status| filter.statuses.is_empty() || filter.statuses.contains(&status);
        // A task leaves the state `error` only when it is reopened, which resolves its dead letter.
        let reopened = is_wanted(DeadLetterStatus::ManuallyResolved);
        let mut page = TaskFilter::new().given_up().limit(PAGE);
        page.states = if reopened { Vec::new() } else { vec![TaskState::Error] };
        page.namespace = filter.namespace.clone();
        let (mut letters, mut templates) = (Vec::new(), HashMap::new());
        loop {
            let heads = store.tasks(page.clone()).await?;
            page.before = heads.last().map(|head| head.id);
            // A page may be shorter than it could be, for what cannot be read is left out.
            let is_last = heads.is_empty();
            for head in heads {
                let template = match templates.entry(head.template) {
                    Entry::Occupied(entry) => entry.into_mut(),
                    Entry::Vacant(entry) => entry.insert(store.template(head.template).await?),
                };
                match store.task(head.id).await {
                    Ok(Some(record)) => {
                        letters.extend(of_task(&record.head, template.as_deref(), &record.actions, now));
                    }
                    Ok(None) => {}
                    // A task that cannot be read does not hide the others.
                    Err(error) if error.is_lasting() => {
                        let (task, error) = (head.id, chain(&error));
                        tracing::error!(%task, %error, "a task cannot be read; it is left out of the list");
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            if is_last {
                break;
            }
        }
        letters.retain(|letter| is_wanted(letter.status));
        letters.sort_by_key(|letter| (Reverse(letter.priority), Reverse(letter.at)));
        letters.truncate(filter.limit);
        Ok(letters)
    }
}

/// The dead letters of a task, one for each time that it was given up.
fn of_task(
    head: &TaskHead,
    template: Option<&TemplateRecord>,
    actions: &[ActionRecord],
    now: Timestamp,
) -> Vec<DeadLetter> {
    let named = |name: fn(&TemplateRecord) -> &String| {
        template.map_or_else(|| "?".to_owned(), |template| name(template).clone())
    };
    let given_up = (1..).zip(actions).filter(|(_, action)| action.action == "give_up");
    let letter = |(next, action): (usize, &ActionRecord)| {
        let (status, resolution) = resolution(&actions[next..]);
        let resolved = resolution.filter(|_| status != DeadLetterStatus::Pending);
        let reason = action.details.dead_letter.unwrap_or(match action.by.as_str() {
            "staleness" => DeadLetterReason::StalenessTimeout,
            _ => DeadLetterReason::ManualDlq,
        });
        DeadLetter {
            task: head.id,
            namespace: named(|template| &template.namespace),
            name: named(|template| &template.name),
            version: named(|template| &template.version),
            state: head.state,
            original_state: action.details.original_state,
            waiting_for: action.details.waiting_for,
            reason,
            at: action.at,
            by: action.by.clone(),
            message: action.reason.clone(),
            status,
            resolved_at: resolved.map(|action| action.at),
            resolved_by: resolved.map(|action| action.by.clone()),
            notes: resolution.map(|action| action.reason.clone()),
            priority: (status == DeadLetterStatus::Pending).then(|| priority(reason, action.at, now)),
        }
    };
    given_up.map(letter).collect()
}

/// The status of a dead letter by the actions that followed it, and the action that set the status.
fn resolution(after: &[ActionRecord]) -> (DeadLetterStatus, Option<&ActionRecord>) {
    let reopened = after.iter().position(|action| action.action != "investigate");
    match reopened {
        Some(reopened) => (DeadLetterStatus::ManuallyResolved, Some(&after[reopened])),
        None => {
            let noted = after.last();
            (noted.and_then(|noted| noted.details.status).unwrap_or(DeadLetterStatus::Pending), noted)
        }
    }
}

fn priority(reason: DeadLetterReason, at: Timestamp, now: Timestamp) -> i64 {
    let base = match reason {
        DeadLetterReason::StalenessTimeout => 100,
        _ => 10,
    };
    base + now.duration_since(at).as_mins().max(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tasker_store::ActionDetails;

    /// The dead letters of a task with these actions at minute 100. There is one action a minute, each
    /// written as `word` or `word status`.
    #[track_caller]
    fn check(actions: &[&str], expected: &[(&str, Option<&str>, Option<i64>)]) {
        let at = |minute: i64| Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap();
        let record = |(minute, text): (i64, &&str)| {
            let (action, status) = text.split_once(' ').unwrap_or((text, ""));
            let status = status.parse().ok();
            let mut details = ActionDetails::default();
            details.status = status;
            ActionRecord {
                action: action.to_owned(),
                runs: Vec::new(),
                by: format!("{minute}"),
                reason: "why not".to_owned(),
                at: at(minute),
                details,
            }
        };
        let actions: Vec<_> = (0..).zip(actions).map(record).collect();
        let id = TaskId::random();
        let head = TaskHead {
            id,
            template: tasker_store::TemplateId::of(""),
            state: TaskState::Error,
            correlation_id: id.0,
            context: tasker_store::Json::from_text("{}".to_owned()).unwrap(),
            priority: 0,
            origin: tasker_store::Origin::default(),
            created_at: at(0),
            settled_at: None,
        };
        let letters = of_task(&head, None, &actions, at(100));
        let told: Vec<_> = letters
            .iter()
            .map(|letter| (letter.status.as_str(), letter.resolved_by.as_deref(), letter.priority))
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn the_last_word_counts_and_reopening_is_the_very_last() {
        check(&["retry", "give_up"], &[("pending", None, Some(109))]);
        check(&["give_up", "investigate pending"], &[("pending", None, Some(110))]);
        check(
            &["give_up", "investigate permanently_failed", "investigate cancelled"],
            &[("cancelled", Some("2"), None)],
        );
        check(
            &["give_up", "investigate permanently_failed", "retry", "retry", "cancel"],
            &[("manually_resolved", Some("2"), None)],
        );
        check(
            &["give_up", "retry", "give_up", "investigate permanently_failed"],
            &[("manually_resolved", Some("1"), None), ("permanently_failed", Some("3"), None)],
        );
    }
}
