//! The properties of `tests/fuzz`, with texts made by chance from templates and records.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::program::root;

#[path = "../fuzz/records.rs"]
mod records;
#[path = "../fuzz/template.rs"]
mod template;

/// What is put into texts: the words of templates and records, and what is read in more than one way.
const PIECES: [&str; 48] = [
    "name: ",
    "namespace_name: ",
    "version: ",
    "steps: ",
    "handler: ",
    "callable: ",
    "dependencies: ",
    "retry: ",
    "max_attempts: ",
    "backoff_base_ms: ",
    "environments: ",
    "ALL",
    "lifecycle: ",
    "input_schema: ",
    "type: ",
    "initialization: ",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "\n",
    "\n  ",
    "\t",
    "\"",
    "'",
    "#",
    "&a ",
    "*a",
    "<<: ",
    "|\n",
    ">-\n",
    "!!str ",
    "%YAML 1.2\n",
    "---\n",
    "...\n",
    "null",
    "~",
    "-1",
    "0x1F",
    "1e400",
    "99999999999999999999",
    "\u{feff}",
    "\u{0}",
    "\u{1F600}",
    "\\ud800",
];

/// A change of a text: a part of it, which goes or is there twice, and what comes in its place.
type Change = (Index, Index, bool, Option<&'static str>);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    vec((any::<Index>(), any::<Index>(), any::<bool>(), proptest::option::of(select(&PIECES[..]))), 1..6)
}

fn changed(text: &str, changes: &[Change]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for (begin, length, twice, piece) in changes {
        let begin = begin.index(text.len() + 1);
        let end = begin + length.index((text.len() - begin).min(40) + 1);
        let part = if *twice { text[begin..end].repeat(2) } else { Vec::new() };
        text.splice(begin..end, part.into_iter().chain(piece.unwrap_or_default().chars()));
    }
    text.into_iter().collect()
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn any_text_is_a_template_or_has_faults_that_lie_in_it() {
    let directory = root().join("templates");
    let files = tasker_template::template_files(directory).unwrap();
    let texts: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    assert!(texts.len() > 1);
    proptest!(config(2_000), |(text in select(texts), changes in changes())| {
        template::check(&changed(&text, &changes));
    });
    proptest!(config(1_000), |(pieces in vec(select(&PIECES[..]), 0..40))| template::check(&pieces.concat()));
}

#[test]
fn whatever_a_record_holds_its_task_can_be_looked_at() {
    let blocked = records::Blocked::new();
    const TEXTS: [&str; 5] = [
        r#"{"order":7,"items":[{"id":"a","price":12.50}]}"#,
        r#"{"kind":"permanent","message":"declined","code":"DECLINED","context":{"card":7}}"#,
        r#"{"reason":"an order","tags":["urgent"],"original_state":"error","waiting_for":["a"]}"#,
        r#"{"name":"flow","namespace_name":"fuzz","version":"1","steps":[{"name":"a","handler":{"callable":"A"}}]}"#,
        r#"["A","B.refund"]"#,
    ];
    proptest!(config(250), |(number in any::<u8>(), text in select(&TEXTS[..]), changes in changes())| {
        blocked.check(number, &changed(text, &changes));
    });
}
