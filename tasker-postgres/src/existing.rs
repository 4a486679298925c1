//! Why a task was not created: it exists already, or another of the same identity does.

use tasker_store::{Claim, ClaimRequest, Claimed, Created, Identity, Json, NewTaskRecord, TaskId};
use tokio_postgres::GenericClient;
use tokio_postgres::types::Type;

use crate::connection::Connection;
use crate::error::PgResult;
use crate::load::{self, Lock};
use crate::sql::statement;
use crate::values::get;

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
    let Some(identity) = &task.identity else { return Ok(None) };
    let other = task_of_identity(client, schema, identity).await?;
    Ok(other.map(|(id, context)| Created::Duplicate { id, context }))
}

/// The task of this identity, and its context.
pub(crate) async fn task_of_identity(
    client: &impl GenericClient,
    schema: &str,
    identity: &Identity,
) -> PgResult<Option<(TaskId, Json)>> {
    let sql = statement!("task_of_identity", schema);
    let rows = client.query_typed(&sql, &[(&identity.as_slice(), Type::BYTEA)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some((TaskId(get(row, "id")?), Json::unchecked(get(row, "context")?))))
}
