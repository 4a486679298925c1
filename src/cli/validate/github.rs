//! Faults as workflow commands of GitHub Actions: `::error file=a.yaml,line=6,col=3,title=TSK111::message`.

use tasker_template::{Diagnostic, Diagnostics, Severity};

use crate::cli::validate::path::portable;

/// A command for each fault, and one for those that are only counted.
pub(super) fn commands(faults: &Diagnostics) -> impl Iterator<Item = String> {
    let rest = faults.rest().map(|rest| format!("::notice::{}", data(&rest)));
    faults.iter().map(command).chain(rest)
}

fn command(fault: &Diagnostic) -> String {
    let word = match fault.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut properties = String::new();
    if !fault.file.is_empty() {
        properties = format!("file={},", property(&portable(&fault.file)));
    }
    if fault.line > 0 {
        let Diagnostic { line, column, .. } = fault;
        properties.push_str(&format!("line={line},col={column},"));
    }
    format!("::{word} {properties}title={}::{}", fault.code.number(), data(&fault.sentence()))
}

/// A message, with what would end it escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property, with what would end it escaped.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use tasker_template::{Code, load_str};

    use super::*;

    #[test]
    fn what_has_a_meaning_in_a_command_is_escaped() {
        let yaml = "{name: a, namespace_name: b, version: 1, steps: [{name: \"50%\", handler: {}}]}";
        let faults = load_str("a,b: 100%.yaml", yaml).unwrap_err();
        assert_eq!(
            commands(&faults).collect::<Vec<_>>(),
            ["::error file=a%2Cb%3A 100%25.yaml,line=1,col=73,title=TSK105::\
              the handler of step `50%25` has no `callable`"]
        );
        let odd =
            Diagnostic::without_place(Severity::Warning, Code::UnusedHandler, "one\r\ntwo: three, four");
        assert_eq!(command(&odd), "::warning title=TSK406::one%0D%0Atwo: three, four");
    }

    #[test]
    fn faults_that_are_only_counted_are_told_too() {
        let steps: String = (0..60).map(|step| format!("{{name: s{step}}}, ")).collect();
        let yaml = format!("{{name: a, namespace_name: b, version: 1, steps: [{steps}]}}");
        let all: Vec<_> = commands(&load_str("a.yaml", &yaml).unwrap_err()).collect();
        assert_eq!((all.len(), all[50].as_str()), (51, "::notice::and 10 more faults"));
    }
}
