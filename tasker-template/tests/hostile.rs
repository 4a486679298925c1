//! Files made to hurt: a clear error, and no more memory than the limits allow.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs;

use tasker_template::{Code, MAX_BYTES, Severity, load_file, load_str};

const HEAD: &str = "name: t\nnamespace_name: n\nversion: 1\n";

#[track_caller]
fn refused(yaml: &str, code: Code) -> String {
    let faults = load_str("hostile.yaml", yaml).unwrap_err();
    let fault = faults.iter().next().unwrap();
    assert_eq!(fault.code, code, "{fault}");
    assert!(fault.message.len() < 500, "{} bytes of message", fault.message.len());
    fault.message.clone()
}

#[test]
fn aliases_that_grow_without_end() {
    let mut yaml = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        let _ = writeln!(yaml, "a{level}: &a{level} [{}]", [alias.as_str(); 9].join(", "));
    }
    let message = refused(&yaml, Code::Syntax);
    assert!(message.contains("alias"), "{message}");
    // Few values, but long ones.
    let yaml = format!("a: &a {}\nb: [{}]", "x".repeat(500_000), "*a, ".repeat(1_000));
    refused(&yaml, Code::Syntax);
    // Anchors within anchors, each of which is to be remembered.
    let open: String = (0..60).map(|depth| format!("&a{depth} [")).collect();
    refused(&format!("a: {open}{}{}", "1,".repeat(50_000), "]".repeat(60)), Code::Syntax);
}

#[test]
fn large_templates_load() {
    let mut yaml = format!("{HEAD}metadata: &shared {{a: 1, b: [1, 2, 3]}}\nsteps:\n");
    for step in 0..10_000_u32 {
        let after = step.checked_sub(1).map_or_else(String::new, |before| format!("step_{before}"));
        let _ = writeln!(
            yaml,
            "- name: step_{step}\n  description: some text\n  type: standard\n  \
               handler: {{callable: A::B, method: go, initialization: {{a: 1, b: [1, 2, 3]}}}}\n  \
               dependencies: [{after}]\n  timeout_seconds: 30\n  \
               retry: {{retryable: true, limit: 3, backoff: linear, backoff_base_ms: 1000, max_backoff_ms: 2000}}"
        );
    }
    assert_eq!(load_str("large.yaml", &yaml).unwrap().plan().len(), 10_000);
}

#[test]
fn many_steps_may_share_a_value() {
    let mut yaml = format!("{HEAD}metadata:\n  retry: &retry {{limit: 7, backoff: linear}}\nsteps:\n");
    for step in 0..1_000 {
        let _ = writeln!(yaml, "- {{name: step_{step}, handler: {{callable: C}}, retry: *retry}}");
    }
    let loaded = load_str("shared.yaml", &yaml).unwrap();
    assert!(loaded.template().steps.iter().all(|step| step.retry.max_attempts == 7));
}

#[test]
fn deep_nesting() {
    refused(&"[".repeat(100_000), Code::Syntax);
    refused(&format!("a: {}1{}", "{b: ".repeat(5_000), "}".repeat(5_000)), Code::Syntax);
    let mut yaml = String::new();
    for depth in 0..2_000 {
        let _ = writeln!(yaml, "{}a:", " ".repeat(depth));
    }
    refused(&yaml, Code::Syntax);
}

