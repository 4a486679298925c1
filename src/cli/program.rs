//! The program that a person has started, as messages name it.

use std::env::consts::EXE_SUFFIX;
use std::path::Path;

/// The name and version that the program goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) name: String,
    /// Unless the application says it, only Tasker's own version is known.
    pub(super) version: Option<&'static str>,
}

impl Program {
    /// The program by the name of its file.
    pub(super) fn started() -> Self {
        let file = std::env::args_os().next();
        let name = file.as_deref().and_then(|file| Path::new(file).file_name()?.to_str());
        let name = name.and_then(|name| name.strip_suffix(EXE_SUFFIX)).unwrap_or("tasker");
        Self { name: name.to_owned(), version: None }
    }

    /// What `--version` prints after the name.
    pub(super) fn version_text(&self) -> &'static str {
        self.version.unwrap_or(concat!("(tasker ", env!("CARGO_PKG_VERSION"), ")"))
    }

    /// Its name, and its version if that is known.
    pub(super) fn title(&self) -> String {
        match self.version {
            Some(version) => format!("{} {version}", self.name),
            None => self.name.clone(),
        }
    }
}
