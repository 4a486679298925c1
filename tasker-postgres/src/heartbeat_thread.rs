//! The thread that sends heartbeats, with a runtime of its own: a handler that blocks the application's runtime
//! cannot keep a heartbeat from being sent.

use std::thread;

use tasker_store::StoreError;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::heartbeat::Heartbeats;

/// Sends heartbeats until it is dropped.
#[derive(Debug)]
pub(crate) struct HeartbeatThread {
    /// The thread ends when this is dropped.
    _end: oneshot::Sender<()>,
}

impl HeartbeatThread {
    pub(crate) fn start(heartbeats: Heartbeats) -> Result<Self, StoreError> {
        let what = heartbeats.store();
        let failed = |error: std::io::Error| StoreError::Open { what, source: error.into() };
        let start = move || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (end, ended) = oneshot::channel::<()>();
            thread::Builder::new().name("tasker-heartbeat".to_owned()).spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = heartbeats.run() => {}
                        _ = ended => {}
                    }
                });
                // A name that is being looked up cannot be interrupted, and nobody waits for it any more.
                runtime.shutdown_background();
            })?;
            Ok(Self { _end: end })
        };
        start().map_err(failed)
    }
}
