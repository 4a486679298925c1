//! Each kind of change, with whom it breaks and where it stands.

use crate::contract::{Breaks, Change, ChangeKind, TemplateVersion, diff};
use crate::load_str;

const BOTH: Breaks = Breaks::BOTH;
const IN_FLIGHT: Breaks = Breaks::TASKS_IN_FLIGHT;
const CALLERS: Breaks = Breaks::CALLERS;
const NOTHING: Breaks = Breaks::NOTHING;

/// Three steps in a row, with lines that a test replaces.
const BASE: &str = "\
name: order
namespace_name: shop
version: 1.0.0
steps:
  - name: reserve
    handler: {callable: Reserve}
  - name: charge
    handler: {callable: Charge}
    dependencies: [reserve]
  - name: mail
    handler: {callable: Mail}
    dependencies: [charge]
";

fn changes(before: &str, after: &str) -> Vec<Change> {
    let [before, after] =
        [("a.yaml", before), ("b.yaml", after)].map(|(name, yaml)| load_str(name, yaml).unwrap());
    diff(&TemplateVersion::new(&before), &TemplateVersion::new(&after))
}

/// The changes of a new version of the base with these texts replaced.
fn changed(replaced: &[(&str, &str)]) -> Vec<Change> {
    let mut after = BASE.to_owned();
    for (old, new) in replaced {
        assert!(after.contains(old), "{old}");
        after = after.replace(old, new);
    }
    changes(BASE, &after).into_iter().filter(|change| change.kind != ChangeKind::VersionKept).collect()
}

fn kinds(changes: &[Change]) -> Vec<(ChangeKind, Breaks)> {
    changes.iter().map(|change| (change.kind, change.breaks)).collect()
}

#[track_caller]
fn only(replaced: &[(&str, &str)], kind: ChangeKind, breaks: Breaks) -> Change {
    let found = changed(replaced);
    assert_eq!(kinds(&found), [(kind, breaks)], "{found:#?}");
    found.into_iter().next().unwrap()
}

#[test]
fn the_same_template_has_no_changes() {
    assert_eq!(changes(BASE, BASE), []);
    assert_eq!(changes(BASE, &format!("# a comment\n{}", BASE.replace("dependencies", "depends_on"))), []);
}

#[test]
fn what_a_template_is_called_by_breaks_callers() {
    let namespace = only(&[("shop", "store")], ChangeKind::Namespace, BOTH);
    assert_eq!((namespace.path.as_str(), namespace.after.unwrap().line), ("/namespace_name", 2));
    only(&[("name: order", "name: orders")], ChangeKind::Name, CALLERS);
    only(&[("1.0.0", "1.1.0")], ChangeKind::Version, NOTHING);
    only(&[("steps:", "description: d\nsteps:")], ChangeKind::Description, NOTHING);
    only(&[("steps:", "metadata: {author: a}\nsteps:")], ChangeKind::Description, NOTHING);
    let lifecycle =
        only(&[("steps:", "lifecycle: {max_duration_minutes: 5}\nsteps:")], ChangeKind::Lifecycle, NOTHING);
    assert!(lifecycle.message.contains("max_duration_minutes none -> 5"), "{}", lifecycle.message);
}

#[test]
fn other_content_under_the_same_version_is_told() {
    let all = changes(BASE, &BASE.replace("callable: Mail", "callable: Mailer"));
    assert_eq!(kinds(&all), [(ChangeKind::VersionKept, NOTHING), (ChangeKind::Handler, IN_FLIGHT)]);
    let all = changes(BASE, &BASE.replace("callable: Mail", "callable: Mailer").replace("1.0.0", "2"));
    assert_eq!(kinds(&all), [(ChangeKind::Version, NOTHING), (ChangeKind::Handler, IN_FLIGHT)]);
}

#[test]
fn a_handler_that_no_step_has_any_more_breaks_tasks_in_flight() {
    let change = only(&[("callable: Mail", "callable: Mailer")], ChangeKind::Handler, IN_FLIGHT);
    assert_eq!(change.path, "/steps/mail/handler/callable");
    let after = change.after.unwrap();
    assert_eq!((after.file.as_str(), after.line, after.column), ("b.yaml", 11, 25));
    only(&[("callable: Mail", "callable: Mail, method: send")], ChangeKind::Handler, IN_FLIGHT);
    // Another step has it still, so that the program must have it too.
    only(&[("callable: Mail", "callable: Reserve")], ChangeKind::Handler, IN_FLIGHT);
    let swapped = changed(&[("{callable: Mail}", "{callable: x}"), ("Reserve", "Mail"), ("x", "Reserve")]);
    assert_eq!(kinds(&swapped), [(ChangeKind::Handler, NOTHING); 2]);
}

