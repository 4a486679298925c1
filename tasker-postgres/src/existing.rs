//! Why a task was not created: it exists already, or another of the same identity does.

use tasker_store::{Claim, ClaimRequest, Claimed, Created, NewTaskRecord, TaskId};
use tokio_postgres::types::Type;

use crate::connection::Connection;
use crate::error::PgResult;
use crate::load::{self, Lock};
use crate::sql::statement;
use crate::values::{get, json};

/// The task that kept another from being created: one of the same identity, or the task itself, created
/// before by an operation whose answer did not arrive. `None` when it has been deleted in the meantime.
pub(crate) async fn existing(
    connection: &Connection,
    task: &NewTaskRecord,
    request: &ClaimRequest,
) -> PgResult<Option<Created>> {
    let Connection { client, schema, .. } = connection;
    let itself = load::fetch(client, schema, &[task.id], &[], Lock::None).await?.read(&[task.id])?;
    if let Some(itself) = itself.into_values().next() {
        let in_passing =
            |claim: &Claim| claim.worker == request.worker && claim.claimed_at == task.created_at;
        let claims = itself?.progress.claims().filter(in_passing).collect();
        return Ok(Some(Created::New(Claimed { claims, ..Claimed::default() })));
    }
    let hash: &[u8] = task.identity.as_ref().map_or(&[], |identity| identity.as_slice());
    let sql = statement!("task_of_identity", schema);
    let rows = client.query_typed(&sql, &[(&hash, Type::BYTEA)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Created::Duplicate { id: TaskId(get(row, "id")?), context: json(get(row, "context")?)? }))
}
