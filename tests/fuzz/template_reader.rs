//! Any text is read as a template.

#![no_main]

mod template;

libfuzzer_sys::fuzz_target!(|yaml: &str| template::check(yaml));
