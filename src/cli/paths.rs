//! Paths, as one writes them down.

use std::path::{Component, Path, PathBuf};

/// The way from one directory to a file or directory, both by their full paths.
pub(super) fn relative(to: &Path, from: &Path) -> PathBuf {
    let shared = to.components().zip(from.components()).take_while(|(one, other)| one == other).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(to.components().skip(shared)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_goes_over_what_both_are_below() {
        let way = |to: &str, from: &str| relative(Path::new(to), Path::new(from)).display().to_string();
        assert_eq!(way("/a/b/t.yaml", "/a"), "b/t.yaml");
        assert_eq!(way("/a/t.yaml", "/a/b/c"), "../../t.yaml");
        assert_eq!(way("/a/t.yaml", "/b"), "../a/t.yaml");
    }
}
