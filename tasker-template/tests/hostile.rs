//! Files made to hurt: a clear error, and no more memory than the limits allow.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs;

use tasker_template::{Code, MAX_BYTES, load_file, load_str};

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
    refused(&yaml, Code::Syntax);
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
    let drawn = load_str("hostile.yaml", &format!("{{name: {name}}}")).unwrap_err().to_string();
    assert!(drawn.len() < 10_000, "{} bytes", drawn.len());
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
    let mut yaml = String::from("name: t\nnamespace_name: n\nversion: 1\nsteps:\n");
    for step in 0..3_000 {
        let _ =
            writeln!(yaml, "- {{name: step_{step}, handler: {{callable: C}}, dependencies: [other_{step}]}}");
    }
    // Comparing each with each would take minutes in a debug build.
    assert_eq!(load_str("hostile.yaml", &yaml).unwrap_err().len(), 3_000);
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
