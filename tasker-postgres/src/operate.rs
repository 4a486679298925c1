//! What operators do, and the deletion of old tasks. Each operation is a transaction of its own.

use jiff::Timestamp;
use tasker_store::{
    Acted, ActionRecord, ActionRequest, AttemptRecord, OperatorAction, PruneRequest, StepKey, TaskId,
};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, GenericClient};
use uuid::Uuid;

use crate::batch::Batch;
use crate::columns::Value;
use crate::error::PgResult;
use crate::load::{self, Lock};
use crate::settings::ConnectionSettings;
use crate::sql::statement;
use crate::values::{Time, get, int};

/// Does what an operator asks for, and says whether a step has become ready.
pub(crate) async fn act(
    client: &mut Client,
    settings: &ConnectionSettings,
    schema: &str,
    request: &ActionRequest,
) -> PgResult<(Acted, bool)> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(&settings.bound_transaction()).await?;
    let task = request.task;
    // With its steps: a claim that is being made from the queue is waited for, and is then known.
    let loaded = load::fetch(&transaction, schema, &[task], &[], Lock::Steps).await?.read(&[task])?;
    let Some(loaded) = loaded.into_values().next() else {
        transaction.rollback().await?;
        return Ok((Acted::NoTask, false));
    };
    let (mut progress, epoch) = loaded.map(|loaded| (loaded.progress, loaded.epoch))?;
    let moved = match progress.act(request) {
        Ok(moved) => moved,
        Err(refusal) => {
            // Waited for, so that the locks are free when the caller has its answer.
            transaction.rollback().await?;
            return Ok((Acted::Refused(refusal), false));
        }
    };
    let mut batch = Batch::default();
    batch.lock(task, epoch);
    batch.update_task(task, epoch.wrapping_add(1), progress.state, moved.state.map(|_| request.at));
    moved.records.iter().try_for_each(|record| batch.attempt(task, record, &[]))?;
    batch.action(task, ActionRecord::new(request, moved.details))?;
    batch.steps(&mut progress);
    if let Some(composer) = batch.compose() {
        transaction.query_typed(&composer.text(schema), &composer.values).await?;
    }
    if let Some(record) = &moved.replaced {
        give_result(&transaction, schema, task, record).await?;
    }
    if let OperatorAction::Amend { context } = &request.action {
        let values: [Value<'_>; 2] = [(&task.0, Type::UUID), (&context.get(), Type::TEXT)];
        transaction.query_typed(&statement!("amend", schema), &values).await?;
    }
    if progress.state.is_over() {
        transaction.query_typed(&statement!("clear_claimed", schema), &[(&task.0, Type::UUID)]).await?;
    }
    transaction.commit().await?;
    Ok((Acted::Done { state: progress.state, revoked: moved.revoked }, batch.has_ready_steps))
}

/// Replaces what was recorded of a run that was resolved.
async fn give_result(
    client: &impl GenericClient,
    schema: &str,
    task: TaskId,
    record: &AttemptRecord,
) -> PgResult<()> {
    let StepKey { step, instance } = record.key;
    let (step, instance, at) = (int(step), int(instance), Time(record.finished_at));
    let (outcome, result) = (record.outcome.as_str(), record.result.as_ref().map(|result| result.get()));
    let values: [Value<'_>; 6] = [
        (&task.0, Type::UUID),
        (&step, Type::INT4),
        (&instance, Type::INT4),
        (&outcome, Type::TEXT),
        (&result, Type::TEXT),
        (&at, Type::TIMESTAMPTZ),
    ];
    client.query_typed(&statement!("give_result", schema), &values).await?;
    Ok(())
}

/// Deletes tasks that are over, with all that belongs to them, and returns how many.
pub(crate) async fn prune(
    client: &impl GenericClient,
    schema: &str,
    request: &PruneRequest,
) -> PgResult<usize> {
    let states: Vec<&str> =
        request.states.iter().filter(|state| state.is_over()).map(|state| state.as_str()).collect();
    if states.is_empty() {
        return Ok(0);
    }
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX);
    let settled_before = Time(request.settled_before);
    let newest = first_after(request.settled_before);
    let values: [Value<'_>; 4] = [
        (&newest, Type::UUID),
        (&states, Type::TEXT_ARRAY),
        (&settled_before, Type::TIMESTAMPTZ),
        (&limit, Type::INT8),
    ];
    let rows = client.query_typed(&statement!("prune", schema), &values).await?;
    client.query_typed(&statement!("prune_programs", schema), &[(&Uuid::nil(), Type::UUID)]).await?;
    let count: i64 = rows.first().map(|row| get(row, "pruned")).transpose()?.unwrap_or(0);
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The smallest id of a task that is created in the millisecond after `time`.
fn first_after(time: Timestamp) -> Uuid {
    let millisecond = u128::try_from(time.as_millisecond() + 1).unwrap_or_default();
    Uuid::from_u128(millisecond << 80)
}
