//! The claims that are made in the names of some workers.

use tasker_store::{Claim, TaskId, WorkerId, chain};
use tokio_postgres::GenericClient;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::error::PgResult;
use crate::load::{self, Lock};
use crate::sql::statement;
use crate::values::get;

/// At most so many tasks are read at a time.
const CHUNK: usize = 500;

/// The claims of these workers. It reads all unfinished work, and is for rare occasions: a worker has died,
/// or a connection was lost.
pub(crate) async fn claims_of(
    client: &impl GenericClient,
    schema: &str,
    workers: &[WorkerId],
) -> PgResult<Vec<Claim>> {
    if workers.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = workers.iter().map(|worker| worker.0).collect();
    let sql = statement!("tasks_claimed_by", schema);
    let rows = client.query_typed(&sql, &[(&ids, Type::UUID_ARRAY)]).await?;
    let tasks = rows.iter().map(|row| get(row, "task_id").map(TaskId)).collect::<Result<Vec<_>, _>>()?;
    let mut claims = Vec::new();
    // The rows of a task are read without locks, and may be of slightly different times: a claim that comes
    // out of that and does not hold is harmless, since operations on such claims change nothing.
    for tasks in tasks.chunks(CHUNK) {
        let loaded = load::fetch(client, schema, tasks, &[], Lock::None).await?.read(tasks)?;
        for (task, loaded) in loaded {
            match loaded {
                Ok(loaded) => {
                    claims.extend(loaded.progress.claims().filter(|claim| workers.contains(&claim.worker)));
                }
                Err(error) => {
                    let error = chain(&error);
                    tracing::error!(%task, %error, "a task cannot be read; its claims are left alone");
                }
            }
        }
    }
    Ok(claims)
}
