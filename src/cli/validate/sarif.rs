//! Faults as a log of SARIF 2.1.0, which code scanning and editors read.

use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tasker_template::{Diagnostic, Diagnostics, FaultKind, Severity};

use crate::cli::explain;
use crate::cli::validate::path::portable;

/// Where the schema of the format is published.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json";

/// What is written as `%XX` in the path of a URI.
const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The log of one run, with a rule for each kind of fault that was found.
pub(super) fn log(faults: &Diagnostics) -> Value {
    let mut kinds: Vec<&FaultKind> = faults.iter().map(|fault| fault.code.kind()).collect();
    kinds.sort_by_key(|kind| kind.number());
    kinds.dedup();
    let results: Vec<Value> = faults.iter().map(|fault| result(fault, &kinds)).collect();
    let rules: Vec<Value> = kinds.iter().map(|kind| rule(kind)).collect();
    let notes: Vec<Value> = faults
        .rest()
        .map(|rest| json!({ "level": "note", "message": { "text": rest } }))
        .into_iter()
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "tasker",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{ "executionSuccessful": true, "toolExecutionNotifications": notes }],
            "results": results,
        }],
    })
}

fn rule(kind: &FaultKind) -> Value {
    json!({
        "id": kind.number(),
        "name": kind.word().unwrap_or_default(),
        "shortDescription": { "text": kind.title() },
        "help": { "text": explain::plain(kind), "markdown": explain::section(kind) },
    })
}

fn result(fault: &Diagnostic, kinds: &[&FaultKind]) -> Value {
    let level = match fault.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut result = json!({
        "ruleId": fault.code.number(),
        "ruleIndex": kinds.iter().position(|kind| kind.number() == fault.code.number()),
        "level": level,
        "message": { "text": fault.sentence() },
    });
    if !fault.file.is_empty() {
        result["locations"] = json!([{ "physicalLocation": location(fault) }]);
    }
    result
}

fn location(fault: &Diagnostic) -> Value {
    let mut location = json!({ "artifactLocation": artifact(&portable(&fault.file)) });
    if fault.line > 0 {
        location["region"] = json!({
            "startLine": fault.line,
            "startColumn": fault.column,
            "endColumn": fault.end_column(),
        });
    }
    location
}

/// The URI of a file; where it can, relative to the root of the sources, which is the current directory.
fn artifact(path: &str) -> Value {
    let encoded = utf8_percent_encode(path, RESERVED).to_string();
    if !Path::new(path).is_absolute() {
        return json!({ "uri": encoded, "uriBaseId": "%SRCROOT%" });
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    json!({ "uri": format!("file://{slash}{encoded}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_uri() {
        let relative = json!({ "uri": "orders/caf%C3%A9%3A%20100%25.yaml", "uriBaseId": "%SRCROOT%" });
        assert_eq!(artifact("orders/café: 100%.yaml"), relative);
        assert_eq!(artifact("/tmp/a b.yaml"), json!({ "uri": "file:///tmp/a%20b.yaml" }));
    }
}
