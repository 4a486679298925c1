//! Places at which a test can abort the process: `TASKER_FAILPOINT=NAME:N` aborts it when it passes the
//! place `NAME` for the N-th time. Only with the feature `testing`.

/// Aborts the process if `TASKER_FAILPOINT` names this place and its count is reached.
#[cfg(not(feature = "testing"))]
pub fn pass(_: &str) {}

/// Aborts the process if `TASKER_FAILPOINT` names this place and its count is reached.
#[cfg(feature = "testing")]
pub fn pass(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};
    static WANTED: OnceLock<Option<(String, usize)>> = OnceLock::new();
    static PASSED: AtomicUsize = AtomicUsize::new(0);
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("TASKER_FAILPOINT").ok()?;
        let (name, count) = text.split_once(':')?;
        Some((name.to_owned(), count.parse().ok()?))
    });
    if let Some((wanted, count)) = wanted
        && wanted == name
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *count
    {
        std::process::abort();
    }
}
