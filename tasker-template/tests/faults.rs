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
            let mark = if fault.severity == Severity::Warning { "?" } else { "" };
            let suggestion = fault.suggestion.as_deref().map(|text| format!(" {text}")).unwrap_or_default();
            format!("{}:{} {}{mark}{suggestion}", fault.line, fault.column, fault.code)
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
fn delays_below_a_second_and_of_days_are_accepted_as_written() {
    let load = |retry: &str| {
        let yaml = format!("{HEAD}steps: [{{name: s, handler: {{callable: C}}, retry: {{{retry}}}}}]");
        load_str("t.yaml", &yaml).map(|loaded| {
            assert!(loaded.warnings().is_empty(), "{}", loaded.warnings());
            let policy = loaded.template().steps[0].retry;
            (policy.backoff_base_ms, policy.max_backoff_ms)
        })
    };
    for (retry, delays) in [
        ("backoff_base_ms: 50", (50, 30_000)),
        ("backoff_base_ms: 50, max_backoff_ms: 500", (50, 500)),
        ("backoff_base_ms: 1, max_backoff_ms: 1", (1, 1)),
        ("backoff_base_ms: 0, max_backoff_ms: 0", (0, 0)),
        ("initial_delay: 0.05, max_delay: 0.5", (50, 500)),
        ("initial_delay: 7200, max_delay: 86400", (7_200_000, 86_400_000)),
        ("max_backoff_ms: 2592000000", (1_000, 2_592_000_000)),
    ] {
        assert_eq!(load(retry).unwrap(), delays, "{retry}");
    }
    for retry in
        ["backoff_base_ms: 50, max_backoff_ms: 49", "backoff_base_ms: -1", "max_backoff_ms: 2592000001"]
    {
        assert!(load(retry).is_err(), "{retry}");
    }
}

#[test]
fn a_number_is_kept_as_it_is_written_or_reported() {
    let step =
        |config: &str| format!("steps: [{{name: s, handler: {{callable: C, initialization: {config}}}}}]\n");
    // The text is kept, and what to write is said.
    check(
        &step("{code: 065, plain: 65, quoted: \"065\", hex: 0x10}"),
        &["4:65 INEXACT_NUMBER? write `\"065\"` for the text, or `65` for the number"],
    );
    let loaded =
        load_str("t.yaml", &format!("{HEAD}{}", step("{code: 065, id: \"0123\", minus: -007}"))).unwrap();
    let config = &loaded.template().steps[0].handler.initialization;
    assert_eq!(serde_json::json!(config), serde_json::json!({"code": "065", "id": "0123", "minus": "-007"}));
    // The largest and the smallest integers are exact; those beyond them would be rounded.
    check(&step("{a: [18446744073709551615, -9223372036854775808, 100000000000000000000]}"), &[]);
    check(
        &step("{a: 12345678901234567890123}"),
        &["4:62 INEXACT_NUMBER write `\"12345678901234567890123\"` to keep all of it as text, \
           or `1.2345678901234568e+22` for the number"],
    );
    check(
        &step("{a: -9223372036854775809}"),
        &[
            "4:62 INEXACT_NUMBER write `\"-9223372036854775809\"` to keep all of it as text, or `-9.223372036854776e+18` for the number",
        ],
    );
    // Of a fraction, the last of many digits are less often meant.
    check(
        &step("{pi: 3.14159265358979323846, half: 0.50}"),
        &["4:63 INEXACT_NUMBER? write `\"3.14159265358979323846\"` to keep all of it as text, \
           or `3.141592653589793` for the number"],
    );
    // A value that is repeated is reported once.
    check(
        "metadata: {a: &a 007, b: *a}\ninput_schema: {const: *a}\nsteps: [{name: s, handler: {callable: C}}]\n",
        &["4:18 INEXACT_NUMBER? write `\"007\"` for the text, or `7` for the number"],
    );
}

#[test]
fn a_leading_zero_in_a_setting_is_refused_and_in_a_text_kept() {
    check(
        "steps: [{name: s, handler: {callable: C}, timeout_seconds: 030, retry: {initial_delay: 05}}]\n",
        &["4:88 WRONG_TYPE write `5`", "4:60 WRONG_TYPE write `30`"],
    );
    let yaml = "{name: 007, namespace_name: b, version: 01, steps: [{name: s, handler: {callable: C}}]}";
    let loaded = load_str("t.yaml", yaml).unwrap();
    assert_eq!((loaded.template().name.as_str(), loaded.template().version.as_str()), ("007", "01"));
    assert!(loaded.warnings().is_empty());
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
error[TSK111]: step `x` depends on `biling`, but the template has no such step
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
