//! Names that a new crate can have.

use crate::cli::new::files::template_name;
use crate::cli::taken::IN_PATHS;

/// Names that mean something else to Cargo, or in the code of a new crate; besides those of paths.
const TAKEN: [&str; 7] =
    ["build", "charge_card", "deps", "examples", "incremental", "proc_macro", "reserve_item"];

/// Why a crate cannot be called this; `None` if it can.
pub(super) fn fault(name: &str) -> Option<String> {
    let wrong = name.chars().find(|one| !one.is_ascii_alphanumeric() && *one != '-' && *one != '_');
    if name.is_empty() {
        Some("a crate has a name".to_owned())
    } else if let Some(wrong) = wrong {
        Some(format!("a crate's name has letters, digits, `-` and `_` only, and no `{wrong}`"))
    } else if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        Some("a crate's name begins with a letter".to_owned())
    } else if name.len() > 64 {
        Some("a crate's name has at most 64 characters".to_owned())
    } else if template_name(name).starts_with("r#") {
        Some(format!("`{name}` is a keyword of Rust"))
    } else if IN_PATHS.iter().chain(&TAKEN).any(|taken| *taken == name.replace('-', "_")) {
        Some(format!("`{name}` is the name of something else, to Rust, to Cargo, or of what the crate uses"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_told() {
        for name in ["shop", "my-shop", "my_shop2", "Shop"] {
            assert_eq!(fault(name), None);
        }
        for (name, rule) in [
            ("", "a crate has a name"),
            ("my shop", "and no ` `"),
            ("größe", "and no `ö`"),
            ("2shop", "begins with a letter"),
            ("-shop", "begins with a letter"),
            ("match", "is a keyword"),
            ("tasker", "is the name of something else"),
            ("serde-json", "is the name of something else"),
            (&"a".repeat(65), "at most 64"),
        ] {
            assert!(fault(name).is_some_and(|fault| fault.contains(rule)), "{name}: {:?}", fault(name));
        }
    }
}
