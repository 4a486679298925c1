//! The signals that end a program in order, heard on a thread of their own: whatever handlers do with the threads
//! of the application's runtime, the program ends.

use std::io;
use std::process::exit;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tasker_runtime::Tasker;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::cli::output::{INTERRUPTED, say};

/// How long a program may take to sign off after the grace period of its handlers.
const SIGN_OFF: Duration = Duration::from_secs(3);

/// Waits for ctrl-C, and where there are such things for SIGTERM and SIGHUP; from its creation on none is missed.
/// The first asks the program to stop. When there is a second, or when the program has not ended in time, it ends
/// at once.
pub(super) struct StopSignals {
    first: Option<oneshot::Receiver<()>>,
    grace: Arc<OnceLock<Duration>>,
}

impl StopSignals {
    /// `at_once` is said when a second signal ends the program.
    pub(super) fn new(at_once: &'static str) -> io::Result<Self> {
        let (told, first) = oneshot::channel();
        let (started, start) = std::sync::mpsc::channel();
        let grace = Arc::new(OnceLock::new());
        let given = Arc::clone(&grace);
        std::thread::Builder::new().name("tasker-signals".to_owned()).spawn(move || {
            let begun =
                tokio::runtime::Builder::new_current_thread().enable_all().build().and_then(|runtime| {
                    let signals = runtime.block_on(async { Signals::new() })?;
                    Ok((runtime, signals))
                });
            // Whoever asked for the signals waits for this.
            match begun {
                Ok((runtime, signals)) => {
                    let _ = started.send(Ok(()));
                    runtime.block_on(hear(signals, told, &given, at_once));
                }
                Err(error) => drop(started.send(Err(error))),
            }
        })?;
        start.recv().map_err(io::Error::other)??;
        Ok(Self { first: Some(first), grace })
    }

    /// How long the handlers of this program may take to end.
    pub(super) fn set_grace_of(&self, tasker: &Tasker) {
        // It is set once.
        let _ = self.grace.set(tasker.grace_period());
    }

    /// Completes with the first signal.
    pub(super) async fn first(&mut self) {
        let told = match &mut self.first {
            Some(first) => first.await.is_ok(),
            None => false,
        };
        self.first = None;
        if !told {
            std::future::pending().await
        }
    }
}

async fn hear(
    mut signals: Signals,
    told: oneshot::Sender<()>,
    grace: &OnceLock<Duration>,
    at_once: &'static str,
) {
    signals.next().await;
    // The program may be about to end by itself.
    let _ = told.send(());
    let patience = grace.get().copied().unwrap_or_default() + SIGN_OFF;
    if tokio::time::timeout(patience, signals.next()).await.is_ok() {
        say(at_once);
        // Not by returning: that waits for handlers which block.
        exit(i32::from(INTERRUPTED));
    }
    say("a handler does not yield: the program ends without it, and its step is run again as after a crash");
    exit(0);
}

/// Ends the program after a shutdown, if a handler that blocks would otherwise keep it from ending.
pub(super) fn leave_behind_what_blocks(tasker: &Tasker, code: u8) {
    if !tasker.has_ended() {
        say("a handler that blocks still runs; it ends with this program");
        exit(i32::from(code));
    }
}

struct Signals {
    #[cfg(unix)]
    signals: [Signal; 3],
}

impl Signals {
    fn new() -> io::Result<Self> {
        #[cfg(unix)]
        let signals = [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ];
        Ok(Self {
            #[cfg(unix)]
            signals,
        })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
