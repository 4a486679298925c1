//! `tasker explain`: what a fault means, and the way out, as `docs/diagnostics.md` says it.

use std::process::ExitCode;

use clap::Args;
use tasker_template::{FaultKind, nearest};

use crate::cli::output::{USAGE, fail, print};

/// The page, of which each kind of fault has a section.
const PAGE: &str = include_str!("../../docs/diagnostics.md");

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The number of a fault, as in `error[TSK111]`, or its code, such as MISSING_DEP_REF; without it, all are
    /// listed
    fault: Option<String>,
}

pub(super) fn run(options: &Options) -> ExitCode {
    let Some(wanted) = &options.fault else {
        for kind in FaultKind::all() {
            print(format!("{}  {:<20} {}", kind.number(), kind.word().unwrap_or("-"), kind.title()).as_str());
        }
        return ExitCode::SUCCESS;
    };
    let found: Vec<_> = FaultKind::called(bare(wanted)).map(plain).collect();
    if found.is_empty() {
        return fail(USAGE, unknown(wanted));
    }
    print(found.join("\n\n").as_str());
    ExitCode::SUCCESS
}

/// What stands in the brackets of `error[TSK111]`, as a terminal shows a fault.
fn bare(wanted: &str) -> &str {
    wanted.split_once('[').and_then(|(_, rest)| rest.split(']').next()).unwrap_or(wanted).trim()
}

fn unknown(wanted: &str) -> String {
    let words = FaultKind::all().iter().filter_map(FaultKind::word).map(ToOwned::to_owned);
    let numbers = FaultKind::all().iter().map(|kind| kind.number().to_string());
    let names: Vec<String> = words.chain(numbers).collect();
    match nearest(wanted, names.iter().map(String::as_str)) {
        Some(near) => format!("there is no fault `{wanted}`; did you mean `{near}`?"),
        None => format!("there is no fault `{wanted}`; without an argument, all are listed"),
    }
}

/// The section of a fault, with its heading.
pub(super) fn section(kind: &FaultKind) -> &'static str {
    let heading = format!("## {}: ", kind.number());
    let begin = PAGE.find(&heading).map_or(PAGE.len(), |at| at + "## ".len());
    let section = &PAGE[begin..];
    section.find("\n## ").map_or(section, |end| &section[..end]).trim_end()
}

/// The section of a fault for a terminal: its examples are indented instead of fenced.
pub(super) fn plain(kind: &FaultKind) -> String {
    let mut is_code = false;
    let mut lines = Vec::new();
    for line in section(kind).lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if is_code && !line.is_empty() {
            lines.push(format!("    {line}"));
        } else {
            lines.push(without_links(line));
        }
    }
    lines.join("\n")
}

/// The line with the path of a page in the place of a link to it, which would lead nowhere.
fn without_links(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, link)) = rest.split_once("](") {
        let (Some((before, _)), Some((page, after))) = (before.rsplit_once('['), link.split_once(')')) else {
            break;
        };
        text.push_str(&format!("{before}docs/{page}"));
        rest = after;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_a_section_of_its_own() {
        for kind in FaultKind::all() {
            let section = section(kind);
            assert!(section.starts_with(&format!("{}: {}\n", kind.number(), kind.title())), "{section}");
            assert_eq!(section.matches("\nWay out: ").count(), 1, "{section}");
            assert!(!plain(kind).contains("```") && !plain(kind).contains("]("), "{section}");
        }
    }

    #[test]
    fn a_fault_is_found_as_it_is_printed() {
        assert_eq!(["error[TSK111]", "[TSK111]", " TSK111"].map(bare), ["TSK111"; 3]);
        assert_eq!(without_links("See [a.md](a.md), and [b.md](b.md#c)."), "See docs/a.md, and docs/b.md#c.");
    }

    #[test]
    fn the_fault_that_was_probably_meant_is_named() {
        assert!(unknown("MISSING_DEPREF").ends_with("did you mean `MISSING_DEP_REF`?"));
        assert!(unknown("nonsense").ends_with("all are listed"));
    }
}
