//! Notices between processes, by `NOTIFY` and `LISTEN`: steps have come into the queue. A notice may get
//! lost; workers poll as well.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Error};

use crate::connector::Driver;
use crate::pool::Pool;
use crate::settings::{ConnectionSettings, quoted};
use crate::sql::statement;

/// The least time between two notices. The server delivers notices one after the other, at the commit.
const NOTICE_INTERVAL: Duration = Duration::from_millis(10);

/// Sends a notice to the other processes whenever `queued` is notified. Runs until it is aborted.
pub(crate) async fn send(pool: Pool, settings: Arc<ConnectionSettings>, queued: Arc<Notify>) {
    let channel = channel(&settings.schema);
    let sql = statement!("notify", &settings.quoted_schema());
    loop {
        queued.notified().await;
        if let Ok(connection) = pool.get().await {
            let sent = pool.answered(connection.query_typed(&sql, &[(&channel, Type::TEXT)])).await;
            // Without this notice the others find the steps when they poll.
            let _ = pool.give_back(connection, sent);
        }
        tokio::time::sleep(NOTICE_INTERVAL).await;
    }
}

/// Has the server send the notices of other processes over this connection.
pub(crate) async fn listen(client: &Client, settings: &ConnectionSettings) -> Result<(), Error> {
    client.batch_execute(&format!("LISTEN {}", quoted(&channel(&settings.schema)))).await
}

/// Drives a connection until it ends, and notifies `notified` of each notice.
pub(crate) async fn hear(mut driver: Driver, notified: &Notify) {
    while let Some(Ok(message)) = std::future::poll_fn(|cx| driver.poll_message(cx)).await {
        if matches!(message, AsyncMessage::Notification(_)) {
            notified.notify_one();
        }
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
