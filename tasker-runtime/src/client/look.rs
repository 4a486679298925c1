//! Reading tasks: one with all its steps, or a list.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tasker_store::{Json, TaskFilter, TaskId, TaskState, TemplateRecord};
use uuid::Uuid;

use crate::client::error::Error;
use crate::client::task::Task;
use crate::engine::Engine;

/// A task in a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskSummary {
    /// Its id.
    pub id: TaskId,
    /// Its template's namespace.
    pub namespace: String,
    /// Its template's name.
    pub name: String,
    /// Its template's version.
    pub version: String,
    /// Its state.
    pub state: TaskState,
    /// Its priority, from -100 to 100: claims prefer the higher.
    pub priority: i32,
    /// The id that it shares with related work.
    pub correlation_id: Uuid,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Its input.
    pub context: Json,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it settled in its present state; `None` while it is in progress.
    pub settled_at: Option<Timestamp>,
}

pub(crate) async fn task(engine: &Engine, id: TaskId) -> Result<Task, Error> {
    let record = engine.store.task(id).await?.ok_or(Error::UnknownTask(id))?;
    let bound = engine.templates.get(record.head.template, &*engine.store).await?;
    Ok(Task::new(record, &bound))
}

pub(crate) async fn list(engine: &Engine, filter: TaskFilter) -> Result<Vec<TaskSummary>, Error> {
    let mut summaries = Vec::new();
    let mut templates = HashMap::new();
    for head in engine.store.tasks(filter).await? {
        // Only the names are read: a template that cannot be parsed does not make the list fail.
        let template = match templates.entry(head.template) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(engine.store.template(head.template).await?),
        };
        let named = |name: fn(&TemplateRecord) -> &String| {
            template.as_ref().map_or_else(|| "?".to_owned(), |template| name(template).clone())
        };
        summaries.push(TaskSummary {
            id: head.id,
            namespace: named(|template| &template.namespace),
            name: named(|template| &template.name),
            version: named(|template| &template.version),
            state: head.state,
            priority: head.priority,
            correlation_id: head.correlation_id,
            tags: head.origin.tags,
            context: head.context,
            created_at: head.created_at,
            settled_at: head.settled_at,
        });
    }
    Ok(summaries)
}
