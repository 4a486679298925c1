//! Work that waits for a disk.

use crate::error::StoreError;

/// Runs work that waits for a disk on the runtime's pool for blocking work.
///
/// # Errors
///
/// The error of `work`. [`StoreError::Closed`] when `work` panicked or the runtime is shutting down.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?
}
