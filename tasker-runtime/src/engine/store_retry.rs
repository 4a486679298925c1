//! Asks a failing store again.

use std::time::Duration;

use tasker_store::{Claim, StoreError, chain};
use tokio_util::sync::CancellationToken;

/// The first pause before a failing store is asked again; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause before a failing store is asked again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Repeats an operation until the store answers, or fails in a way that repeating it cannot mend
/// ([`StoreError::is_lasting`]). `None` when the worker is `aborting` before that. `claim` is for the log.
pub(super) async fn retry_until_ok<T, F: Future<Output = Result<T, StoreError>>>(
    aborting: &CancellationToken,
    claim: Claim,
    mut operation: impl FnMut() -> F,
) -> Option<Result<T, StoreError>> {
    let mut pause = FIRST_PAUSE;
    loop {
        match operation().await {
            Ok(value) => return Some(Ok(value)),
            Err(error) if error.is_lasting() => return Some(Err(error)),
            Err(error) => tracing::error!(
                task = %claim.task, step = %claim.key, attempt = claim.attempt, error = %chain(&error),
                "the store failed; trying again"
            ),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            () = aborting.cancelled() => return None,
        }
    }
}
