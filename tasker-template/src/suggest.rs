//! The known name that somebody most likely meant.

/// The candidate nearest to `written`, if one is near enough to be a slip of it.
///
/// ```
/// use tasker_template::nearest;
/// assert_eq!(nearest("dependancies", ["retry", "dependencies"]), Some("dependencies"));
/// assert_eq!(nearest("lifecycle", ["retry", "dependencies"]), None);
/// ```
#[must_use]
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = fold(written);
    let length = written.chars().count();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let folded = fold(candidate);
        let other = folded.chars().count();
        // A slip changes at most a quarter of the longer name, and lengths that differ by more are no slip.
        let most = length.max(other).div_ceil(4);
        if length.abs_diff(other) > most {
            continue;
        }
        let distance = strsim::damerau_levenshtein(&written, &folded);
        if distance <= most && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Case, `-` and `_` are not what tells names apart.
fn fold(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}