const MAIL: &str = "  - name: mail\n    handler: {callable: Mail}\n    dependencies: [charge]\n";

#[test]
fn a_step_that_is_gone_breaks_those_who_name_it() {
    let gone = only(&[(MAIL, "")], ChangeKind::StepRemoved, BOTH);
    assert_eq!((gone.before.unwrap().line, gone.after), (10, None));
    // Its handler stays.
    let before = BASE.replace("callable: Mail", "callable: Charge");
    let all = changes(&before, &BASE.replace(MAIL, "").replace("1.0.0", "2"));
    assert_eq!(kinds(&all), [(ChangeKind::Version, NOTHING), (ChangeKind::StepRemoved, CALLERS)]);
}

#[test]
fn a_new_step_breaks_tasks_in_flight_where_an_old_one_waits_for_it() {
    let audit =
        format!("{MAIL}  - name: audit\n    handler: {{callable: Audit}}\n    dependencies: [mail]\n");
    let new = only(&[(MAIL, &audit)], ChangeKind::StepAdded, NOTHING);
    assert_eq!((new.before, new.after.unwrap().line), (None, 13));
    let check = "steps:\n  - name: check\n    handler: {callable: Check}";
    let all = changed(&[("steps:", check), ("[charge]", "[charge, check]")]);
    assert_eq!(kinds(&all), [(ChangeKind::StepAdded, NOTHING), (ChangeKind::Dependencies, IN_FLIGHT)]);
    assert!(all[1].message.starts_with("step `mail` waits for `check` too; "), "{}", all[1].message);
}

#[test]
fn a_renamed_step_is_told_from_one_that_is_gone() {
    let last = only(&[("name: mail", "name: send")], ChangeKind::StepRenamed, CALLERS);
    assert_eq!(last.path, "/steps/send/name");
    let read = only(&[("name: charge", "name: pay"), ("[charge]", "[pay]")], ChangeKind::StepRenamed, BOTH);
    assert!(read.message.contains("`charge` is called `pay`"), "{}", read.message);
    // All three at once.
    let all = [
        ("reserve", "hold"),
        ("name: charge", "name: pay"),
        ("[charge]", "[pay]"),
        ("name: mail", "name: m"),
    ];
    assert_eq!(
        kinds(&changed(&all)),
        [
            (ChangeKind::StepRenamed, BOTH),
            (ChangeKind::StepRenamed, BOTH),
            (ChangeKind::StepRenamed, CALLERS)
        ]
    );
    // The same handler at another place is another step.
    let elsewhere = MAIL.replace("mail", "ping").replace("    dependencies: [charge]\n", "");
    let all = changed(&[(MAIL, &elsewhere)]);
    assert_eq!(kinds(&all), [(ChangeKind::StepRemoved, CALLERS), (ChangeKind::StepAdded, NOTHING)]);
}

#[test]
fn of_steps_with_one_handler_the_one_with_the_same_neighbours_was_renamed() {
    let twins = |first: &str, second: &str| {
        format!(
            "{{name: t, namespace_name: n, version: 1, steps: [
               {{name: a, handler: {{callable: A}}}}, {{name: b, handler: {{callable: B}}}},
               {{name: {first}, handler: {{callable: C}}, dependencies: [a]}},
               {{name: {second}, handler: {{callable: C}}, dependencies: [b]}}]}}"
        )
    };
    let reordered = twins("of_a", "of_b").replace("[a]", "[x]").replace("[b]", "[a]").replace("[x]", "[b]");
    let all = changes(&twins("after_a", "after_b"), &reordered);
    let renamed: Vec<&str> =
        all.iter().filter(|one| one.kind == ChangeKind::StepRenamed).map(|one| &*one.path).collect();
    assert_eq!(renamed, ["/steps/of_b/name", "/steps/of_a/name"], "{all:#?}");
}

#[test]
fn what_a_step_waits_for_matters_where_its_handler_may_read_it() {
    // What it waited for by way of others, it could read before.
    let all = changed(&[("[charge]", "[charge, reserve]")]);
    assert_eq!(kinds(&all), [(ChangeKind::Dependencies, NOTHING)]);
    let all = changed(&[("    dependencies: [reserve]\n", "")]);
    assert_eq!(kinds(&all), [(ChangeKind::Dependencies, NOTHING)]);
    let turned = [
        ("callable: Reserve}", "callable: Reserve}\n    dependencies: [charge]"),
        ("    dependencies: [reserve]\n", ""),
    ];
    let all = changed(&turned);
    assert_eq!(kinds(&all), [(ChangeKind::Dependencies, IN_FLIGHT), (ChangeKind::Dependencies, NOTHING)]);
}

