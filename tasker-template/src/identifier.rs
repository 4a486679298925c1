//! Names of steps as names in Rust.

use std::collections::HashSet;

use crate::bounds::QUEUED_NAMESPACE;

/// Words that cannot be a name, not even as `r#word`.
const RESERVED: [&str; 5] = ["self", "Self", "super", "crate", "_"];

/// The keywords of Rust, which can be names as `r#word`.
const KEYWORDS: [&str; 48] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait",
    "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Names in snake case for fields, functions and variables: one for each name, all different.
///
/// ```
/// use tasker_template::snake_case_names;
/// assert_eq!(snake_case_names(["send-welcome", "type", "2nd", "Send Welcome"]),
///     ["send_welcome", "r#type", "_2nd", "send_welcome_2"]);
/// ```
#[must_use]
pub fn snake_case_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    distinct(names, |words| words.join("_"), "_")
}

/// Names in camel case for types and variants: one for each name, all different.
///
/// ```
/// use tasker_template::camel_case_names;
/// assert_eq!(camel_case_names(["send_welcome", "2nd", "send-welcome"]), ["SendWelcome", "_2nd", "SendWelcome2"]);
/// ```
#[must_use]
pub fn camel_case_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let join = |words: &[String]| words.iter().map(|word| capitalized(word)).collect::<String>();
    distinct(names, join, "")
}

/// The namespace that a template of this name can have: letters, digits and `_`, not beginning with a digit, and no
/// longer than the queues of Tasker Core allow.
///
/// ```
/// use tasker_template::namespace_of;
/// assert_eq!((namespace_of("my-shop").as_str(), namespace_of("2x").as_str()), ("my_shop", "_2x"));
/// assert_eq!(namespace_of(&"a".repeat(40)).len(), 29);
/// ```
#[must_use]
pub fn namespace_of(name: &str) -> String {
    let name = snake_case_names([name]).concat();
    let name = name.strip_prefix("r#").unwrap_or(&name);
    name.chars().take(QUEUED_NAMESPACE).collect()
}

fn distinct<'a>(
    names: impl IntoIterator<Item = &'a str>,
    join: impl Fn(&[String]) -> String,
    separator: &str,
) -> Vec<String> {
    let mut taken = HashSet::new();
    names
        .into_iter()
        .map(|name| {
            // A name without letters and digits of ASCII has no words.
            let words = Some(words(name)).filter(|words| !words.is_empty());
            let base = join(&words.unwrap_or_else(|| vec!["unnamed".to_owned()]));
            let base = if base.starts_with(|first: char| first.is_ascii_digit()) {
                format!("_{base}")
            } else {
                base
            };
            let mut candidate = base.clone();
            let mut number = 2;
            while RESERVED.contains(&candidate.as_str()) || !taken.insert(candidate.clone()) {
                candidate = format!("{base}{separator}{number}");
                number += 1;
            }
            if KEYWORDS.contains(&candidate.as_str()) { format!("r#{candidate}") } else { candidate }
        })
        .collect()
}

/// The words of a name, in lower case: `SendWelcome` and `send-welcome` have the same.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before: Option<char> = None;
    let mut characters = name.chars().peekable();
    while let Some(one) = characters.next() {
        if one.is_ascii_alphanumeric() {
            let next_is_lower = characters.peek().is_some_and(char::is_ascii_lowercase);
            let begins = match before {
                None => true,
                Some(last) => {
                    one.is_ascii_uppercase()
                        && (last.is_ascii_lowercase() || last.is_ascii_digit() || next_is_lower)
                }
            };
            if begins {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.push(one.to_ascii_lowercase());
            }
        }
        before = Some(one).filter(char::is_ascii_alphanumeric);
    }
    words
}

fn capitalized(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_words() {
        let cases = [
            ("createAccount", "create_account"),
            ("HTTPServer", "http_server"),
            ("step2Again", "step2_again"),
            ("a--b", "a_b"),
            ("crate", "crate_2"),
            ("", "unnamed"),
            ("größe", "gr_e"),
        ];
        for (name, snake) in cases {
            assert_eq!(snake_case_names([name]), [snake], "{name}");
        }
    }

    #[test]
    fn camel_case_avoids_self() {
        assert_eq!(camel_case_names(["self", "a", "A"]), ["Self2", "A", "A2"]);
    }
}
