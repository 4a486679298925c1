//! `tasker graph`: the graph of a template.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use tasker_template::{dot, load_file, mermaid, text};

use crate::cli::{FAILED, print, say};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// A template file
    path: PathBuf,
    /// How to draw it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Lines, for a terminal
    Text,
    /// A Mermaid flowchart, for Markdown
    Mermaid,
    /// A digraph, for Graphviz
    Dot,
}

pub(super) fn run(options: &Options) -> ExitCode {
    let loaded = match load_file(&options.path) {
        Ok(loaded) => loaded,
        Err(faults) => {
            for one in faults.iter() {
                say(&format!("{}\n", one.render(console::colors_enabled_stderr())));
            }
            if let Some(rest) = faults.rest() {
                say(&rest);
            }
            return ExitCode::from(FAILED);
        }
    };
    let draw = match options.format {
        Format::Text => text,
        Format::Mermaid => mermaid,
        Format::Dot => dot,
    };
    print(draw(loaded.template(), loaded.plan()).trim_end());
    ExitCode::SUCCESS
}
