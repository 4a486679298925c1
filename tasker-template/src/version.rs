//! The order of versions, which are any text.

use std::cmp::Ordering;

/// Compares two versions: `1.10.0` is later than `1.9.2`, and `2.0.0` than `2.0.0-rc.1`.
///
/// The parts between dots are compared as numbers where both are, otherwise as text; a missing part counts
/// as 0. What follows a `-` makes a version earlier than the same one without it, and what follows a `+` is
/// looked at last.
///
/// ```
/// use tasker_template::compare_versions;
/// let mut versions = ["2.0.0", "1.10.0", "2.0.0-rc.10", "1.9.2", "2.0.0-rc.2", "1.9"];
/// versions.sort_by(|one, other| compare_versions(one, other));
/// assert_eq!(versions, ["1.9", "1.9.2", "1.10.0", "2.0.0-rc.2", "2.0.0-rc.10", "2.0.0"]);
/// ```
#[must_use]
pub fn compare_versions(one: &str, other: &str) -> Ordering {
    let split = |version: &str| {
        let plain = version.split_once('+').map_or(version, |(plain, _)| plain).to_owned();
        match plain.split_once('-') {
            Some((release, early)) => (release.to_owned(), Some(early.to_owned())),
            None => (plain, None),
        }
    };
    let ((release, early), (other_release, other_early)) = (split(one), split(other));
    let by_early = || match (early, other_early) {
        (Some(early), Some(other)) => parts(&early, &other),
        (early, other) => early.is_none().cmp(&other.is_none()),
    };
    parts(&release, &other_release).then_with(by_early).then_with(|| one.cmp(other))
}

fn parts(one: &str, other: &str) -> Ordering {
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        let (one, other) = match (ones.next(), others.next()) {
            (None, None) => return Ordering::Equal,
            (one, other) => (one.unwrap_or("0"), other.unwrap_or("0")),
        };
        let order = match (one.parse::<u128>(), other.parse::<u128>()) {
            (Ok(one), Ok(other)) => one.cmp(&other),
            // As in semantic versioning, a number is earlier than a word.
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => one.cmp(other),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}
