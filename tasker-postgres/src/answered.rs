//! How long an answer of the server is waited for. A connection that passes nothing on stays open for ever:
//! past this time it is given up, and what was sent on it is in doubt.

use std::future::Future;
use std::time::Duration;

use crate::error::{PgError, PgResult};

/// Waits for an answer for as long as `timeout`.
///
/// # Errors
///
/// The answer's own, or [`PgError::NoAnswer`]: then the connection is of no more use.
pub(crate) async fn answered<T, E: Into<PgError>>(
    timeout: Duration,
    answer: impl Future<Output = Result<T, E>>,
) -> PgResult<T> {
    match tokio::time::timeout(timeout, answer).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err(PgError::NoAnswer(timeout)),
    }
}
