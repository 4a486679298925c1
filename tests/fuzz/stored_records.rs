//! Any text is put in the place of a record of a task, which is then looked at. The first byte says which record.

#![no_main]

mod records;

thread_local! {
    static BLOCKED: records::Blocked = records::Blocked::new();
}

libfuzzer_sys::fuzz_target!(|input: (u8, &str)| BLOCKED.with(|blocked| blocked.check(input.0, input.1)));
