//! What can be told of a template whose snapshot is lost, damaged or of a newer version: enough to look at a task
//! and to steer it, and nothing to run it by.

use std::sync::Arc;

use serde_json::{Value, json};
use tasker_store::{Store, StoreError, TaskRecord, TemplateId, TemplateRecord};
use tasker_template::{Plan, RetryPolicy, TaskTemplate};

use crate::build::bind::{BoundTemplate, Templates};
use crate::build::registry::Registry;

/// What is not known of a template.
const UNKNOWN: &str = "unknown";

impl Templates {
    /// The template of a task, for those who look at the task or steer it. If its snapshot cannot be read, it has
    /// the names that can be made out, `step_0` and so on for the others, and no handlers.
    pub(crate) async fn of_record(
        &self,
        record: &TaskRecord,
        store: &dyn Store,
    ) -> Result<Arc<BoundTemplate>, StoreError> {
        let id = record.head.template;
        match self.get(id, store).await {
            Err(StoreError::NoTemplate(_) | StoreError::Unreadable { what: "template", .. }) => {
                let stored = store.template(id).await?;
                Ok(Arc::new(outline(id, stored.as_deref(), steps_of(record))))
            }
            found => found,
        }
    }
}

/// A step of a greater number than this is in a record that is damaged as well.
const MOST_STEPS: usize = 10_000;

/// How many steps the task has at least: those that have begun, or wait for an attempt.
fn steps_of(record: &TaskRecord) -> usize {
    let open = record.steps.iter().map(|run| run.key.step);
    let ended = record.attempts.iter().map(|attempt| attempt.key.step);
    let numbers = open.chain(ended).map(|step| step as usize).filter(|step| *step < MOST_STEPS);
    numbers.max().map_or(0, |last| last + 1)
}

fn outline(id: TemplateId, record: Option<&TemplateRecord>, at_least: usize) -> BoundTemplate {
    let (namespace, name, version) = match record {
        Some(record) => (&*record.namespace, &*record.name, &*record.version),
        None => (UNKNOWN, UNKNOWN, UNKNOWN),
    };
    let snapshot: Value =
        record.and_then(|record| serde_json::from_str(&record.snapshot).ok()).unwrap_or_default();
    let stored = snapshot["steps"].as_array().map_or(&[][..], Vec::as_slice);
    let steps = (0..stored.len().max(at_least)).map(|index| {
        let step = stored.get(index).unwrap_or(&Value::Null);
        let name = step["name"].as_str().map_or_else(|| format!("step_{index}"), str::to_owned);
        let dependencies =
            step["dependencies"].as_array().into_iter().flatten().filter(|one| one.is_string());
        json!({
            "name": name,
            "handler": { "callable": step["handler"]["callable"].as_str().unwrap_or(UNKNOWN) },
            "dependencies": dependencies.collect::<Vec<_>>(),
            "retry": RetryPolicy::default(),
        })
    });
    let mut template: TaskTemplate = serde_json::from_value(json!({
        "namespace_name": namespace,
        "name": name,
        "version": version,
        "steps": steps.collect::<Vec<_>>(),
    }))
    .expect("every field has its type");
    let plan = Plan::new(&template).or_else(|_| {
        template.steps.iter_mut().for_each(|step| step.dependencies.clear());
        Plan::new(&template)
    });
    let plan = plan.expect("steps without dependencies are in order");
    BoundTemplate::new(id, template, plan, &Registry::default())
}
