//! Places at which a test can make the process die: `TASKER_FAILPOINT=NAME:N` ends it, as a crash
//! does, the N-th time that it comes by. Only with the feature `testing`.

/// Ends the process if a test wants that here.
#[cfg(not(feature = "testing"))]
pub fn pass(_: &str) {}

/// Ends the process if a test wants that here.
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
