//! What the commands print, and the codes they exit with.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::{fmt, io};

use serde::Serialize;
use tasker_template::Diagnostics;
use tracing_subscriber::EnvFilter;

/// The task did not complete, or a template is wrong.
pub(super) const FAILED: u8 = 1;
/// The arguments are wrong.
pub(super) const USAGE: u8 = 2;
/// A runtime could not be built.
pub(super) const CANNOT_START: u8 = 3;
/// Ended by ctrl-C; shells use the same code.
pub(super) const INTERRUPTED: u8 = 130;

/// How a run is shown: as JSON, as a live picture on a terminal, or as lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    /// A JSON object a line, and nothing else on standard output.
    Json,
    /// For people: live on a terminal.
    Person,
}

impl Display {
    /// JSON when asked for.
    #[must_use]
    pub fn new(json: bool) -> Self {
        if json { Self::Json } else { Self::Person }
    }
}

/// Sends the log to standard error: errors, and warnings of workers and stores, unless `RUST_LOG` says
/// otherwise. Attempts that failed are told as events, and are left out of it.
pub fn log_to_stderr() {
    const FILTER: &str = "error,tasker_runtime::build=warn,tasker_runtime::engine=warn,\
        tasker_runtime::engine::completion=error,tasker_sqlite=warn,tasker_postgres=warn";
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(FILTER));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // It would tell on standard error that standard error cannot be written, and panic.
    let log = log.log_internal_errors(false);
    // The application may have a log already; then that one stays.
    let _ = log.with_ansi(console::colors_enabled_stderr()).try_init();
}

/// The path as one would type it here: relative to the current directory where it lies below that.
#[must_use]
pub fn short(path: &Path) -> PathBuf {
    let below =
        std::env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    below.unwrap_or_else(|| path.to_owned())
}

/// Prints to standard error why a runtime cannot start.
#[must_use]
pub fn cannot_start(error: &tasker_runtime::BuildError) -> ExitCode {
    say(&format!("{error}\n"));
    ExitCode::from(CANNOT_START)
}

pub(super) fn fail(code: u8, message: impl fmt::Display) -> ExitCode {
    say(&format!("error: {message}"));
    ExitCode::from(code)
}

/// The one place that writes to standard error. Where that cannot be written, nobody can be told.
pub(super) fn say(message: &str) {
    let _ = writeln!(io::stderr().lock(), "{message}");
}

/// Tells the faults of a template.
pub(super) fn tell(faults: &Diagnostics) {
    for one in faults.iter() {
        say(&format!("{}\n", one.render(console::colors_enabled_stderr())));
    }
    if let Some(rest) = faults.rest() {
        say(&rest);
    }
}

/// Why standard output could not be written, once it could not. What runs goes on all the same.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// The one place that writes to standard output. What cannot be written is told at the end, by [`ended`].
pub(super) fn print(text: &str) {
    note(writeln!(io::stdout().lock(), "{text}"));
}

/// Notes an error of standard output. A reader that has gone away, as `| head` does, is no error.
pub(super) fn note(printed: io::Result<()>) {
    if let Err(error) = printed
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        // The first is as good as any that follows.
        let _ = UNWRITTEN.set(error.to_string());
    }
}

/// The code that a command exits with: an error as well when what it printed could not be written.
pub(super) fn ended(code: ExitCode) -> ExitCode {
    match UNWRITTEN.get() {
        None => code,
        Some(reason) => {
            let failed = fail(FAILED, format!("standard output cannot be written: {reason}"));
            if code == ExitCode::SUCCESS { failed } else { code }
        }
    }
}

/// Prints one value as JSON, in a line.
pub(super) fn print_json(value: &impl Serialize) {
    print(&serde_json::to_string(value).unwrap_or_else(|error| error.to_string()));
}
