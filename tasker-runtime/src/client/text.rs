//! Texts that people give with a task or an action: short, and such that every store keeps them as they are.

use crate::client::error::Error;
use crate::client::new_task::{IdentityStrategy, NewTask};

/// The longest name, key or tag, in bytes: an index of PostgreSQL holds it.
const LONGEST_NAME: usize = 1_024;
/// The longest text that explains something, in bytes.
const LONGEST_REASON: usize = 16 * 1024;
/// The most tags of a task.
const MOST_TAGS: usize = 100;

/// Checks what a new task is found by, and who asks for it.
pub(super) fn check_new_task(task: &NewTask) -> Result<(), Error> {
    if let Some(IdentityStrategy::CallerProvided(key)) = &task.identity {
        check_name("the idempotency key", key)?;
    }
    if task.origin.tags.len() > MOST_TAGS {
        let reason = format!("are {}, and may be {MOST_TAGS}", task.origin.tags.len());
        return Err(Error::InvalidText { what: "the tags", reason });
    }
    task.origin.tags.iter().try_for_each(|tag| check_name("a tag", tag))?;
    let names =
        [("the initiator", &task.origin.initiator), ("the source system", &task.origin.source_system)];
    for (what, name) in names {
        name.iter().try_for_each(|name| check_name(what, name))?;
    }
    task.origin.reason.iter().try_for_each(|reason| check_reason(reason))
}

/// Checks a name, key or tag.
pub(super) fn check_name(what: &'static str, name: &str) -> Result<(), Error> {
    let reason = if name.is_empty() {
        "is empty".to_owned()
    } else if name.len() > LONGEST_NAME {
        format!("has {} bytes, and may have {LONGEST_NAME}", name.len())
    } else if name.chars().any(char::is_control) {
        "has a line break or another control character".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::InvalidText { what, reason })
}

/// Checks a text that explains something; it may have several lines.
pub(super) fn check_reason(text: &str) -> Result<(), Error> {
    let reason = if text.len() > LONGEST_REASON {
        format!("has {} bytes, and may have {LONGEST_REASON}", text.len())
    } else if text.contains('\0') {
        "has a NUL character, which not every store can hold".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::InvalidText { what: "the reason", reason })
}
