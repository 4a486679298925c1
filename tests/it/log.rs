//! What the runtime says in its log.

use std::io::Write;
use std::sync::{Mutex, Once, PoisonError};

use tokio::sync::mpsc;

use crate::patience::within;

static LISTENERS: Mutex<Vec<mpsc::UnboundedSender<String>>> = Mutex::new(Vec::new());

/// The warnings and errors of the whole program from now on: look for what only one test can cause.
pub struct Log(mpsc::UnboundedReceiver<String>);

impl Log {
    pub fn listen() -> Self {
        static LOGGING: Once = Once::new();
        LOGGING.call_once(|| {
            let log = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::WARN);
            log.with_ansi(false).with_writer(|| Tap).init();
        });
        let (sender, receiver) = mpsc::unbounded_channel();
        LISTENERS.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        Self(receiver)
    }

    /// The next line that has all of these parts.
    pub async fn line(&mut self, parts: &[&str]) -> String {
        let line = async {
            loop {
                let line = self.0.recv().await.expect("the log outlives all tests");
                if parts.iter().all(|part| line.contains(part)) {
                    return line;
                }
            }
        };
        within(&format!("a line of the log with {parts:?}"), line).await
    }

    /// Whether none of the lines until now, other than those that were looked at, has this part.
    pub fn is_silent_about(&mut self, part: &str) -> bool {
        std::iter::from_fn(|| self.0.try_recv().ok()).all(|line| !line.contains(part))
    }
}

/// Hands each line to all who listen.
struct Tap;

impl Write for Tap {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line).into_owned();
        let mut listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener.send(text.clone()).is_ok());
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
