//! Broken twins: deliberate faults that a test switches on, to show that its harness finds them.
//! `TASKER_BROKEN_TWIN=NAME` switches one on, for the whole process. Only with the feature `broken-twins`,
//! which the tests of this workspace turn on and nobody else should.
//!
//! | name | the fault |
//! | --- | --- |
//! | `no-fence` | an answer counts for whichever attempt is running |
//! | `early-answer` | a writer of SQLite answers before its commit |
//! | `no-decrement` | the first of two parents is not counted |
//! | `no-heartbeat` | a lease is not renewed |
//! | `skipped-row` | one of several rows that belong together is not written |

/// Whether this fault is switched on.
#[cfg(not(feature = "broken-twins"))]
#[must_use]
pub const fn is(_: &str) -> bool {
    false
}

/// Whether this fault is switched on.
#[cfg(feature = "broken-twins")]
#[must_use]
pub fn is(name: &str) -> bool {
    use std::sync::OnceLock;
    static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var("TASKER_BROKEN_TWIN").ok()).as_deref() == Some(name)
}
