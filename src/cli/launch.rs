//! Runs a Cargo project or example, which brings its own handlers.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::cli::output::{CANNOT_START, fail};

/// What Cargo is to run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    manifest: PathBuf,
    example: Option<String>,
}

impl Target {
    /// A project is a directory with a manifest; an example lies in the `examples` of one.
    pub(super) fn find(path: &Path) -> Result<Self, String> {
        let cannot = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
        let full = path.canonicalize().map_err(cannot)?;
        if full.join("Cargo.toml").is_file() {
            return Ok(Self { manifest: full.join("Cargo.toml"), example: None });
        }
        // The folder `examples/NAME`, its `main.rs`, or the file `examples/NAME.rs`.
        let folder = if full.ends_with("main.rs") { full.parent().unwrap_or(&full) } else { &full };
        let examples = folder.parent().filter(|parent| parent.ends_with("examples"));
        let manifest = examples.and_then(Path::parent).map(|project| project.join("Cargo.toml"));
        let name = folder.file_stem().and_then(|name| name.to_str());
        match (manifest.filter(|manifest| manifest.is_file()), name) {
            (Some(manifest), Some(name)) => Ok(Self { manifest, example: Some(name.to_owned()) }),
            _ => Err(format!(
                "{} is no template (.yaml), no Cargo project, and no example of one (examples/NAME)",
                path.display()
            )),
        }
    }

    fn command(&self, arguments: &[OsString]) -> Command {
        let mut command = own_cargo();
        command.arg("run").arg("--quiet").arg("--manifest-path").arg(&self.manifest);
        if let Some(example) = &self.example {
            command.arg("--example").arg(example);
        }
        command.arg("--").args(arguments);
        command
    }
}

/// Cargo: under `cargo run`, the same one.
pub(super) fn own_cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Becomes the program, where the system can; else runs it and ends as it does.
pub(super) fn launch(target: &Target, arguments: &[OsString]) -> ExitCode {
    let mut command = target.command(arguments);
    #[cfg(unix)]
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    #[cfg(not(unix))]
    let error = match command.status() {
        Ok(status) => {
            return ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1));
        }
        Err(error) => error,
    };
    fail(
        CANNOT_START,
        format!("cannot run {}: {error}; is cargo installed?", command.get_program().display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<&str>) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = Target::find(&root.join(path)).unwrap();
        assert_eq!(target.example.as_deref(), expected);
        assert!(target.manifest.is_file());
    }

    #[test]
    fn projects_and_examples_are_found() {
        check("examples/user_registration", Some("user_registration"));
        check("examples/user_registration/", Some("user_registration"));
        check("examples/user_registration/main.rs", Some("user_registration"));
        check("tasker-runtime", None);
        check(".", None);
    }

    #[test]
    fn anything_else_is_refused() {
        for path in ["src", "README.md", "examples", "templates"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
            if path.exists() {
                assert!(Target::find(&path).is_err(), "{}", path.display());
            }
        }
    }
}
