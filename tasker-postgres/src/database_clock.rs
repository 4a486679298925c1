//! The database's clock, by which all that its processes write and compare goes. Each heartbeat's answer says what
//! time it is there, so that nobody asks for it.

use std::time::Instant;

use tasker_store::StoreClock;
use tokio_postgres::{GenericClient, Row};

use crate::values::time;

/// Tells the clock what an answer says in its column `now`. `asked` is when that was asked for.
pub(crate) fn tell(clock: &StoreClock, rows: &[Row], asked: Instant) {
    if let Some(Ok(now)) = rows.first().map(|row| time(row, "now")) {
        clock.measured(now, asked);
    }
}

/// Asks for the time. When the connection fails, whoever uses it next says so.
pub(crate) async fn measure(clock: &StoreClock, client: &impl GenericClient) {
    let asked = Instant::now();
    if let Ok(rows) = client.query_typed("SELECT clock_timestamp() AS now", &[]).await {
        tell(clock, &rows, asked);
    }
}
