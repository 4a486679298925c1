//! A task to create, as arguments describe it.

use std::fs::File;
use std::io::{self, Read as _};
use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use serde_json::json;
use tasker_runtime::error::chain;
use tasker_runtime::json::Json;
use tasker_runtime::{Builder, Error, IdentityStrategy, NewTask, TaskId};

use crate::cli::output::{FAILED, fail, print};
use crate::cli::time::{Moment, moment};

/// A task of a template.
#[derive(Debug, Args)]
pub(super) struct TaskOptions {
    /// The task's context: a JSON object, or @FILE
    #[arg(long, default_value = "{}", value_name = "JSON|@FILE", value_parser = context)]
    pub(super) context: Json,
    /// Which of the template's environments applies
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    #[command(flatten)]
    pub(super) creation: Creation,
}

/// What a task is created with besides its context.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(super) struct Creation {
    /// Create the task once under this key, however often it is asked for
    #[arg(long, value_name = "KEY", conflicts_with = "identity")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    idempotency_key: Option<String>,
    /// What makes a task the same as another one, unless a key does
    #[arg(long, value_name = "STRATEGY")]
    identity: Option<Identity>,
    /// Its place among others, from -100 to 100: a point is worth a minute of waiting
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(i32).range(-100..=100))]
    priority: Option<i32>,
    /// A word to find it by; may be given several times
    #[arg(long, value_name = "TAG", value_parser = NonEmptyStringValueParser::new())]
    tag: Vec<String>,
    /// Not before this time, such as `2026-11-24T10:00:00Z`, or `10m` for 10 minutes from now
    #[arg(long, value_name = "TIME|DURATION", value_parser = moment)]
    run_at: Option<Moment>,
    /// What ties it to other work
    #[arg(long, value_name = "UUID")]
    correlation_id: Option<TaskId>,
    /// The correlation id of the work that it is a part of
    #[arg(long, value_name = "UUID")]
    parent_correlation_id: Option<TaskId>,
    /// Who asks for it
    #[arg(long, value_name = "NAME")]
    initiator: Option<String>,
    /// The system that asks for it
    #[arg(long, value_name = "NAME")]
    source_system: Option<String>,
    /// Why it is asked for
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Identity {
    /// The template and the context
    Strict,
    /// Nothing: every task is a new one
    AlwaysUnique,
}

impl Creation {
    /// Whether it says when the task is to begin.
    pub(super) fn is_timed(&self) -> bool {
        self.run_at.is_some()
    }
}

impl TaskOptions {
    /// The runtime that is to create it.
    pub(super) fn prepare(&self, builder: Builder) -> Builder {
        match &self.environment {
            Some(environment) => builder.environment(environment),
            None => builder,
        }
    }
}

impl Creation {
    /// The task with all that is said here.
    pub(super) fn apply(&self, task: NewTask) -> NewTask {
        fn with<T>(task: NewTask, value: Option<T>, set: impl FnOnce(NewTask, T) -> NewTask) -> NewTask {
            match value {
                Some(value) => set(task, value),
                None => task,
            }
        }
        let own = self.clone();
        let identity = own.identity.map(|identity| match identity {
            Identity::Strict => IdentityStrategy::Strict,
            Identity::AlwaysUnique => IdentityStrategy::AlwaysUnique,
        });
        let task = own.tag.into_iter().fold(task, NewTask::tag);
        let task = with(task, identity, NewTask::identity);
        let task = with(task, own.idempotency_key, NewTask::idempotency_key);
        let task = with(task, own.priority, NewTask::priority);
        let task = match own.run_at {
            Some(Moment::At(time)) => task.run_at(time),
            Some(Moment::In(delay)) => task.run_in(delay),
            None => task,
        };
        let task = with(task, own.correlation_id.map(|id| id.0), NewTask::correlation_id);
        let task = with(task, own.parent_correlation_id.map(|id| id.0), NewTask::parent_correlation_id);
        let task = with(task, own.initiator, NewTask::initiator);
        let task = with(task, own.source_system, NewTask::source_system);
        with(task, own.reason, NewTask::reason)
    }
}

/// Says what went wrong; as JSON, also which task kept another from being created.
pub(super) fn refused(error: &Error, json: bool) -> ExitCode {
    let duplicate = match error {
        Error::AlreadyExists { task, same_context: Some(false), .. } => Some((task, "key_reused")),
        Error::AlreadyExists { task, .. } => Some((task, "duplicate")),
        _ => None,
    };
    if let Some((id, code)) = duplicate.filter(|_| json) {
        let message = chain(error);
        print(&json!({ "created": false, "id": id, "error": code, "message": message }).to_string());
    }
    fail(FAILED, chain(error))
}

/// The context with all its digits, as it was written.
pub(super) fn context(text: &str) -> Result<Json, String> {
    let text = match text.strip_prefix('@') {
        Some(path) => read(path).map_err(|error| format!("cannot read {path}: {error}"))?,
        None => text.to_owned(),
    };
    let json = Json::from_text(text).map_err(|error| format!("the context is not JSON: {error}"))?;
    if json.get().starts_with('{') { Ok(json) } else { Err("the context must be a JSON object".to_owned()) }
}

/// The text of a file, which may be a pipe or a device.
fn read(path: &str) -> io::Result<String> {
    let mut text = String::new();
    // No limit of a context is higher.
    let most = 256 << 20;
    let read = File::open(path)?.take(most + 1).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read <= most) {
        return Ok(text);
    }
    Err(io::Error::other(format!("it has more than {most} bytes")))
}
