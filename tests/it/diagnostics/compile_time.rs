//! What `docs/compile-time.md` quotes of the compiler is what `tests/ui` pins.

use std::collections::BTreeSet;
use std::fs;

use tasker_template::FaultKind;

use crate::diagnostics::{page, ui_cases};
use crate::program::root;

const PAGE: &str = include_str!("../../../docs/compile-time.md");

/// The code is that of a case; where a message follows it, that of the case which has this message.
#[test]
fn each_message_is_that_of_a_case_and_of_the_code_before_it() {
    let cases = ui_cases();
    let handlers = fs::read_to_string(root().join("tests/ui/workflow/common/handlers.rs")).unwrap();
    let template = fs::read_to_string(root().join("tests/ui/workflow/common/shop.yaml")).unwrap();
    let (mut code, mut messages) = (None, 0);
    for (language, text) in page::blocks(PAGE) {
        match language {
            "yaml" => assert_eq!(text, template),
            "rust" if handlers.contains(text) => {}
            "rust" => code = Some(text),
            "text" => {
                let code = code.take().unwrap_or_default();
                let is_it = |(source, message): &(String, String)| {
                    source.contains(code) && page::has_part(message, text)
                };
                assert!(cases.iter().any(is_it), "no case of tests/ui has this\n{code}\n{text}");
                messages += 1;
            }
            "toml" => {}
            other => panic!("what is `{other}` held to?"),
        }
    }
    assert!(code.is_none(), "no message follows {code:?}");
    assert!(messages > 20, "{messages}");
}

#[test]
fn each_number_is_in_the_table() {
    let known: BTreeSet<_> = FaultKind::all().iter().map(|kind| kind.number().to_string()).collect();
    let told = PAGE.split("TSK").skip(1).filter_map(|rest| rest.get(..3));
    let told: BTreeSet<_> =
        told.filter(|number| !number.contains('x')).map(|number| format!("TSK{number}")).collect();
    assert!(told.is_subset(&known), "{:?}", told.difference(&known));
    // Each fault that the macro alone finds, but for how a call of it is written, and handlers written by hand.
    for number in (202..=215).filter(|number| *number != 214) {
        assert!(told.contains(&format!("TSK{number}")), "TSK{number}");
    }
}

#[test]
fn the_packages_that_are_to_be_optimized_are_those_that_read_templates() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let package = |name: &str| {
        let begin = format!("name = \"{name}\"\n");
        let found = lock.split("[[package]]\n").find(|package| package.starts_with(&begin));
        found.unwrap_or_else(|| panic!("{name} is no package")).to_owned()
    };
    let block = page::blocks(PAGE).find(|(language, _)| *language == "toml").unwrap().1;
    let named: Vec<&str> =
        block.split("package.\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(named, ["granit-parser", "serde-saphyr", "tasker-template"]);
    assert!(package("tasker-macros").contains("\"tasker-template\""));
    assert!(package("tasker-template").contains("\"serde-saphyr\""));
    assert!(package("serde-saphyr").contains("\"granit-parser\""));
}
