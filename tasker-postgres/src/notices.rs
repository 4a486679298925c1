//! Notices between processes, by `NOTIFY` and `LISTEN`: steps have come into the queue. A notice may get
//! lost; workers poll as well.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::sync::Notify;
use tokio_postgres::AsyncMessage;
use tokio_postgres::types::Type;

use crate::settings::{ConnectionSettings, quoted};
use crate::sql::statement;

/// The least time between two notices. The server delivers notices one after the other, at the commit.
const NOTICE_INTERVAL: Duration = Duration::from_millis(10);
/// The pause before listening again on a new connection.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Sends a notice to the other processes whenever `queued` is notified. Runs until it is aborted.
pub(crate) async fn send(pool: Pool, settings: Arc<ConnectionSettings>, queued: Arc<Notify>) {
    let channel = channel(&settings.schema);
    let sql = statement!("notify", &settings.quoted_schema());
    loop {
        queued.notified().await;
        if let Ok(connection) = pool.get().await {
            // Without this notice the others find the steps when they poll.
            let _ = connection.query_typed(&sql, &[(&channel, Type::TEXT)]).await;
        }
        tokio::time::sleep(NOTICE_INTERVAL).await;
    }
}

/// Listens for the notices of other processes, and notifies `notified` of each. Runs until it is aborted.
pub(crate) async fn receive(settings: Arc<ConnectionSettings>, notified: Arc<Notify>) {
    if !settings.listen {
        return;
    }
    let listen = format!("LISTEN {}", quoted(&channel(&settings.schema)));
    loop {
        if let Ok((client, mut connection)) = settings.connector.connect(&settings.config).await {
            let on_notice = Arc::clone(&notified);
            let driver = async move {
                while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
                    if matches!(message, AsyncMessage::Notification(_)) {
                        on_notice.notify_one();
                    }
                }
            };
            let subscribe = async {
                if let Err(error) = client.batch_execute(&listen).await {
                    tracing::warn!(%error, "notices do not arrive; steps of other processes are found by polling");
                }
                // Notices that were sent before this process listened are lost: it polls once.
                notified.notify_one();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = driver => {}
                () = subscribe => {}
            }
        }
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
}

/// The channel of a schema's notices. The server cuts names that are longer than 63 bytes.
pub(crate) fn channel(schema: &str) -> String {
    let mut name = format!("tasker_{schema}");
    while name.len() > 63 {
        name.pop();
    }
    name
}
