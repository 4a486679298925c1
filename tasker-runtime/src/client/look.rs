//! Reading tasks: one with all its steps, or a list.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tasker_store::{
    Json, TaskFilter, TaskGlance, TaskHead, TaskId, TaskState, TemplateRecord, WaitKind, WaitingOn,
};
use uuid::Uuid;

use crate::client::error::Error;
use crate::client::task::{Task, begins_at};
use crate::client::waits::{self, Place, asks_the_fleet};
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
    /// What it waits for, as [`Task::waiting_on`], but without saying which worker runs a step that was claimed
    /// in passing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting_on: Vec<WaitingOn>,
}

impl TaskSummary {
    /// When it begins, while it waits for a time to begin at.
    ///
    /// ```
    /// # use tasker::{Error, TaskFilter, Tasker};
    /// async fn print_plan(tasker: &Tasker) -> Result<(), Error> {
    ///     for task in tasker.list(TaskFilter::new()).await? {
    ///         task.begins_at().map(|at| println!("{} begins at {at}", task.id));
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn begins_at(&self) -> Option<Timestamp> {
        begins_at(&self.waiting_on)
    }
}

pub(crate) async fn task(engine: &Engine, id: TaskId) -> Result<Task, Error> {
    let record = engine.store.task(id).await?.ok_or(Error::UnknownTask(id))?;
    let bound = engine.templates.of_record(&record, &*engine.store).await?;
    Ok(Task::new(record, &bound))
}

/// As [`task`], with what it waits for.
pub(crate) async fn task_with_waits(engine: &Engine, id: TaskId) -> Result<Task, Error> {
    let record = engine.store.task(id).await?.ok_or(Error::UnknownTask(id))?;
    let bound = engine.templates.of_record(&record, &*engine.store).await?;
    let runs = record.steps.clone();
    let mut task = Task::new(record, &bound);
    if !task.state.is_over() {
        let now = engine.clock.now();
        let asks = runs.iter().any(|run| asks_the_fleet(run, now));
        let fleet = if asks { engine.fleet().await? } else { Arc::default() };
        waits::fill_in(&mut task, &bound.template, &runs, &fleet, now);
    }
    Ok(task)
}

pub(crate) async fn list(engine: &Engine, filter: TaskFilter) -> Result<Vec<TaskSummary>, Error> {
    let mut summaries = Vec::new();
    let mut templates = HashMap::new();
    let heads = engine.store.tasks(filter).await?;
    let mut waiting_on = waiting_on(engine, &heads).await?;
    for head in heads {
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
            waiting_on: waiting_on.remove(&head.id).unwrap_or_default(),
        });
    }
    Ok(summaries)
}

/// What those of these tasks wait for that are not over, read for all of them together.
async fn waiting_on(engine: &Engine, heads: &[TaskHead]) -> Result<HashMap<TaskId, Vec<WaitingOn>>, Error> {
    let (store, now) = (&*engine.store, engine.clock.now());
    let open: HashMap<TaskId, &TaskHead> =
        heads.iter().filter(|head| !head.state.is_over()).map(|head| (head.id, head)).collect();
    let mut found = HashMap::new();
    if open.is_empty() {
        return Ok(found);
    }
    let ids: Vec<TaskId> = open.keys().copied().collect();
    let glances = store.glance(&ids).await?;
    // What is claimed in passing has no row.
    let asks = |glance: &TaskGlance| {
        glance.runs.is_empty() || glance.runs.iter().any(|run| asks_the_fleet(run, now))
    };
    let asks = glances.iter().any(asks);
    let fleet = if asks { engine.fleet().await? } else { Arc::default() };
    for TaskGlance { id, state, runs } in glances {
        let Some(head) = open.get(&id) else { continue };
        // A template that cannot be read does not make the list fail.
        let Ok(bound) = engine.templates.get(head.template, store).await else { continue };
        let template = &bound.template;
        let mut waits = Vec::new();
        for run in &runs {
            let Some(step) = template.steps.get(run.key.step as usize) else { continue };
            let place = Place { template, step };
            let begins = run.attempts == 0 && step.dependencies.is_empty();
            let of_run = waits::of_run(run, place, head.priority, begins, &fleet, now);
            of_run.into_iter().for_each(|one| one.add_to(&mut waits));
        }
        if waits.is_empty() && state == TaskState::InProgress {
            // All that moves of it was claimed in passing.
            waits.push(match fleet.is_anybody_alive() || !runs.is_empty() {
                true => WaitingOn::new(WaitKind::InProcess, ""),
                false => WaitingOn::new(WaitKind::NoWorker, "any"),
            });
        }
        found.insert(id, waits);
    }
    Ok(found)
}
