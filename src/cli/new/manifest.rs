//! The manifest of a new crate: Cargo's own, with dependencies.

use std::path::{Path, PathBuf};

use crate::cli::paths::relative;

/// Where the new crate takes Tasker from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A version of the registry.
    Version(String),
    /// A checkout, by its full path.
    Path(PathBuf),
}

impl Source {
    /// The wanted version, or else the checkout that this program was built from, if it is still there, or the
    /// program's version.
    pub(super) fn or_own(version: Option<String>) -> Self {
        let own = || {
            let home = Path::new(env!("CARGO_MANIFEST_DIR"));
            // Cargo leaves this file in what it takes from a registry.
            let is_packaged = home.join(".cargo_vcs_info.json").exists();
            Self::checkout(home).ok().filter(|_| !is_packaged)
        };
        match version {
            Some(version) => Self::Version(version),
            None => own().unwrap_or_else(|| Self::Version(env!("CARGO_PKG_VERSION").to_owned())),
        }
    }

    /// A checkout in this directory.
    pub(super) fn checkout(directory: &Path) -> Result<Self, String> {
        let cannot = |error: std::io::Error| format!("cannot read {}: {error}", directory.display());
        let full = directory.canonicalize().map_err(cannot)?;
        let manifest = std::fs::read_to_string(full.join("Cargo.toml")).unwrap_or_default();
        let is_tasker = manifest.lines().any(|line| line.split_whitespace().eq(["name", "=", "\"tasker\""]));
        if is_tasker {
            Ok(Self::Path(full))
        } else {
            Err(format!(
                "{} is no checkout of Tasker: it has no manifest of the crate `tasker`",
                full.display()
            ))
        }
    }

    /// As a dependency of the crate in `directory`.
    fn dependency(&self, directory: &Path) -> String {
        match self {
            Self::Version(version) => format!("version = {version:?}"),
            Self::Path(path) => {
                let way = relative(path, directory);
                // Ways over the root say nothing that the full path does not say better.
                let shares = path.components().zip(directory.components()).nth(1);
                let is_near = shares.is_some_and(|(one, other)| one == other);
                format!("path = {:?}", if is_near { &way } else { path })
            }
        }
    }
}

/// The manifest with the dependencies of a new crate in `directory`; `None` if it has no table for them.
pub(super) fn with_dependencies(manifest: &str, source: &Source, directory: &Path) -> Option<String> {
    const TABLE: &str = "[dependencies]\n";
    let tasker = source.dependency(directory);
    let (before, after) = manifest.split_once(TABLE)?;
    Some(format!(
        "{before}{TABLE}serde = {{ version = \"1\", features = [\"derive\"] }}
serde_json = \"1\"
tasker = {{ {tasker} }}
tokio = {{ version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }}

[dev-dependencies]
tasker = {{ {tasker}, features = [\"testing\"] }}
{after}"
    ))
}
