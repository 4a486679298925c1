//! Names of Rust for names of a template.

use std::collections::HashSet;

use heck::{ToSnakeCase as _, ToUpperCamelCase as _};

/// Keywords that may be names when they are written raw, as in `r#match`.
const KEYWORDS: [&str; 48] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait",
    "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Names that would hide something which the generated code refers to: a handler has a type of its name.
const TAKEN: [&str; 31] = [
    "self",
    "super",
    "crate",
    "alloc",
    "core",
    "serde",
    "serde_json",
    "std",
    "tasker",
    "tests",
    "tokio",
    "bool",
    "char",
    "str",
    "f32",
    "f64",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "input",
    "main",
    "read",
];

/// The name in snake case: of a function, a parameter, or a module. Raw where it is a keyword.
pub(super) fn function_name(name: &str) -> String {
    let mut own = ascii(name).to_snake_case();
    if own.is_empty() || own.starts_with(|first: char| first.is_ascii_digit()) {
        own = format!("step_{own}").trim_end_matches('_').to_owned();
    }
    if TAKEN.contains(&own.as_str()) {
        own.push_str("_step");
    }
    if KEYWORDS.contains(&own.as_str()) { format!("r#{own}") } else { own }
}

/// The name in camel case: of a type, or the beginning of one.
pub(super) fn type_name(name: &str) -> String {
    let own = ascii(name).to_upper_camel_case();
    if own.is_empty() || own.starts_with(|first: char| first.is_ascii_digit()) {
        return format!("Step{own}");
    }
    own
}

/// The name in capitals: of a constant, or the beginning of one.
pub(super) fn constant_name(name: &str) -> String {
    unraw(&function_name(name)).to_uppercase()
}

/// The name as `#[step_handler]` takes it from the function.
pub(super) fn unraw(function: &str) -> &str {
    function.strip_prefix("r#").unwrap_or(function)
}

/// The name, or with the first number after it that makes it one that nobody has.
pub(super) fn unused(name: String, used: &mut HashSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{name}_{number}"));
    let mut own = std::iter::once(name.clone()).chain(numbered);
    let own = own.find(|one| !used.contains(one)).unwrap_or(name);
    used.insert(own.clone());
    own
}

/// The name with a gap in the place of what is no letter or digit of ASCII.
fn ascii(name: &str) -> String {
    name.chars().map(|one| if one.is_ascii_alphanumeric() { one } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_step_becomes_one_of_rust() {
        for (step, function, start) in [
            ("charge_card", "charge_card", "ChargeCard"),
            ("charge-card", "charge_card", "ChargeCard"),
            ("ChargeCard", "charge_card", "ChargeCard"),
            ("Shop::Charge", "shop_charge", "ShopCharge"),
            ("2nd try", "step_2nd_try", "Step2ndTry"),
            ("match", "r#match", "Match"),
            ("self", "self_step", "Self"),
            ("u32", "u32_step", "U32"),
            ("über", "ber", "Ber"),
            ("支払い", "step", "Step"),
            ("_", "step", "Step"),
        ] {
            assert_eq!((&*function_name(step), &*type_name(step)), (function, start), "{step}");
            let function = function_name(step);
            assert!(syn::parse_str::<syn::Ident>(unraw(&function)).is_ok() || function.starts_with("r#"));
            syn::parse_str::<syn::Ident>(&format!("{start}Result")).unwrap();
        }
    }

    #[test]
    fn a_name_that_somebody_has_gets_a_number() {
        let mut used = HashSet::new();
        let names = ["a", "a", "a", "a_2"].map(|name| unused(name.to_owned(), &mut used));
        assert_eq!(names, ["a", "a_2", "a_3", "a_2_2"]);
    }
}