#[test]
fn settings_that_only_new_tasks_have_break_nothing() {
    let with = |more: &str| format!("handler: {{callable: Mail}}\n    {more}");
    let mail = "handler: {callable: Mail}";
    let retry = only(&[(mail, &with("retry: {limit: 5, backoff: none}"))], ChangeKind::Retry, NOTHING);
    assert_eq!(retry.message, "`retry` of step `mail`: backoff exponential -> none, max_attempts 3 -> 5");
    assert_eq!(retry.after.unwrap().line, 12);
    let timeout = only(&[(mail, &with("timeout_seconds: 5"))], ChangeKind::Timeout, NOTHING);
    assert_eq!(timeout.message, "`timeout_seconds` of step `mail`: none -> 5");
    only(&[(mail, &with("description: d"))], ChangeKind::Description, NOTHING);
    only(&[(mail, &with("system_dependency: d"))], ChangeKind::Description, NOTHING);
    only(&[(mail, &with("publishes_events: [{name: a.b}]"))], ChangeKind::Events, NOTHING);
    only(&[(mail, &with("type: deferred_convergence"))], ChangeKind::StepType, BOTH);
    let first = "  - name: reserve\n    handler: {callable: Reserve}\n";
    only(&[(first, ""), (MAIL, &format!("{MAIL}{first}"))], ChangeKind::StepOrder, NOTHING);
}

#[test]
fn a_handler_may_insist_on_configuration_that_tasks_in_flight_do_not_have() {
    let with = |map: &str| BASE.replace("callable: Mail", &format!("callable: Mail, initialization: {map}"));
    let all = |before: &str, after: &str| changes(&with(before), &with(after).replace("1.0.0", "2"));
    let all = |before: &str, after: &str| kinds(&all(before, after)[1..]);
    assert_eq!(all("{a: 1}", "{a: 1, b: 2}"), [(ChangeKind::Initialization, IN_FLIGHT)]);
    assert_eq!(all("{a: 1}", "{a: one}"), [(ChangeKind::Initialization, IN_FLIGHT)]);
    assert_eq!(all("{a: {b: 1}}", "{a: {b: 1, c: 1}}"), [(ChangeKind::Initialization, IN_FLIGHT)]);
    assert_eq!(all("{a: 1}", "{a: 2}"), [(ChangeKind::Initialization, NOTHING)]);
    assert_eq!(all("{a: 1, b: 1}", "{a: 1}"), [(ChangeKind::Initialization, NOTHING)]);
}

#[test]
fn an_environment_that_is_gone_leaves_its_tasks() {
    let with = |environments: &str| format!("{BASE}environments: {environments}\n");
    let all =
        |before: &str, after: &str| changes(&with(before), &with(after).replace("1.0.0", "2"))[1..].to_vec();
    let gone = all("{test: , live: }", "{live: }");
    assert_eq!(kinds(&gone), [(ChangeKind::Environment, IN_FLIGHT)]);
    assert_eq!(gone[0].before.as_ref().unwrap().line, 13);
    assert_eq!(kinds(&all("{test: }", "{test: , live: }")), [(ChangeKind::Environment, NOTHING)]);
    let overrides = |more: &str| format!("{{test: {{steps: [{{name: mail, {more}}}]}}}}");
    let url = all(&overrides("timeout_seconds: 5"), &overrides("handler: {initialization: {url: x}}"));
    assert_eq!(kinds(&url), [(ChangeKind::Initialization, IN_FLIGHT), (ChangeKind::Timeout, NOTHING)]);
    assert_eq!(url[0].path, "/environments/test/steps/mail/handler/initialization/url");
    assert!(url[0].message.starts_with("in the environment `test`, `url` of"), "{}", url[0].message);
    let same = all("{test: }", &overrides("retry: {max_attempts: 3}"));
    assert_eq!(kinds(&same), [(ChangeKind::Environment, NOTHING)]);
}

/// The changes of schemas, as whom they break and the message.
fn of_schemas(key: &str, before: &str, after: &str) -> Vec<(Breaks, String)> {
    let with = |schema: &str| match (key, schema) {
        (_, "") => BASE.to_owned(),
        ("input_schema", _) => BASE.replace("steps:", &format!("input_schema: {schema}\nsteps:")),
        (step, _) => {
            let callable = format!("{{callable: {step}}}");
            BASE.replace(&callable, &format!("{callable}\n    result_schema: {schema}"))
        }
    };
    let all = changes(&with(before), &with(after).replace("1.0.0", "2"));
    all.into_iter().skip(1).map(|change| (change.breaks, change.message)).collect()
}

