//! A task to create, as an application describes it.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tasker_store::{DEEPEST, Json, JsonWriteError, LARGEST, Origin};
use uuid::Uuid;

use crate::client::error::ContextError;

/// A task to create.
#[derive(Clone, Debug)]
pub struct NewTask {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) version: Version,
    pub(super) context: Result<Json, NoContext>,
    pub(super) correlation_id: Option<Uuid>,
    /// `None` where nothing is said.
    pub(super) identity: Option<IdentityStrategy>,
    pub(super) begins: Begins,
    pub(super) priority: i32,
    pub(super) origin: Origin,
}

/// When a task starts at the earliest.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begins {
    AtOnce,
    At(Timestamp),
    /// This long after its creation.
    After(Duration),
}

impl Begins {
    /// The time, if it is later than the task's creation. A delay beyond all times ends with the last of them.
    pub(super) fn later_than(self, created_at: Timestamp) -> Option<Timestamp> {
        let time = match self {
            Self::AtOnce => return None,
            Self::At(time) => time,
            Self::After(delay) => created_at.checked_add(delay).unwrap_or(Timestamp::MAX),
        };
        Some(time).filter(|time| *time > created_at)
    }
}

/// Why a value cannot be the context of a task.
#[derive(Clone, Debug)]
pub(super) enum NoContext {
    /// It is something else than an object.
    NotAnObject(String),
    /// It cannot be written as JSON.
    NotWritten(JsonWriteError),
}

/// Which version of its template a task is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// The only one that there is.
    Only,
    /// This one.
    Is(String),
    /// The latest that there is.
    Latest,
}

/// What makes two tasks the same, so that the second is not created. This holds until the first is deleted,
/// in whatever state it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityStrategy {
    /// Nothing: every request creates a task.
    #[default]
    AlwaysUnique,
    /// The template and the context, in which the order of keys does not matter.
    Strict,
    /// The template and this key. [`Error::AlreadyExists`](crate::Error::AlreadyExists) says whether the
    /// other task has another context.
    CallerProvided(String),
}

/// A context as JSON. The runtime that takes it has limits of its own, which are not known here.
pub(super) fn written_context<C: Serialize + ?Sized>(context: &C) -> Result<Json, NoContext> {
    let json = Json::within(context, LARGEST, DEEPEST).map_err(NoContext::NotWritten)?;
    match json.get().as_bytes().first() {
        Some(b'{') => Ok(json),
        _ => {
            let found = json.get().chars().take(40).collect::<String>();
            Err(NoContext::NotAnObject(format!("it is `{found}`")))
        }
    }
}

impl NewTask {
    /// A task of the template `name` in `namespace`, with `context` as its input.
    #[must_use]
    pub fn new<C: Serialize + ?Sized>(
        namespace: impl Into<String>,
        name: impl Into<String>,
        context: &C,
    ) -> Self {
        let context = written_context(context);
        Self {
            namespace: namespace.into(),
            name: name.into(),
            version: Version::Only,
            context,
            correlation_id: None,
            identity: None,
            begins: Begins::AtOnce,
            priority: 0,
            origin: Origin::default(),
        }
    }

    /// The version of the template; needed only when there are several.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Version::Is(version.into());
        self
    }

    /// The latest version of the template that this runtime has: `1.10.0` is later than `1.9.2`.
    ///
    /// ```
    /// use tasker::NewTask;
    /// let task = NewTask::new("shop", "fulfil", &serde_json::json!({ "order": 7 })).latest();
    /// ```
    #[must_use]
    pub fn latest(mut self) -> Self {
        self.version = Version::Latest;
        self
    }

    /// The id that the task shares with related work.
    #[must_use]
    pub fn correlation_id(mut self, id: Uuid) -> Self {
        self.correlation_id = Some(id);
        self
    }

    /// The correlation id of the work that this is a part of.
    #[must_use]
    pub fn parent_correlation_id(mut self, id: Uuid) -> Self {
        self.origin.parent_correlation_id = Some(id);
        self
    }

    /// What makes the task the same as an earlier one, so that it is not created.
    #[must_use]
    pub fn identity(mut self, strategy: IdentityStrategy) -> Self {
        self.identity = Some(strategy);
        self
    }

    /// An idempotency key: the task is created once, however often it is requested with this key. Sets
    /// [`IdentityStrategy::CallerProvided`].
    ///
    /// ```
    /// use tasker::NewTask;
    /// let context = serde_json::json!({ "order": 7 });
    /// let task = NewTask::new("shop", "fulfil", &context).idempotency_key("order-7");
    /// ```
    #[must_use]
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.identity(IdentityStrategy::CallerProvided(key.into()))
    }

    /// The earliest time at which the task starts.
    #[must_use]
    pub fn run_at(mut self, time: Timestamp) -> Self {
        self.begins = Begins::At(time);
        self
    }

    /// How long after its creation the task starts at the earliest, by the clock that the store goes by: on
    /// PostgreSQL the database's.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tasker::NewTask;
    /// let context = serde_json::json!({ "order": 7 });
    /// let task = NewTask::new("shop", "remind", &context).run_in(Duration::from_secs(3 * 86_400));
    /// ```
    #[must_use]
    pub fn run_in(mut self, delay: Duration) -> Self {
        self.begins = Begins::After(delay);
        self
    }

    /// The priority, from -100 to 100; the default is 0. When steps wait for a free worker, a point of
    /// priority counts as much as a minute of waiting.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// A word to find the task by; may be given several times.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.origin.tags.push(tag.into());
        self
    }

    /// Who asks for it.
    #[must_use]
    pub fn initiator(mut self, name: impl Into<String>) -> Self {
        self.origin.initiator = Some(name.into());
        self
    }

    /// The system that asks for it.
    #[must_use]
    pub fn source_system(mut self, name: impl Into<String>) -> Self {
        self.origin.source_system = Some(name.into());
        self
    }

    /// Why it is asked for.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.origin.reason = Some(reason.into());
        self
    }

    /// What makes the task the same as an earlier one, as it was said or by default.
    pub(super) fn strategy(&self) -> IdentityStrategy {
        self.identity.clone().unwrap_or_default()
    }

    /// The namespace and the name of the template, for the command line.
    #[doc(hidden)]
    #[must_use]
    pub fn template(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }

    /// Whether it says what makes the task the same as an earlier one, for the command line.
    #[doc(hidden)]
    #[must_use]
    pub fn is_identified(&self) -> bool {
        self.identity.is_some()
    }

    /// Whether it says anything besides the template and the context, for the command line.
    #[doc(hidden)]
    #[must_use]
    pub fn has_options(&self) -> bool {
        let is_plain = self.correlation_id.is_none()
            && self.identity.is_none()
            && matches!(self.begins, Begins::AtOnce)
            && self.priority == 0
            && self.origin == Origin::default();
        !is_plain
    }

    /// The context as JSON, for the command line.
    ///
    /// # Errors
    ///
    /// When it is no JSON object.
    #[doc(hidden)]
    pub fn written_context(&self) -> Result<Json, ContextError> {
        self.context.clone().map_err(|error| match error {
            NoContext::NotAnObject(found) => ContextError::NotAnObject(found),
            NoContext::NotWritten(error) => ContextError::Unwritable(error.to_string()),
        })
    }
}
