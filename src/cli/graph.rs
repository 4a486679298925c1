//! `tasker graph`: the graph of a template.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use tasker_runtime::Builder;
use tasker_template::{dot, mermaid, text};

use crate::cli::chosen::{Chosen, choose};
use crate::cli::output::print;
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
    let chosen = choose(builder, options.template.as_deref(), program).and_then(Chosen::faultless);
    let loaded = match chosen {
        Ok((_, loaded)) => loaded,
        Err(code) => return code,
    };
    let draw = match options.format {
        Format::Text => text,
        Format::Mermaid => mermaid,
        Format::Dot => dot,
    };
    print(draw(loaded.template(), loaded.plan()).trim_end());
    ExitCode::SUCCESS
}
