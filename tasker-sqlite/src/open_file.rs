//! Checks that a file has not been removed while it is open: what is written to a removed file is lost when it
//! is closed.

#[cfg(unix)]
use std::path::Path;
use std::path::PathBuf;

#[cfg(unix)]
use tasker_store::StoreError;

use crate::error::Result;

/// A file that a connection writes to.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) path: PathBuf,
    #[cfg(unix)]
    identity: Option<(u64, u64)>,
}

impl OpenFile {
    #[cfg(unix)]
    pub(crate) fn new(path: PathBuf) -> Self {
        let identity = Self::identity(&path);
        Self { path, identity }
    }

    #[cfg(unix)]
    fn identity(path: &Path) -> Option<(u64, u64)> {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
    }

    #[cfg(unix)]
    pub(crate) fn check(&self) -> Result<()> {
        if Self::identity(&self.path) == self.identity {
            return Ok(());
        }
        Err(StoreError::Gone { what: self.path.display().to_string() }.into())
    }

    #[cfg(not(unix))]
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    #[cfg(not(unix))]
    pub(crate) fn check(&self) -> Result<()> {
        // Other systems do not remove a file that is open.
        Ok(())
    }
}
