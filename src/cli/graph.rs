//! `tasker graph`: the graph of a template.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use tasker_runtime::Builder;
use tasker_template::{dot, mermaid, text};

use crate::cli::chosen::choose;
use crate::cli::output::{FAILED, print, say};
use crate::cli::program::Program;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// A template file, or the name of one of this program's templates, with @VERSION or @latest where it has
    /// several; may be left out when it has only one template
    // Not `template`, which an application may call a global option of its own.
    #[arg(id = "wanted_template", value_name = "TEMPLATE")]
    template: Option<PathBuf>,
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

pub(super) fn run(builder: Builder, options: &Options, program: &Program) -> ExitCode {
    let chosen = match choose(builder, options.template.as_deref(), program) {
        Ok(chosen) => chosen,
        Err(code) => return code,
    };
    let loaded = match chosen.template {
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
