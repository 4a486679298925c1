//! Every fault of a file at once, each at its place, with a suggestion where there is one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tasker_template::{Code, Severity, load_str};

const HEAD: &str = "name: a\nnamespace_name: b\nversion: 1\n";

/// Each fault as `line:column CODE suggestion`; `yaml` begins at line 4.
#[track_caller]
fn check(yaml: &str, expected: &[&str]) {
    let found = match load_str("t.yaml", &format!("{HEAD}{yaml}")) {
        Ok(loaded) => loaded.warnings().clone(),
        Err(faults) => faults,
    };
    let found: Vec<String> = found
        .iter()
        .map(|fault| {
            let code = serde_json::to_value(fault.code).unwrap();
            let mark = if fault.severity == Severity::Warning { "?" } else { "" };
            let suggestion = fault.suggestion.as_deref().map(|text| format!(" {text}")).unwrap_or_default();
            format!("{}:{} {}{mark}{suggestion}", fault.line, fault.column, code.as_str().unwrap())
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_misspelt_dependency_is_told_with_the_name_that_was_meant() {
    check(
        "steps:\n- {name: billing, handler: {callable: C}}\n- {name: x, handler: {callable: C}, dependencies: [biling]}\n",
        &["6:52 MISSING_DEP_REF did you mean `billing`?"],
    );
}

#[test]
fn two_faults_give_two_messages() {
    check(
        "steps:\n- {name: a, handler: {callable: C}, dependencies: [b, a]}\n",
        &["5:52 MISSING_DEP_REF", "5:55 SELF_DEPENDENCY"],
    );
}

#[test]
fn a_cycle_is_named_step_by_step() {
    let yaml = format!(
        "{HEAD}steps:\n- {{name: a, handler: {{callable: C}}, dependencies: [c]}}\n\
         - {{name: b, handler: {{callable: C}}, dependencies: [a]}}\n\
         - {{name: c, handler: {{callable: C}}, dependencies: [b]}}\n\
         - {{name: d, handler: {{callable: C}}, dependencies: [c]}}\n"
    );
    let faults = load_str("t.yaml", &yaml).unwrap_err();
    let messages: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(messages, ["steps wait for each other: `a` -> `b` -> `c` -> `a`"]);
}

#[test]
fn two_knots_are_two_faults() {
    check(
        "steps:\n- {name: a, handler: {callable: C}, dependencies: [b]}\n- {name: b, handler: {callable: C}, dependencies: [a]}\n\
         - {name: c, handler: {callable: C}, dependencies: [d]}\n- {name: d, handler: {callable: C}, dependencies: [c]}\n",
        &["5:10 CYCLE_DETECTED", "7:10 CYCLE_DETECTED"],
    );
}

#[test]
fn duplicate_steps_and_keys_are_found() {
    check(
        "steps:\n- {name: a, handler: {callable: C}}\n- {name: a, handler: {callable: C, callable: D}}\n",
        &["6:36 DUPLICATE_KEY", "6:10 DUPLICATE_STEP_NAME"],
    );
}

#[test]
fn near_misses_of_keys_come_before_keys_that_are_merely_unknown() {
    check(
        "steps:\n- {name: a, lifecycle: 1, handler: {callable: C}, dependancies: [], retry: {max_atempts: 1}}\n",
        &[
            "5:77 UNKNOWN_KEY? did you mean `max_attempts`?",
            "5:51 UNKNOWN_KEY? did you mean `dependencies`?",
            "5:13 UNKNOWN_KEY?",
        ],
    );
}

#[test]
fn a_missing_key_that_was_misspelt_is_told_so() {
    check(
        "steps:\n- {name: a, handlr: {callable: C}}\n",
        &["5:13 MISSING_KEY is `handlr` meant to be `handler`?", "5:13 UNKNOWN_KEY? did you mean `handler`?"],
    );
}

#[test]
fn half_of_a_name_is_taken_for_the_name() {
    let faults =
        load_str("t.yaml", "name: a\nnamespace: b\nversion: 1\nsteps: [{name: s, handler: {callable: C}}]\n");
    let faults = faults.unwrap_err();
    let fault = faults.iter().next().unwrap();
    assert_eq!(
        (fault.line, fault.suggestion.as_deref()),
        (2, Some("is `namespace` meant to be `namespace_name`?"))
    );
}

#[test]
fn duplicate_keys_are_found_at_any_depth() {
    check(
        "input_schema: {a: {b: 1, b: 2}}\nsteps: [{name: a, handler: {callable: C}}]\n",
        &["4:26 DUPLICATE_KEY"],
    );
}

#[test]
fn no_steps_is_a_fault() {
    check("steps: []\n", &["1:1 NO_STEPS"]);
    check("", &["1:1 NO_STEPS"]);
}

#[test]
fn retry_values_are_checked() {
    check(
        "steps:\n- name: a\n  handler: {callable: C}\n  retry:\n    max_attempts: 101\n    backoff: exponentiel\n    initial_delay: -1\n    max_backoff_ms: ten\n",
        &[
            "8:19 INVALID_VALUE",
            "9:14 INVALID_VALUE did you mean `exponential`?",
            "10:20 INVALID_VALUE",
            "11:21 WRONG_TYPE",
        ],
    );
    check(
        "steps:\n- {name: a, handler: {callable: C}, retry: {initial_delay: 9, max_delay: 3}}\n",
        &["5:45 INVALID_VALUE"],
    );
    check(
        "steps:\n- {name: a, handler: {callable: C}, retry: {initial_delay: 1, backoff_base_ms: 1000}}\n",
        &["5:60 DUPLICATE_KEY remove one"],
    );
    check(
        "steps:\n- {name: a, handler: {callable: C}, retry: {max_attempts: 0}}\n",
        &["5:59 INVALID_VALUE?"],
    );
}

#[test]
fn types_are_checked_and_empty_values_are_defaults() {
    check(
        "metadata: []\nsteps:\n- name: a\n  handler: run\n  dependencies: b\n  type: parallel\n",
        &["4:11 WRONG_TYPE", "7:12 WRONG_TYPE", "8:17 WRONG_TYPE", "9:9 INVALID_VALUE"],
    );
    check(
        "description:\nenvironments:\nsteps:\n- {name: a, handler: {callable: C}, dependencies: , retry: }\n",
        &[],
    );
}

#[test]
fn step_types_have_their_rules() {
    check(
        "steps:\n- {name: a, type: decision, handler: {callable: C}}\n- {name: b, type: batch_worker, dependencies: [a], handler: {callable: C}}\n",
        &["5:10 STEP_TYPE", "6:10 STEP_TYPE"],
    );
}

#[test]
fn a_step_apart_from_the_graph_is_a_warning() {
    check(
        "steps:\n- {name: a, handler: {callable: C}}\n- {name: b, handler: {callable: C}, dependencies: [a]}\n- {name: c, handler: {callable: C}}\n",
        &["7:10 ORPHAN_STEP?"],
    );
}

#[test]
fn overrides_of_unknown_steps_are_a_warning() {
    check(
        "steps:\n- {name: account, handler: {callable: C}}\nenvironments: {test: {steps: [{name: acount}]}}\n",
        &["6:38 MISSING_DEP_REF? did you mean `account`?"],
    );
}

#[test]
fn a_fault_is_drawn_with_its_line() {
    let yaml = format!(
        "{HEAD}steps:\n- {{name: billing, handler: {{callable: C}}}}\n- {{name: x, handler: {{callable: C}}, dependencies: [biling]}}\n"
    );
    let faults = load_str("templates/t.yaml", &yaml).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "\
error: step `x` depends on `biling`, but the template has no such step
 --> templates/t.yaml:6:52
  |
6 | - {name: x, handler: {callable: C}, dependencies: [biling]}
  |                                                    ^^^^^^ did you mean `billing`?"
    );
}

#[test]
fn a_template_that_is_not_yaml_says_where() {
    let faults = load_str("t.yaml", "name: a\nsteps:\n  - name: [b\n").unwrap_err();
    let fault = faults.iter().next().unwrap();
    assert_eq!(fault.code, Code::Syntax);
    assert!(fault.line >= 3, "{fault}");
}
