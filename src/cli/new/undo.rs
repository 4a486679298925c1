//! What a new crate changes, so that it can be undone when the crate cannot be finished.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The state of things before the crate.
#[derive(Debug)]
pub(super) struct Undo {
    directory: PathBuf,
    /// Whether the directory was there, empty.
    was_there: bool,
    /// The manifest of the workspace that the crate will be in, if any, with its text.
    workspace: Option<(PathBuf, Vec<u8>)>,
}

impl Undo {
    pub(super) fn prepare(directory: &Path) -> Self {
        let workspace = workspace_around(directory).and_then(|path| Some((std::fs::read(&path).ok()?, path)));
        let workspace = workspace.map(|(text, path)| (path, text));
        Self { directory: directory.to_owned(), was_there: directory.exists(), workspace }
    }

    /// The manifest of the workspace, if it is another now.
    pub(super) fn changed_workspace(&self) -> Option<&Path> {
        let (path, before) = self.workspace.as_ref()?;
        let is_changed = std::fs::read(path).is_ok_and(|now| now != *before);
        is_changed.then_some(path)
    }

    /// Brings back what was there. What cannot be brought back stays, for there is nobody who could do better.
    pub(super) fn undo(&self) {
        let _ = std::fs::remove_dir_all(&self.directory);
        if self.was_there {
            let _ = std::fs::create_dir(&self.directory);
        }
        if let (Some(path), Some((_, before))) = (self.changed_workspace(), &self.workspace) {
            let _ = std::fs::write(path, before);
        }
    }
}

/// The manifest of the workspace that a crate in this directory is in, or will be.
fn workspace_around(directory: &Path) -> Option<PathBuf> {
    let directory = std::path::absolute(directory).ok()?;
    let around = directory.ancestors().skip(1).find(|one| one.is_dir())?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["locate-project", "--workspace", "--message-format", "plain"]).current_dir(around);
    let output = cargo.output().ok().filter(|output| output.status.success())?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end());
    path.is_file().then_some(path)
}
