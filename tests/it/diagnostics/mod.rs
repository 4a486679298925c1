//! Every fault has its number, its section in `docs/diagnostics.md`, and an example there that produces it.

mod attempts;
mod compile_time;
mod examples;
mod page;
mod start;

use std::fs;
use std::path::Path;

use tasker_runtime::Tasker;
use tasker_template::FaultKind;

use crate::program::{root, tasker, text};

#[test]
fn the_page_has_what_the_table_has() {
    let told = page::sections("").into_iter().map(|one| (one.number, one.title, one.word));
    let known = FaultKind::all().iter().map(|kind| {
        let word = kind.word().unwrap_or_default();
        (kind.number().to_string(), kind.title().to_owned(), word.to_owned())
    });
    assert_eq!(told.collect::<Vec<_>>(), known.collect::<Vec<_>>());
}

#[test]
fn each_example_of_a_template_is_the_fault_that_it_is_said_to_be() {
    for section in page::sections("TSK1") {
        // Of a file that cannot be read there is no text.
        if section.number == "TSK101" {
            continue;
        }
        let yaml = section.block("yaml");
        // Without a worker, for nothing here runs it.
        let builder = Tasker::builder().without_worker().template_str("order.yaml", yaml);
        let found = builder.validate().diagnostics;
        let numbers: Vec<_> = found.iter().map(|one| one.code.number().to_string()).collect();
        assert_eq!(numbers, [section.number.as_str()], "{found}");
        section.assert_printed(&found.to_string());
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_as_on_the_page() {
    let section = page::of("TSK101");
    let mut words = section.block("sh").split_whitespace();
    assert_eq!(words.next(), Some("tasker"));
    let printed = text(&tasker(words).stdout);
    let (fault, _) = printed.split_once("\n\n").unwrap();
    section.assert_printed(fault);
}

#[test]
fn the_rust_of_the_page_is_the_code_that_the_tests_run() {
    // rustfmt breaks lines, and adds a comma where it does.
    let plain =
        |text: &str| text.replace(char::is_whitespace, "").replace(",)", ")").replace("pub(super)", "");
    let code = [include_str!("examples.rs"), include_str!("start.rs")].map(plain).concat();
    for section in [page::sections("TSK4"), page::sections("TSK5")].into_iter().flatten() {
        for block in section.blocks("rust") {
            assert!(code.contains(&plain(block)), "{}: {block}", section.number);
        }
    }
}

/// The faults of `workflow!` and of `#[step_handler]` are those of the cases in `tests/ui`.
#[test]
fn each_example_for_the_compiler_is_a_case_whose_message_is_pinned() {
    let cases = ui_cases();
    for section in [page::sections("TSK2"), page::sections("TSK3")].into_iter().flatten() {
        let rust = section.block("rust");
        let shows = |(source, message): &(String, String)| {
            source.contains(rust)
                && message.contains(&format!("[{}]", section.number))
                && page::has_part(message, section.block("text"))
        };
        let number = &section.number;
        assert!(cases.iter().any(shows), "{number}: no case of tests/ui has its example and its message");
    }
    for (_, message) in &cases {
        for number in message.split("TSK").skip(1).filter_map(|rest| rest.get(..3)) {
            let is_known = |kind: &FaultKind| kind.number().to_string() == format!("TSK{number}");
            assert!(FaultKind::all().iter().any(is_known), "TSK{number} is not in the table: {message}");
        }
    }
}

/// The source of each case in the directories of `tests/ui`, with the message that is pinned for it.
fn ui_cases() -> Vec<(String, String)> {
    let mut cases = Vec::new();
    for directory in fs::read_dir(root().join("tests/ui")).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(entries) = fs::read_dir(directory) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if let Ok(message) = fs::read_to_string(path.with_extension("stderr"))
                && path.extension().is_some_and(|extension| extension == "rs")
            {
                cases.push((fs::read_to_string(path).unwrap(), message));
            }
        }
    }
    assert!(cases.len() > 50, "{}", cases.len());
    cases
}

/// In these directories, a text in capitals is the code of an attempt's error.
#[test]
fn every_code_that_the_runtime_gives_to_an_attempt_has_a_number() {
    let mut words = Vec::new();
    for place in ["tasker-runtime/src/build", "tasker-runtime/src/engine", "tasker-runtime/src/handler"] {
        codes_in(&root().join(place), &mut words);
    }
    for place in ["tasker-store/src/action.rs", "tasker-store/src/error_record.rs"] {
        codes_in(&root().join(place), &mut words);
    }
    for word in words.iter() {
        assert!(FaultKind::called(word).next().is_some(), "the code {word} has no number");
    }
    for section in page::sections("TSK5") {
        assert!(words.contains(&section.word), "nothing gives the code {}", section.word);
    }
}

fn codes_in(place: &Path, words: &mut Vec<String>) {
    if place.is_dir() {
        for entry in fs::read_dir(place).unwrap() {
            codes_in(&entry.unwrap().path(), words);
        }
        return;
    }
    let source = fs::read_to_string(place).unwrap();
    // Examples in the documentation have codes of their own, and so have unit tests.
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
        let is_code =
            |text: &&str| text.len() > 3 && text.chars().all(|one| one.is_ascii_uppercase() || one == '_');
        words.extend(line.split('"').skip(1).step_by(2).filter(is_code).map(ToOwned::to_owned));
    }
}
