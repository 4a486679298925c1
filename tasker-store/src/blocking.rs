//! Work that waits for a disk.

use crate::error::StoreError;

/// Runs what waits for the disk off the runtime's threads.
///
/// # Errors
///
/// What `work` says; [`StoreError::Closed`] when it panicked or the runtime is shutting down.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?
}
