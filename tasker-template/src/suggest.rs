//! The known name that somebody most likely meant.

/// The candidate nearest to `written`, if `written` is likely to be a misspelling of it.
///
/// ```
/// use tasker_template::nearest;
/// assert_eq!(nearest("dependancies", ["retry", "dependencies"]), Some("dependencies"));
/// assert_eq!(nearest("lifecycle", ["retry", "dependencies"]), None);
/// ```
#[must_use]
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    Names::default().nearest(written, candidates)
}

/// Longer names, in bytes, are not compared.
const LONGEST: usize = 300;
/// The number of pairs of characters that are compared for all names of a file together: enough for the
/// faults that are shown of a template with 10 000 steps.
const MAX_PAIRS: usize = 40_000_000;

/// Compares names until `MAX_PAIRS` is used up; from then on it finds nothing.
pub(crate) struct Names {
    pairs_left: usize,
}

impl Default for Names {
    fn default() -> Self {
        Self { pairs_left: MAX_PAIRS }
    }
}

impl Names {
    /// As [`nearest`].
    pub(crate) fn nearest<'a>(
        &mut self,
        written: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Option<&'a str> {
        if written.len() > LONGEST || self.pairs_left == 0 {
            return None;
        }
        let written = fold(written);
        let length = written.chars().count();
        let mut best: Option<(usize, &str)> = None;
        // A step whose name could not be read has an empty one.
        let named = |candidate: &&str| !candidate.is_empty() && candidate.len() <= LONGEST;
        for candidate in candidates.into_iter().filter(named) {
            let folded = fold(candidate);
            let other = folded.chars().count();
            // A slip changes at most a quarter of the longer name: the lengths differ by no more than that.
            let max_distance = length.max(other).div_ceil(4);
            let is_close = length.abs_diff(other) <= max_distance;
            // Folding costs time as well.
            self.pairs_left = self.pairs_left.saturating_sub(if is_close { length * other } else { other });
            if self.pairs_left == 0 {
                // The nearest may be among those that were not compared.
                return None;
            }
            if !is_close {
                continue;
            }
            let distance = strsim::osa_distance(&written, &folded);
            if distance <= max_distance && best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, candidate));
            }
        }
        best.map(|(_, candidate)| candidate)
    }
}

/// The name in lower case with `_` in place of `-`: names that differ only in these count as the same.
fn fold(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}
