//! Places at which a test can kill the process: `TASKER_FAILPOINT=NAME:N` kills it when it passes the
//! place `NAME` for the N-th time. Only with the feature `testing`.

/// Kills the process if `TASKER_FAILPOINT` names this place and its count is reached.
#[cfg(not(feature = "testing"))]
pub fn pass(_: &str) {}

#[cfg(feature = "testing")]
pub use armed::{arm, pass};

#[cfg(feature = "testing")]
mod armed {
    use std::sync::{LazyLock, Mutex, PoisonError};

    /// The place, and how often it is still passed by.
    static ARMED: LazyLock<Mutex<Option<(String, usize)>>> = LazyLock::new(|| {
        let read = |text: String| {
            let (name, count) = text.split_once(':')?;
            Some((name.to_owned(), count.parse().ok()?))
        };
        Mutex::new(std::env::var("TASKER_FAILPOINT").ok().and_then(read))
    });

    /// Kills the process when it passes this place for the `count`-th time from now on.
    pub fn arm(name: &str, count: usize) {
        *ARMED.lock().unwrap_or_else(PoisonError::into_inner) = Some((name.to_owned(), count));
    }

    /// Kills the process if this is the place that was armed, and its count is reached.
    pub fn pass(name: &str) {
        let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, left)) = armed.as_mut().filter(|(armed, _)| armed == name) else { return };
        *left -= 1;
        if *left == 0 {
            // SIGKILL, which a process can send to itself only by another one. This thread goes no further.
            let process = std::process::id().to_string();
            let _ = std::process::Command::new("kill").args(["-9", &process]).status();
            std::process::abort();
        }
    }
}
