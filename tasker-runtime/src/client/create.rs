//! Creating tasks: finding the template, checking the request, and passing it to the store.

use std::collections::BTreeSet;
use std::sync::Arc;

use tasker_store::{Json, NewTaskRecord, TaskId, beginning};
use tasker_template::{compare_versions, nearest};

use crate::build::bind::BoundTemplate;
use crate::client::error::{ContextError, Error, described};
use crate::client::identity;
use crate::client::new_task::{IdentityStrategy, NewTask, NoContext, Version};
use crate::client::text;
use crate::engine::Engine;
use crate::handler::TaskFacts;

pub(crate) async fn create(engine: &Arc<Engine>, task: NewTask) -> Result<TaskId, Error> {
    if engine.is_stopped() {
        return Err(Error::ShutDown);
    }
    let identity = task.strategy();
    let record = record(engine, task)?;
    let (id, context) = (record.id, record.context.clone());
    let facts = TaskFacts { id, correlation_id: record.correlation_id, context: context.clone() };
    match engine.create(record, facts).await? {
        None => Ok(id),
        Some(other) => Err(already_exists(identity, &context, Some((other.id, other.context)))),
    }
}

#[cfg(feature = "postgres")]
pub(crate) async fn create_in(
    engine: &Engine,
    transaction: &mut dyn tasker_postgres::Executor,
    task: NewTask,
) -> Result<TaskId, Error> {
    let strategy = task.strategy();
    let record = record(engine, task)?;
    let store = &engine.store;
    let statement = store.create_task_sql(&record)?;
    if transaction.execute(&statement).await.map_err(Error::Transaction)? > 0 {
        return Ok(record.id);
    }
    // The other task is committed and visible here, unless the caller's own transaction has created it.
    let other = match &record.identity {
        Some(identity) => store.task_of_identity(identity).await?,
        None => None,
    };
    Err(already_exists(strategy, &record.context, other))
}

/// The error for a task that is the same as `other`, an earlier one.
fn already_exists(strategy: IdentityStrategy, context: &Json, other: Option<(TaskId, Json)>) -> Error {
    let key = match strategy {
        IdentityStrategy::CallerProvided(key) => Some(key),
        _ => None,
    };
    let same_context = other.as_ref().map(|(_, own)| identity::same(own, context));
    Error::AlreadyExists { task: other.map(|(id, _)| id), same_context, key }
}

/// A context that keeps to the limits and fits the template's schema.
pub(super) fn checked_context(
    engine: &Engine,
    bound: &BoundTemplate,
    context: Result<Json, NoContext>,
) -> Result<Json, ContextError> {
    let limits = &engine.settings.payload_limits;
    let context = context.map_err(|error| match error {
        NoContext::NotAnObject(found) => ContextError::NotAnObject(found),
        NoContext::NotWritten(error) => limits.context_refused(error),
    })?;
    limits.check_context(&context)?;
    if let Some(schema) = &bound.input_schema {
        schema.check(&context).map_err(ContextError::Schema)?;
    }
    Ok(context)
}

/// The record of a new task that has been checked, for the store.
fn record(engine: &Engine, task: NewTask) -> Result<NewTaskRecord, Error> {
    let bound = template(engine.templates.current(), &task)?;
    text::check_new_task(&task)?;
    let strategy = task.strategy();
    let context = checked_context(engine, bound, task.context)?;
    if !(-100..=100).contains(&task.priority) {
        return Err(Error::InvalidPriority(task.priority));
    }
    let created_at = engine.clock.now();
    let id = TaskId::at(created_at);
    Ok(NewTaskRecord {
        id,
        template: bound.id,
        correlation_id: task.correlation_id.unwrap_or(id.0),
        identity: identity::hash(&bound.template, &strategy, &context),
        context,
        created_at,
        // A task that is due already runs at once.
        run_at: task.begins.later_than(created_at),
        priority: task.priority,
        origin: task.origin,
        graph: Arc::clone(bound.plan.graph()),
    })
}

/// The template of the request: exactly one must match.
fn template<'t>(current: &'t [Arc<BoundTemplate>], task: &NewTask) -> Result<&'t BoundTemplate, Error> {
    let named = |bound: &&Arc<BoundTemplate>| {
        bound.template.namespace == task.namespace && bound.template.name == task.name
    };
    let mut versions: Vec<&Arc<BoundTemplate>> = current.iter().filter(named).collect();
    versions.sort_by(|one, other| compare_versions(&one.template.version, &other.template.version));
    let found = match (&task.version, versions.as_slice()) {
        (Version::Only, [only]) => Some(only),
        (Version::Only, _) => None,
        (Version::Latest, versions) => versions.last(),
        (Version::Is(version), versions) => versions.iter().find(|bound| bound.template.version == *version),
    };
    if let Some(bound) = found {
        return Ok(bound);
    }
    let name = format!("{}/{}", task.namespace, task.name);
    let listed: Vec<String> = versions.iter().map(|bound| bound.template.version.clone()).collect();
    Err(match &task.version {
        Version::Is(version) if !listed.is_empty() => Error::UnknownTemplate {
            wanted: beginning(&format!("{name}/{version}")),
            hint: format!("`{name}` has {}", described(&listed)),
        },
        _ if !listed.is_empty() => Error::SeveralVersions { template: name, versions: listed },
        _ => unknown(current, name),
    })
}

fn unknown(current: &[Arc<BoundTemplate>], wanted: String) -> Error {
    let name = |bound: &Arc<BoundTemplate>| format!("{}/{}", bound.template.namespace, bound.template.name);
    let names: BTreeSet<String> = current.iter().map(name).collect();
    let hint = match nearest(&wanted, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => "none was loaded".to_owned(),
        None => format!("loaded are: {}", names.into_iter().collect::<Vec<_>>().join(", ")),
    };
    Error::UnknownTemplate { wanted: beginning(&wanted), hint }
}
