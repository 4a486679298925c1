//! Cargo in the place of the crates.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// How macros, and what they use, are compiled.
#[derive(Clone, Copy, Debug)]
pub enum Settings {
    /// As Cargo does without any setting
    Dev,
    /// As `docs/compile-time.md` advises for large templates
    Advised,
    /// All macros and build scripts optimized
    Optimized,
    /// `--release`, which by itself optimizes no macro
    Release,
}

impl Settings {
    pub const ALL: [Self; 4] = [Self::Dev, Self::Advised, Self::Optimized, Self::Release];

    pub fn name(self) -> &'static str {
        match self {
            Self::Dev => "`dev`",
            Self::Advised => "`dev`, three packages at `opt-level = 3`",
            Self::Optimized => "`dev`, `build-override` at `opt-level = 3`",
            Self::Release => "`release`",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Dev => &[],
            Self::Advised => &[
                "--config=profile.dev.package.granit-parser.opt-level=3",
                "--config=profile.dev.package.serde-saphyr.opt-level=3",
                "--config=profile.dev.package.tasker-template.opt-level=3",
            ],
            Self::Optimized => &["--config=profile.dev.build-override.opt-level=3"],
            Self::Release => &["--release"],
        }
    }
}

/// What a build took, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub wall: f64,
    /// User and system time of Cargo and the compiler
    pub cpu: f64,
}

/// A workspace, and how it is built.
#[derive(Debug)]
pub struct Build<'a> {
    pub directory: &'a Path,
    pub target: &'a Path,
    pub settings: Settings,
}

impl Build<'_> {
    /// Checks a package.
    pub fn check(&self, package: &str, incremental: bool) -> Cost {
        let mut command = self.cargo("check", package);
        command.env("CARGO_INCREMENTAL", if incremental { "1" } else { "0" });
        let (begun, cpu) = (Instant::now(), cpu_of_children());
        succeed(&mut command);
        Cost { wall: begun.elapsed().as_secs_f64(), cpu: cpu_of_children() - cpu }
    }

    /// Checks a package in which a macro writes to the file in this variable.
    pub fn check_telling(&self, package: &str, variable: &str, file: &Path) {
        succeed(self.cargo("check", package).env(variable, file));
    }

    /// Runs a package, and returns what it prints.
    pub fn run(&self, package: &str) -> String {
        succeed(&mut self.cargo("run", package))
    }

    fn cargo(&self, verb: &str, package: &str) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args([verb, "--offline", "--quiet", "--package", package]).args(self.settings.arguments());
        command.current_dir(self.directory).env("CARGO_TARGET_DIR", self.target);
        command
    }
}

/// The version of the compiler.
pub fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    // There the toolchain is the one of the crates.
    succeed(Command::new(rustc).arg("--version").current_dir(env!("CARGO_MANIFEST_DIR"))).trim().to_owned()
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// User and system time of the processes that this one has waited for, in seconds; a clock tick is 1/100 s on Linux.
fn cpu_of_children() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
    fields.split_whitespace().skip(13).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>()
        / 100.0
}
