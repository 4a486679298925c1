//! Who recorded a result that a handler cannot read.

use jiff::Timestamp;
use serde_json::json;
use tasker_store::{AttemptOutcome, ErrorRecord, StoreError, WorkerId, chain};

use crate::engine::job::Prepared;
use crate::engine::shared::Engine;
use crate::handler::INCOMPATIBLE_RESULT;

/// Where a result came from.
struct Origin {
    worker: WorkerId,
    at: Timestamp,
    /// The program that recorded it, or whoever did.
    by: String,
}

/// Adds to the error of a result that cannot be read who recorded it, when, and who cannot read it.
pub(super) async fn tell(engine: &Engine, prepared: &Prepared, error: &mut ErrorRecord) {
    let Some(step) = step_of(error) else { return };
    let Origin { worker, at, by } = match find(engine, prepared, &step).await {
        Ok(Some(origin)) => origin,
        Ok(None) => return,
        Err(error) => {
            tracing::debug!(error = %chain(&error), step, "who recorded the step's result is not known");
            return;
        }
    };
    let reader = engine.info().program.unwrap_or_default();
    error.message.push_str(&format!("; it was recorded by {by} at {at}, and this is {reader}"));
    if let Some(facts) = error.context.as_mut().and_then(serde_json::Value::as_object_mut) {
        facts.insert("recorded_by".to_owned(), json!(by));
        facts.insert("recorded_at".to_owned(), json!(at));
        facts.insert("worker".to_owned(), json!(worker));
        facts.insert("read_by".to_owned(), json!(reader));
    }
}

/// The step whose result could not be read, when the error says that.
fn step_of(error: &ErrorRecord) -> Option<String> {
    error.code.as_deref().filter(|code| *code == INCOMPATIBLE_RESULT)?;
    Some(error.context.as_ref()?.get("step")?.as_str()?.to_owned())
}

async fn find(engine: &Engine, prepared: &Prepared, step: &str) -> Result<Option<Origin>, StoreError> {
    let steps = &prepared.bound.template.steps;
    let Some(index) = steps.iter().position(|one| one.name == step) else { return Ok(None) };
    let Some(task) = engine.store.task(prepared.claim.task).await? else { return Ok(None) };
    let recorded = task.attempts.iter().rev();
    let mut recorded = recorded.filter(|one| one.key.step as usize == index && one.result.is_some());
    let Some(attempt) = recorded.next() else { return Ok(None) };
    let worker = attempt.worker;
    let by = if attempt.outcome == AttemptOutcome::CompletedManually {
        "an operator".to_owned()
    } else {
        match engine.store.program_of(worker).await? {
            None => format!("worker {worker}, of which no more is known"),
            Some(record) => {
                record.program.unwrap_or_else(|| format!("a program with Tasker {}", record.tasker))
            }
        }
    };
    Ok(Some(Origin { worker, at: attempt.finished_at, by }))
}