#[test]
fn an_input_schema_may_only_become_wider() {
    let check = |before, after, breaks| {
        let all = of_schemas("input_schema", before, after);
        assert_eq!(all.iter().map(|(breaks, _)| *breaks).collect::<Vec<_>>(), breaks, "{all:?}");
    };
    let one = "{type: object, properties: {a: {type: integer}}}";
    check(one, "{type: object, properties: {a: {type: integer}}, required: [a]}", vec![BOTH]);
    check("{type: object, properties: {a: {type: integer}}, required: [a]}", one, vec![NOTHING]);
    check(one, "{type: object, properties: {a: {type: string}}}", vec![BOTH]);
    check(one, "{type: object, properties: {a: {type: number}}}", vec![NOTHING]);
    check(one, "{type: object, properties: {a: {type: integer}, b: {type: string}}}", vec![NOTHING]);
    check(one, "{title: t, type: object, properties: {a: {type: integer}}}", vec![NOTHING]);
    check("", "{type: object}", vec![NOTHING]);
    check("", "{type: object, required: [a]}", vec![BOTH]);
    check(
        "{$schema: 'http://json-schema.org/draft-07/schema#', type: object, required: [a]}",
        "",
        vec![NOTHING],
    );
}

#[test]
fn a_result_schema_may_only_become_narrower_and_less_so_where_it_is_read() {
    let one = "{type: object, properties: {a: {type: integer}}, required: [a]}";
    let wider = "{type: object, properties: {a: {type: integer}}}";
    let of = |step, before, after| {
        of_schemas(step, before, after).into_iter().map(|(breaks, _)| breaks).collect::<Vec<_>>()
    };
    for step in ["Charge", "Mail"] {
        assert_eq!(of(step, one, wider), [BOTH], "{step}");
        // Without a schema, it may be no object, and an object without the field.
        assert_eq!(of(step, one, ""), [BOTH, BOTH], "{step}");
    }
    // Later steps read results of tasks in flight that lack it; the last step has no such.
    assert_eq!(of("Charge", wider, one), [IN_FLIGHT]);
    assert_eq!(of("Mail", wider, one), [NOTHING]);
    let open = "{type: object, properties: {a: {type: integer}, b: {type: string}}, required: [a]}";
    assert_eq!((of("Charge", one, open), of("Charge", open, one)), (vec![NOTHING], vec![NOTHING]));
    let (_, message) = of_schemas("Mail", "{pattern: ^a}", "{pattern: ^b}").remove(0);
    assert!(message.contains("cannot be compared, which counts as breaking"), "{message}");
}

#[test]
fn places_are_those_of_the_keyword_in_both_files() {
    let with = |schema: &str| {
        BASE.replace("{callable: Charge}", &format!("{{callable: Charge}}\n    result_schema:\n{schema}"))
    };
    let before = with(
        "      type: object\n      $defs: {m: {maximum: 5}}\n      properties:\n        \
         a: {$ref: '#/$defs/m'}",
    );
    let after = with("      type: object\n      properties:\n        a:\n          maximum: 9");
    let change = changes(&before, &after).remove(1);
    assert_eq!(
        change.message.split("; ").next().unwrap(),
        "`result_schema` of step `charge` allows results that it refused: `a`: `maximum` 5 -> 9"
    );
    assert_eq!(change.path, "/steps/charge/result_schema/properties/a/maximum");
    let (before, after) = (change.before.unwrap(), change.after.unwrap());
    assert_eq!((before.line, before.column, after.line, after.column), (11, 28, 13, 20));
}

#[test]
fn a_snapshot_has_no_places() {
    let loaded = load_str("b.yaml", &BASE.replace("callable: Mail", "callable: M")).unwrap();
    let stored = load_str("a.yaml", BASE).unwrap().into_template();
    let all = diff(&TemplateVersion::snapshot(&stored).unwrap(), &TemplateVersion::new(&loaded));
    assert!(all.iter().all(|change| change.before.is_none() && change.after.is_some()), "{all:#?}");
    // One that was made in an environment has its overrides already.
    let stored = stored.for_environment("test");
    let version = TemplateVersion::snapshot(&stored).unwrap().in_environment("test");
    assert_eq!(version.template(), &stored);
}

#[test]
fn names_with_control_characters_do_not_reach_the_terminal() {
    let schema = r#"{properties: {"a\x1b[31m": {type: string}}, required: ["a\x1b[31m"]}"#;
    let all = of_schemas("input_schema", "", schema);
    assert!(!all.is_empty() && all.iter().all(|(_, message)| !message.contains(char::is_control)), "{all:?}");
}
