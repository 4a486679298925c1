//! What goes on beside the operations: workers say that they are alive, and processes tell each other
//! that there is work. A notice may get lost; whoever waits looks for itself from time to time.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::sync::Notify;
use tokio_postgres::AsyncMessage;
use tokio_postgres::types::{ToSql, Type};

use crate::settings::{Settings, quoted};
use crate::workers::{self, Own};

/// At most one notice within this time: the database passes them on one after the other.
const BETWEEN_NOTICES: Duration = Duration::from_millis(10);
/// How long to wait before listening again on a connection that was lost.
const BEFORE_LISTENING: Duration = Duration::from_secs(1);
/// A worker says so many times within its lease that it is alive.
const BEATS: u32 = 4;

/// Tells the other processes that steps have come into the queue.
pub(crate) async fn announce(pool: Pool, schema: String, queued: Arc<Notify>) {
    let channel = channel(&schema);
    loop {
        queued.notified().await;
        if let Ok(connection) = pool.get().await {
            let values: [(&(dyn ToSql + Sync), Type); 1] = [(&channel, Type::TEXT)];
            // One that is lost costs others a look later.
            let _ = connection.query_typed("SELECT pg_notify($1, '')", &values).await;
        }
        tokio::time::sleep(BETWEEN_NOTICES).await;
    }
}

/// Passes on what other processes tell.
pub(crate) async fn listen(settings: Arc<Settings>, notified: Arc<Notify>) {
    if !settings.listen {
        return;
    }
    let listen = format!("LISTEN {}", quoted(&channel(&settings.schema)));
    loop {
        if let Ok((client, mut connection)) = settings.dial.connect(&settings.config).await {
            let told = Arc::clone(&notified);
            let driver = async move {
                while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
                    if matches!(message, AsyncMessage::Notification(_)) {
                        told.notify_one();
                    }
                }
            };
            let ask = async {
                if let Err(error) = client.batch_execute(&listen).await {
                    tracing::warn!(%error, "notices do not arrive; work of other processes is found by looking for it");
                }
                // What was told before we listened is found now.
                notified.notify_one();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = driver => {}
                () = ask => {}
            }
        }
        tokio::time::sleep(BEFORE_LISTENING).await;
    }
}

/// Says again and again that the workers of this process are alive.
pub(crate) async fn beat(pool: Pool, settings: Arc<Settings>, own: Own) {
    let schema = settings.quoted_schema();
    loop {
        tokio::time::sleep(settings.lease / BEATS).await;
        let beats = own.beats();
        if beats.is_empty() {
            continue;
        }
        let beaten = match pool.get().await {
            Ok(connection) => workers::beat(&**connection, &schema, &beats, settings.lease)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = beaten {
            tracing::warn!(error, "the database does not hear of this process; its work may be taken over");
        }
    }
}

/// The channel of a schema's notices; names longer than 63 bytes are cut by the database.
pub(crate) fn channel(schema: &str) -> String {
    let mut name = format!("tasker_{schema}");
    while name.len() > 63 {
        name.pop();
    }
    name
}
