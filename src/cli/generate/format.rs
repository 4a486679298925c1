//! Lays out generated code as rustfmt does: by rustfmt, or where that is not at hand by prettyplease.

use std::io::Write as _;
use std::process::{Command, Stdio};

use syn::Item;

/// Items as text, with a blank line between any two that are not both imports.
pub(super) fn laid_out(items: &[Item]) -> String {
    let mut text = String::new();
    let mut last_was_import = true;
    for item in items {
        let is_import = matches!(item, Item::Use(_));
        if !(is_import && last_was_import) {
            text.push('\n');
        }
        last_was_import = is_import;
        let file =
            syn::File { shebang: None, frontmatter: None, attrs: Vec::new(), items: vec![item.clone()] };
        text.push_str(&prettyplease::unparse(&file));
    }
    text
}

/// The code as rustfmt lays it out, or as it is without rustfmt.
pub(super) fn formatted(code: String) -> String {
    by_rustfmt(&code).unwrap_or(code)
}

fn by_rustfmt(code: &str) -> Option<String> {
    let mut command = Command::new("rustfmt");
    command.args(["--edition", "2024", "--quiet"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    // rustfmt reads all of it before it writes, so that neither waits for the other.
    let written = child.stdin.take()?.write_all(code.as_bytes());
    let output = child.wait_with_output().ok()?;
    written.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.is_empty()).then_some(text)
}
