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
    let distance = |candidate: &str| strsim::damerau_levenshtein(&written, &fold(candidate));
    let (distance, candidate) =
        candidates.into_iter().map(|candidate| (distance(candidate), candidate)).min_by_key(|one| one.0)?;
    let longer = written.chars().count().max(candidate.chars().count());
    (distance <= longer.div_ceil(4)).then_some(candidate)
}

/// Case, `-` and `_` are not what tells names apart.
fn fold(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}
