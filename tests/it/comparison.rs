//! The numbers of lines that `docs/comparison.md` and `README.md` tell.

use std::fs;

use crate::program::root;

/// Lines that are neither blank nor comment.
fn lines(path: &str) -> usize {
    let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let comment = if path.ends_with(".rs") { "//" } else { "#" };
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(comment)).count()
}

#[test]
fn the_comparison_tells_the_lines_of_the_files() {
    let page = include_str!("../../docs/comparison.md");
    let mut counted = 0;
    for row in page.lines().filter(|line| line.starts_with("| [")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, told] = cells[..] else { continue };
        let path = name.split_once("](../").unwrap().1.trim_end_matches(')');
        assert_eq!(told, lines(path).to_string(), "{path}");
        counted += 1;
    }
    assert_eq!(counted, 4);
}

#[test]
fn the_readme_tells_the_lines_of_the_example() {
    let told =
        format!("are {} lines of code in\n[handlers.rs]", lines("examples/user_registration/handlers.rs"));
    assert!(include_str!("../../README.md").contains(&told), "{told}");
}