#[test]
fn a_file_over_the_limit_is_not_read() {
    let directory = scratch("large");
    let path = directory.join("large.yaml");
    fs::File::create(&path).unwrap().set_len(100 * 1024 * 1024).unwrap();
    let faults = load_file(&path).unwrap_err().to_string();
    assert!(faults.contains("104857600 bytes") && faults.contains(&MAX_BYTES.to_string()), "{faults}");
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn what_is_no_file_is_not_read() {
    let directory = scratch("kinds");
    let faults = load_file(&directory).unwrap_err().to_string();
    assert!(faults.contains("it is a directory, not a file"), "{faults}");
    #[cfg(unix)]
    {
        let pipe = directory.join("pipe.yaml");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [pipe.as_path(), std::path::Path::new("/dev/zero")] {
            let faults = load_file(path).unwrap_err();
            assert_eq!((faults.len(), faults.iter().next().unwrap().code), (1, Code::Unreadable));
            assert!(faults.to_string().contains("it is a pipe, a device or a socket"), "{faults}");
        }
    }
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn not_utf8() {
    let directory = scratch("utf8");
    let path = directory.join("latin1.yaml");
    fs::write(&path, b"name: a\ndescription: caf\xe9\n").unwrap();
    let faults = load_file(&path).unwrap_err().to_string();
    assert!(faults.contains("not UTF-8") && faults.contains("latin1.yaml:2:17"), "{faults}");
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn endless_lines_and_names_give_short_messages() {
    let name = "x".repeat(1_000_000);
    refused(&format!("name: {name}\nnamespace_name: b\nversion: 1\nsteps: []"), Code::InvalidValue);
    for yaml in [
        format!("{{name: {name}}}"),
        format!("{HEAD}steps: [{{name: a, handler: {{callable: C}}, dependencies: [{name}]}}]"),
        format!("{HEAD}steps: [{{name: a, type: {name}, handler: {{callable: C}}}}]"),
    ] {
        let drawn = load_str("hostile.yaml", &yaml).unwrap_err().to_string();
        assert!(drawn.len() < 10_000, "{} bytes", drawn.len());
    }
}

#[test]
fn other_documents_than_a_mapping() {
    for yaml in ["", "---", "just text", "[1, 2]", "42"] {
        load_str("hostile.yaml", yaml).unwrap_err();
    }
}

#[test]
fn names_that_would_steer_a_terminal() {
    for name in ["a\\nb", "\\e[31mred", "tab\\t"] {
        refused(
            &format!(
                "name: t\nnamespace_name: n\nversion: 1\nsteps: [{{name: \"{name}\", handler: {{callable: C}}}}]"
            ),
            Code::InvalidValue,
        );
    }
}

#[test]
fn thousands_of_wrong_names() {
    let mut yaml = format!("{HEAD}steps:\n");
    for step in 0..10_000 {
        let next = step + 1;
        let _ =
            writeln!(yaml, "- {{name: step_{step}, handler: {{callable: C}}, dependencies: [stepp_{next}]}}");
    }
    // Comparing each with each would take minutes in a debug build.
    let faults = load_str("hostile.yaml", &yaml).unwrap_err();
    assert_eq!((faults.count(Severity::Error), faults.count(Severity::Warning)), (10_000, 0));
    assert_eq!((faults.len(), faults.iter().count()), (10_000, 50));
    let first = faults.iter().next().unwrap();
    assert_eq!((first.line, first.suggestion.as_deref()), (5, Some("did you mean `step_1`?")));
    assert!(faults.to_string().ends_with("\n\nand 9950 more faults"));
}

#[test]
fn a_step_without_a_name_is_not_suggested() {
    let yaml = format!(
        "{HEAD}steps:\n- {{handler: {{callable: C}}}}\n- {{name: b, handler: {{callable: C}}, dependencies: [x]}}"
    );
    let faults = load_str("hostile.yaml", &yaml).unwrap_err();
    let codes: Vec<_> = faults.iter().map(|one| (one.code, one.suggestion.as_deref())).collect();
    assert_eq!(codes, [(Code::MissingKey, None), (Code::MissingDepRef, None)]);
}

#[test]
fn names_too_long_to_compare_get_no_suggestion() {
    let name = "n".repeat(200);
    let yaml = |dependency: &str| {
        format!(
            "{HEAD}steps:\n- {{name: {name}, handler: {{callable: C}}}}\n- {{name: b, handler: {{callable: C}}, dependencies: [{dependency}]}}"
        )
    };
    let suggested = |dependency: &str| {
        let faults = load_str("hostile.yaml", &yaml(dependency)).unwrap_err();
        faults.iter().next().unwrap().suggestion.is_some()
    };
    assert!(suggested(&"n".repeat(201)));
    assert!(!suggested(&"n".repeat(10_000)));
}

#[test]
fn of_errors_and_warnings_the_first_are_kept_and_all_are_counted() {
    let mut yaml = String::from(HEAD);
    for key in 0..2_000 {
        let _ = writeln!(yaml, "key_{key}: 1");
    }
    // A likely slip is kept, however many keys without meaning come before it.
    yaml.push_str("lifecicle: {}\nsteps:\n");
    (0..3_000).for_each(|_| yaml.push_str("- 1\n"));
    let faults = load_str("hostile.yaml", &yaml).unwrap_err();
    // One error more than wrong steps: there is none that is right.
    assert_eq!((faults.count(Severity::Error), faults.count(Severity::Warning)), (3_001, 2_001));
    let kept: Vec<_> = faults.iter().map(|one| (one.severity, one.line)).collect();
    let mut expected = vec![(Severity::Error, 1)];
    expected.extend((0..49).map(|step| (Severity::Error, 2_006 + step)));
    expected.push((Severity::Warning, 2_004));
    expected.extend((0..49).map(|key| (Severity::Warning, 4 + key)));
    assert_eq!(kept, expected);
    assert_eq!(faults.rest().as_deref(), Some("and 4902 more faults"));
    assert_eq!(serde_json::to_value(&faults).unwrap().as_array().unwrap().len(), 100);

    let both = load_str("small.yaml", "{name: a, steps: []}").unwrap_err();
    let mut all = faults.clone();
    all.extend(both.clone());
    // The second file's are all kept: the limit is one of a file.
    assert_eq!(all.iter().count(), 100 + both.len());
    assert_eq!((all.len(), all.rest()), (faults.len() + both.len(), faults.rest()));
}

#[test]
fn a_fault_is_drawn_with_its_own_line_whatever_ends_the_lines() {
    for end in ["\n", "\r\n", "\r"] {
        let mut yaml = HEAD.replace('\n', end);
        for key in 0..3_000 {
            let _ = write!(yaml, "# \u{e9} {key}{end}");
        }
        let _ = write!(yaml, "steps: [\u{e9}, 5]{end}description: x{end}");
        let faults = load_str("lines.yaml", &yaml).unwrap_err();
        let fault = faults.iter().nth(2).unwrap();
        assert_eq!((fault.line, fault.column), (3_004, 12), "{end:?}");
        assert_eq!(fault.source_line, "steps: [\u{e9}, 5]", "{end:?}");
        assert!(fault.to_string().contains("\n     |            ^"), "{fault}");
    }
}

#[test]
fn of_an_endless_line_only_what_is_near_the_fault_is_drawn() {
    let yaml = format!("{HEAD}steps: [{}oops, {}]", "{}, ".repeat(30_000), "{}, ".repeat(30_000));
    let faults = load_str("hostile.yaml", &yaml).unwrap_err();
    // Two keys are missing in each step; the word is no step at all.
    assert_eq!(faults.len(), 120_001);
    assert!(faults.iter().all(|fault| fault.line == 4 && fault.source_line.len() <= 400));
    assert!(faults.to_string().len() < 100_000);
}

#[test]
fn faults_beside_characters_of_several_bytes_are_drawn() {
    for yaml in
        ["\"name: \u{e9}\\n\u{e9}\"", "name: \u{e9}\n\tb: 1", "a: \u{2028}\u{85}[", "\u{1f389}: [\u{e9}"]
    {
        let _ = load_str("hostile.yaml", yaml).map(drop).unwrap_err().to_string();
    }
}

#[test]
fn of_an_endless_number_only_the_beginning_is_drawn() {
    for digits in ["7".repeat(100_000), "0".repeat(100_000), format!("0.{}", "3".repeat(100_000))] {
        let yaml = format!("{HEAD}metadata: {{a: {digits}}}\n");
        let faults = load_str("hostile.yaml", &yaml).unwrap_err().to_string();
        assert!(faults.contains("a: ") && faults.len() < 10_000, "{} bytes", faults.len());
    }
}

#[test]
fn thousands_of_keys() {
    let keys: String = (0..10_000).map(|key| format!("key_{key}: 1\n")).collect();
    // Compared with each other they would take seconds in a debug build.
    load_str("hostile.yaml", &keys).unwrap_err();
}

#[test]
fn two_documents_in_one_file() {
    refused("name: a\n---\nname: b\n", Code::Syntax);
}

fn scratch(name: &str) -> std::path::PathBuf {
    let directory = std::env::temp_dir().join(format!("tasker-template-{name}-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    directory
}
