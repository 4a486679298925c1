//! Names of Rust for names of a template: those of tasker-template, but for those that would hide something which
//! the generated code refers to.

use std::collections::HashSet;

use tasker_template::{camel_case_names, snake_case_names};

use crate::cli::taken::IN_PATHS;

/// A handler has a type of its name, and would hide these, as it would those of paths.
const HIDDEN: [&str; 20] = [
    "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "input", "isize", "main", "read", "str",
    "u128", "u16", "u32", "u64", "u8", "usize",
];

/// Names for functions and parameters, all different: one for each step.
pub(super) fn function_names<'a>(steps: impl Iterator<Item = &'a str>) -> Vec<String> {
    let free: Vec<String> = steps.map(free).collect();
    snake_case_names(free.iter().map(String::as_str))
}

/// The name of a module, which none of these functions has.
pub(super) fn module_name(name: &str, functions: &[String]) -> String {
    let one = |name: &str| function_names(std::iter::once(name)).concat();
    let own = one(name);
    if functions.contains(&own) { one(&format!("{name} workflow")) } else { own }
}

/// The name of a type: that of a step or template, and what the type is of it.
pub(super) fn type_name(name: &str, what: &str) -> String {
    let own = camel(&format!("{name} {what}"));
    let is_bare = own == what || own.starts_with('_');
    if is_bare { format!("Step{}", own.trim_start_matches('_')) } else { own }
}

/// The name in camel case, as a part of another.
pub(super) fn camel(name: &str) -> String {
    camel_case_names([name]).concat()
}

/// The name in capitals: of a constant.
pub(super) fn constant_name(name: &str, what: &str) -> String {
    let own = snake_case_names([format!("{name} {what}").as_str()]).concat().to_uppercase();
    if own.starts_with('_') { format!("STEP{own}") } else { own }
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

/// The name, or a longer one in the place of one that is taken, of one that begins with a digit, or of one that has
/// no letter.
fn free(name: &str) -> String {
    let own = snake_case_names([name]).concat();
    if !name.contains(|one: char| one.is_ascii_alphanumeric()) {
        "step".to_owned()
    } else if own.starts_with('_') {
        format!("step {name}")
    } else if IN_PATHS.iter().chain(&HIDDEN).any(|taken| *taken == own || *taken == name) {
        format!("{name} step")
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_step_becomes_one_of_rust() {
        for (step, function, result) in [
            ("charge_card", "charge_card", "ChargeCardResult"),
            ("charge-card", "charge_card", "ChargeCardResult"),
            ("ChargeCard", "charge_card", "ChargeCardResult"),
            ("Shop::Charge", "shop_charge", "ShopChargeResult"),
            ("2nd try", "step_2nd_try", "Step2ndTryResult"),
            ("match", "r#match", "MatchResult"),
            ("self", "self_step", "SelfResult"),
            ("u32", "u32_step", "U32Result"),
            ("支払い", "step", "StepResult"),
            ("_", "step", "StepResult"),
        ] {
            let own = function_names(std::iter::once(step)).concat();
            assert_eq!((&*own, &*type_name(step, "Result")), (function, result), "{step}");
            syn::parse_str::<syn::Ident>(&own).or_else(|_| syn::parse_str(unraw(&own))).unwrap();
            syn::parse_str::<syn::Ident>(&constant_name(step, "result")).unwrap();
        }
    }

    #[test]
    fn a_module_has_another_name_than_the_functions_in_it() {
        let functions = function_names(["refund", "notify"].into_iter());
        assert_eq!(module_name("refund", &functions), "refund_workflow");
        assert_eq!(module_name("refunds", &functions), "refunds");
    }

    #[test]
    fn a_name_that_somebody_has_gets_a_number() {
        let mut used = HashSet::new();
        let names = ["a", "a", "a", "a_2"].map(|name| unused(name.to_owned(), &mut used));
        assert_eq!(names, ["a", "a_2", "a_3", "a_2_2"]);
    }
}
