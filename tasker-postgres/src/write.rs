//! Sends the statement of a batch, with what belongs around it.

use jiff::Timestamp;
use tasker_store::failpoint;
use tokio::sync::Notify;
use tokio_postgres::types::Type;

use crate::batch::{Batch, Written};
use crate::connection::Connection;
use crate::error::{PgResult, server_message};
use crate::sql::statement;
use crate::values::{Time, maybe_time};

/// Writes a batch in one round trip: the statements are sent one behind the other, without waiting for
/// answers. With `due`, steps that are due by then are made ready first, and the answer also says when the
/// next step becomes due. Notifies `queued` when a step has become ready.
pub(crate) async fn write(
    connection: &mut Connection,
    batch: &Batch,
    due: Option<Timestamp>,
    in_transaction: bool,
    queued: &Notify,
) -> PgResult<(Written, Option<Timestamp>)> {
    let composer = batch.compose();
    let ready = match &composer {
        Some(composer) => Some((connection.ready(composer).await?, composer)),
        None => None,
    };
    let Connection { client, schema, .. } = connection;
    let make_due_ready = async {
        let Some(now) = due else { return Ok(()) };
        let sql = statement!("make_due_ready", schema);
        client.query_typed(&sql, &[(&Time(now), Type::TIMESTAMPTZ)]).await.map(drop)
    };
    let send = async {
        let Some((statement, composer)) = &ready else { return Ok(Vec::new()) };
        statement.send(client, composer).await
    };
    let commit = async { if in_transaction { client.batch_execute("COMMIT").await } else { Ok(()) } };
    let next_due = async {
        if due.is_none() {
            return Ok(Vec::new());
        }
        client.query_typed(&statement!("next_due", schema), &[]).await
    };
    failpoint::pass("unsent");
    let (made_ready, rows, committed, next_due) = tokio::join!(make_due_ready, send, commit, next_due);
    failpoint::pass("unanswered");
    // In a transaction the first error has made those behind it fail.
    let (rows, made_ready) = match (rows, made_ready) {
        (Err(_), Err(first)) => return Err(first.into()),
        (rows, made_ready) => (rows?, made_ready),
    };
    committed?;
    if batch.has_ready_steps {
        queued.notify_one();
    }
    let next_due = match (made_ready, next_due) {
        (Ok(()), Ok(rows)) => rows.first().map(|row| maybe_time(row, "next_due")).transpose()?.flatten(),
        // The batch is committed all the same. Were it sent again, the claims that it has made would be lost.
        (Err(error), _) | (_, Err(error)) => {
            let error = server_message(&error);
            tracing::warn!(error, "steps that have become due are looked for at the next poll");
            None
        }
    };
    Ok((batch.read(&rows)?, next_due))
}
