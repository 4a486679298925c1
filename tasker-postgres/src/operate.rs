//! What operators do, and what is deleted: transactions of their own, since they are rare.

use jiff::Timestamp;
use tasker_store::progress::Change;
use tasker_store::{Acted, ActionRecord, ActionRequest, AttemptRecord, PruneRequest};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, GenericClient};
use uuid::Uuid;

use crate::batch::Batch;
use crate::load::{self, Hold};
use crate::session::Trouble;
use crate::settings::Settings;
use crate::values::{Time, get};

type Answer<T> = Result<T, Trouble>;

/// Does what an operator asks for; whether steps have come into the queue.
pub(crate) async fn act(
    client: &mut Client,
    settings: &Settings,
    schema: &str,
    request: &ActionRequest,
) -> Answer<(Acted, bool)> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(&settings.bound_transaction()).await?;
    let task = request.task;
    // With its steps: a claim that is made at this moment is waited for, and then known.
    let loaded = load::ask(&transaction, schema, &[task], &[], Hold::Steps).await?.read(&[task])?;
    let Some(loaded) = loaded.into_values().next() else {
        transaction.rollback().await?;
        return Ok((Acted::NoTask, false));
    };
    let (mut progress, epoch) = loaded.map(|loaded| (loaded.progress, loaded.epoch))?;
    let moved = match progress.act(&request.action, request.at) {
        Ok(moved) => moved,
        Err(refusal) => {
            // Waited for: until then nobody else gets at the task's steps.
            transaction.rollback().await?;
            return Ok((Acted::Refused(refusal), false));
        }
    };
    let mut batch = Batch::default();
    batch.lock(task, epoch);
    batch.set_task(task, epoch.wrapping_add(1), progress.state, moved.state.map(|_| request.at));
    for claim in &moved.revoked {
        batch.attempt(task, &AttemptRecord::ended_by(claim, request), &[])?;
    }
    if let Some(record) = AttemptRecord::by_hand(request) {
        batch.attempt(task, &record, &[])?;
    }
    batch.action(task, ActionRecord::new(request, moved.details))?;
    let template = progress.template;
    let mut seen = std::collections::HashSet::new();
    progress.write_down(|step, change| {
        if seen.insert(step) {
            match change {
                Change::Row(row) => batch.step(task, template, step, row),
                Change::NoRow => batch.no_step(task, step),
            }
        }
        Ok::<_, Trouble>(())
    })?;
    batch.send(&transaction, schema, None).await?;
    if progress.state.is_over() {
        // Should the task be reopened, nothing of it is claimed any more.
        let sql =
            format!("UPDATE {schema}.attempt SET claimed = NULL WHERE task_id = $1 AND claimed IS NOT NULL");
        transaction.query_typed(&sql, &[(&task.0, Type::UUID)]).await?;
    }
    transaction.commit().await?;
    Ok((Acted::Done { state: progress.state, revoked: moved.revoked }, batch.queues()))
}

/// Deletes tasks that are over, with all that belongs to them, in one statement.
pub(crate) async fn prune(
    client: &impl GenericClient,
    schema: &str,
    request: &PruneRequest,
) -> Answer<usize> {
    let states: Vec<&str> =
        request.states.iter().filter(|state| state.is_over()).map(|state| state.as_str()).collect();
    if states.is_empty() {
        return Ok(0);
    }
    // Ids are ordered by the time of creation, and nothing settles before it is created.
    let sql = format!(
        "WITH old AS MATERIALIZED (
            SELECT id
            FROM {schema}.task
            WHERE id < $1 AND state = ANY ($2) AND settled_at < $3
            ORDER BY id
            LIMIT $4
            FOR UPDATE SKIP LOCKED
        ),
        attempts AS (DELETE FROM {schema}.attempt USING old WHERE attempt.task_id = old.id),
        steps AS (DELETE FROM {schema}.step USING old WHERE step.task_id = old.id),
        actions AS (DELETE FROM {schema}.action USING old WHERE action.task_id = old.id),
        tags AS (DELETE FROM {schema}.tag USING old WHERE tag.task_id = old.id),
        identities AS (DELETE FROM {schema}.identity USING old WHERE identity.task_id = old.id),
        tasks AS (DELETE FROM {schema}.task USING old WHERE task.id = old.id RETURNING task.id)
        SELECT count(*) FROM tasks"
    );
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX);
    let settled_before = Time(request.settled_before);
    let newest = first_after(request.settled_before);
    let values: [(&(dyn ToSql + Sync), Type); 4] = [
        (&newest, Type::UUID),
        (&states, Type::TEXT_ARRAY),
        (&settled_before, Type::TIMESTAMPTZ),
        (&limit, Type::INT8),
    ];
    let rows = client.query_typed(&sql, &values).await?;
    let count: i64 = rows.first().map(|row| get(row, 0)).transpose()?.unwrap_or(0);
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The smallest id of a task that is created in the millisecond after this.
fn first_after(time: Timestamp) -> Uuid {
    let millisecond = u128::try_from(time.as_millisecond() + 1).unwrap_or_default();
    Uuid::from_u128(millisecond << 80)
}
