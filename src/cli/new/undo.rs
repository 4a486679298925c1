//! What a new crate changes, so that it can be undone when the crate cannot be finished.

use std::path::{Path, PathBuf};

use crate::cli::launch::own_cargo;

/// The state of things before the crate.
#[derive(Debug)]
pub(super) struct Undo {
    directory: PathBuf,
    /// The first directory on the way to it that was not there; `None` when it was there itself, empty.
    first_new: Option<PathBuf>,
    /// The manifest of the workspace that the crate will be in, if any, with its text.
    workspace: Option<(PathBuf, Vec<u8>)>,
}

impl Undo {
    pub(super) fn prepare(directory: &Path) -> Self {
        let workspace = workspace_around(directory).and_then(|path| Some((std::fs::read(&path).ok()?, path)));
        let workspace = workspace.map(|(text, path)| (path, text));
        let ancestors = directory.ancestors().filter(|one| !one.as_os_str().is_empty());
        let first_new = ancestors.take_while(|one| !one.exists()).last().map(Path::to_owned);
        Self { directory: directory.to_owned(), first_new, workspace }
    }

    /// The manifest of the workspace, if it is another now.
    pub(super) fn changed_workspace(&self) -> Option<&Path> {
        let (path, before) = self.workspace.as_ref()?;
        let is_changed = std::fs::read(path).is_ok_and(|now| now != *before);
        is_changed.then_some(path)
    }

    /// Brings back what was there. Returns whether nothing else is left.
    pub(super) fn undo(&self) -> bool {
        let removed = match &self.first_new {
            Some(first) if first.exists() => std::fs::remove_dir_all(first),
            Some(_) => Ok(()),
            None => emptied(&self.directory),
        };
        let restored = match (self.changed_workspace(), &self.workspace) {
            (Some(path), Some((_, before))) => std::fs::write(path, before),
            _ => Ok(()),
        };
        removed.is_ok() && restored.is_ok()
    }
}

/// Removes what is in a directory that was empty; it may be a link to one.
fn emptied(directory: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => std::fs::remove_dir_all(entry.path())?,
            false => std::fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

/// The manifest of the workspace that a crate in this directory is in, or will be.
fn workspace_around(directory: &Path) -> Option<PathBuf> {
    let directory = std::path::absolute(directory).ok()?;
    let around = directory.ancestors().skip(1).find(|one| one.is_dir())?;
    let mut cargo = own_cargo();
    cargo.args(["locate-project", "--workspace", "--message-format", "plain"]).current_dir(around);
    let output = cargo.output().ok().filter(|output| output.status.success())?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end());
    path.is_file().then_some(path)
}
