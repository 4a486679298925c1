//! The templates that a command is about: those that its arguments name, or else the program's own.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tasker_runtime::Builder;
use tasker_template::{Diagnostics, LoadedTemplate, TemplateDraft, load_file, nearest};

use crate::cli::output::{CANNOT_START, USAGE, cannot_start, fail};
use crate::cli::program::Program;

/// The one template that a command is about.
pub(super) struct Chosen {
    /// The builder, which has the template among its own.
    pub(super) builder: Builder,
    /// The template, or what is wrong with it.
    pub(super) template: Result<LoadedTemplate, Diagnostics>,
}

/// Whether the file is called as templates are.
pub(super) fn is_template_file(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Finds the template that the arguments name: by its file, or one of the program's own by its name. Where
/// they name none, it is the only one that the program has. Otherwise says what there is.
pub(super) fn choose(builder: Builder, wanted: Option<&Path>, program: &Program) -> Result<Chosen, ExitCode> {
    if let Some(path) = wanted.filter(|path| path.is_file() || is_template_file(path)) {
        return Ok(Chosen { builder: builder.template_file(path), template: load_file(path) });
    }
    let own = builder.read_templates().map_err(|error| cannot_start(&error))?;
    let own: Result<Vec<_>, _> = own.into_iter().collect();
    let own = own.map_err(|faults| fail(CANNOT_START, faults))?;
    let wanted = wanted.map(|wanted| wanted.display().to_string());
    let mut fitting =
        own.iter().filter(|draft| wanted.as_deref().is_none_or(|wanted| is_called(draft, wanted)));
    match (fitting.next(), fitting.next()) {
        (Some(draft), None) => Ok(Chosen { builder, template: draft.clone().finish() }),
        (first, _) => {
            let several = first.is_some();
            Err(fail(USAGE, Unclear { wanted: wanted.as_deref(), several, own: &own, program }))
        }
    }
}

/// Whether this is its name, with the namespace or without.
fn is_called(draft: &TemplateDraft, wanted: &str) -> bool {
    wanted == draft.template().name || wanted == full_name(draft)
}

fn full_name(draft: &TemplateDraft) -> String {
    format!("{}/{}", draft.template().namespace, draft.template().name)
}

/// Why there is not exactly one template to take.
struct Unclear<'a> {
    wanted: Option<&'a str>,
    several: bool,
    own: &'a [TemplateDraft],
    program: &'a Program,
}

impl fmt::Display for Unclear<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, several, own, program } = self;
        let program = &program.name;
        match (wanted, several) {
            (Some(wanted), true) => {
                return write!(f, "{program} has several templates `{wanted}`: name the file of one");
            }
            (Some(wanted), false) => {
                write!(f, "there is no file `{wanted}`, and {program} has no template of this name")?;
            }
            (None, true) => write!(f, "say which template")?,
            (None, false) => return write!(f, "name a template file: {program} has no templates of its own"),
        }
        let full: Vec<String> = own.iter().map(full_name).collect();
        let short = own.iter().map(|draft| draft.template().name.as_str());
        let known = full.iter().map(String::as_str).chain(short);
        match wanted.and_then(|wanted| nearest(wanted, known)) {
            Some(near) => write!(f, "; did you mean `{near}`?"),
            None if full.is_empty() => Ok(()),
            None => write!(f, "; there are: {}", full.join(", ")),
        }
    }
}

/// The builder with these files, and directories of files, added to its templates.
pub(super) fn with_templates(builder: Builder, paths: &[PathBuf]) -> Builder {
    paths.iter().fold(builder, |builder, path| {
        if path.is_dir() { builder.templates(path) } else { builder.template_file(path) }
    })
}

#[cfg(test)]
mod tests {
    use tasker_runtime::Tasker;

    use super::*;

    /// A program with these templates, each as namespace, name and version.
    fn chosen(templates: &[[&str; 3]], wanted: Option<&str>) -> Option<String> {
        let builder = templates.iter().fold(Tasker::builder(), |builder, [namespace, name, version]| {
            let yaml = format!(
                "{{name: {name}, namespace_name: {namespace}, version: {version}, \
                 steps: [{{name: a, handler: {{callable: A}}}}]}}"
            );
            builder.template_str(format!("{namespace}-{name}-{version}.yaml"), yaml)
        });
        let program = Program { name: "shop".to_owned(), version: None };
        let chosen = choose(builder, wanted.map(Path::new), &program).ok()?;
        Some(chosen.template.ok()?.source().name().to_owned())
    }

    #[test]
    fn a_template_is_chosen_when_it_is_the_only_one_that_can_be_meant() {
        let order = ["shop", "order", "1.0.0"];
        let many = [order, ["shop", "refund", "1.0.0"], ["bank", "refund", "2.0.0"]];
        let is = |file: &str| Some(file.to_owned());
        assert_eq!(chosen(&[order], None), is("shop-order-1.0.0.yaml"));
        assert_eq!(chosen(&many, Some("order")), is("shop-order-1.0.0.yaml"));
        assert_eq!(chosen(&many, Some("bank/refund")), is("bank-refund-2.0.0.yaml"));
        for wanted in [None, Some("refund"), Some("bank/order"), Some("")] {
            assert_eq!(chosen(&many, wanted), None, "{wanted:?}");
        }
        assert_eq!(chosen(&[], None), None);
        assert_eq!(chosen(&[order, ["shop", "order", "2.0.0"]], Some("shop/order")), None);
    }
}
