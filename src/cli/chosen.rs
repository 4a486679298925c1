//! The templates that a command is about: those that its arguments name, or else the program's own.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tasker_runtime::Builder;
use tasker_template::{Diagnostics, LoadedTemplate, TemplateDraft, compare_versions, load_file, nearest};

use crate::cli::output::{CANNOT_START, FAILED, USAGE, cannot_start, fail, tell};
use crate::cli::program::Program;

/// The version that stands for the latest.
const LATEST: &str = "latest";

/// The one template that a command is about.
pub(super) struct Chosen {
    /// The builder, which has the template among its own.
    pub(super) builder: Builder,
    /// The template, or what is wrong with it.
    pub(super) template: Result<LoadedTemplate, Diagnostics>,
}

impl Chosen {
    /// The builder, and the template when nothing is wrong with it; else tells what is.
    pub(super) fn faultless(self) -> Result<(Builder, LoadedTemplate), ExitCode> {
        match self.template {
            Ok(loaded) => Ok((self.builder, loaded)),
            Err(faults) => {
                tell(&faults);
                Err(ExitCode::from(FAILED))
            }
        }
    }
}

/// Whether the file is called as templates are.
pub(super) fn is_template_file(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Finds the template that the arguments name: by its file, or one of the program's own by its name, with a
/// version after an `@` where it has several. Where they name none, it is the only one that the program has.
/// Otherwise says what there is.
pub(super) fn choose(builder: Builder, wanted: Option<&Path>, program: &Program) -> Result<Chosen, ExitCode> {
    if let Some(path) = wanted.filter(|path| is_file_of_one(path)) {
        return Ok(Chosen { builder: builder.preferred_template_file(path), template: load_file(path) });
    }
    let template = choose_own(&builder, wanted, program)?;
    Ok(Chosen { builder, template })
}

/// As [`choose`], without the builder.
pub(super) fn choose_one(
    builder: &Builder,
    wanted: &Path,
    program: &Program,
) -> Result<LoadedTemplate, ExitCode> {
    let chosen = if is_file_of_one(wanted) {
        Ok(load_file(wanted))
    } else {
        choose_own(builder, Some(wanted), program)
    };
    chosen?.map_err(|faults| {
        tell(&faults);
        ExitCode::from(FAILED)
    })
}

/// Whether this is the path of a template's file, and no name.
pub(super) fn is_file_of_one(path: &Path) -> bool {
    path.is_file() || is_template_file(path)
}

/// One of the program's own templates, or what is wrong with it.
fn choose_own(
    builder: &Builder,
    wanted: Option<&Path>,
    program: &Program,
) -> Result<Result<LoadedTemplate, Diagnostics>, ExitCode> {
    let own = builder.read_templates().map_err(|error| cannot_start(&error))?;
    let own: Result<Vec<_>, _> = own.into_iter().collect();
    let own = own.map_err(|faults| fail(CANNOT_START, faults))?;
    let wanted = wanted.map(|wanted| wanted.display().to_string());
    let fitting: Vec<_> =
        own.iter().filter(|draft| wanted.as_deref().is_none_or(|wanted| is_called(draft, wanted))).collect();
    let of_version =
        wanted.as_deref().filter(|_| fitting.is_empty()).and_then(|wanted| wanted.rsplit_once('@'));
    let found = match (fitting.as_slice(), of_version) {
        ([only], _) => Some(*only),
        (_, Some((name, version))) => of_this_version(&own, name, version),
        _ => None,
    };
    match found {
        Some(draft) => Ok(draft.clone().finish()),
        None => {
            Err(fail(USAGE, Unclear { wanted: wanted.as_deref(), fitting: &fitting, own: &own, program }))
        }
    }
}

/// The only template of this name and version; `latest` is the latest of the only template of this name.
fn of_this_version<'d>(own: &'d [TemplateDraft], name: &str, version: &str) -> Option<&'d TemplateDraft> {
    let mut named = sorted(own.iter().filter(|draft| is_called(draft, name)).collect());
    if version != LATEST {
        named.retain(|draft| draft.template().version == version);
    }
    named
        .pop()
        .filter(|last| named.iter().all(|draft| version == LATEST && full_name(draft) == full_name(last)))
}

/// In the order of their versions.
fn sorted(mut drafts: Vec<&TemplateDraft>) -> Vec<&TemplateDraft> {
    drafts.sort_by(|one, other| compare_versions(&one.template().version, &other.template().version));
    drafts
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
    /// The templates that could be meant.
    fitting: &'a [&'a TemplateDraft],
    own: &'a [TemplateDraft],
    program: &'a Program,
}

impl fmt::Display for Unclear<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, fitting, own, program } = self;
        let program = &program.name;
        if let Some(versions) = Versions::of(fitting) {
            return write!(
                f,
                "{versions}: say which, as in `{}`, or ask for `{}`",
                versions.first(),
                versions.latest()
            );
        }
        if let Some((name, version)) = wanted.and_then(|wanted| wanted.rsplit_once('@')) {
            let named: Vec<_> = own.iter().filter(|draft| is_called(draft, name)).collect();
            if let Some(versions) = Versions::of(&named) {
                return write!(f, "{versions}, and no version {version}");
            }
        }
        match (wanted, !fitting.is_empty()) {
            (Some(wanted), true) => {
                return write!(f, "{program} has several templates `{wanted}`: name the file of one");
            }
            (Some(wanted), false) if Path::new(wanted).is_dir() => {
                return write!(f, "`{wanted}` is a directory: name one of its files");
            }
            (Some(wanted), false) => {
                write!(f, "there is no file `{wanted}`, and {program} has no template of this name")?;
            }
            (None, true) => write!(f, "say which template")?,
            (None, false) => return write!(f, "name a template file: {program} has no templates of its own"),
        }
        let mut full: Vec<String> = own.iter().map(full_name).collect();
        full.dedup();
        let short = own.iter().map(|draft| draft.template().name.as_str());
        let known = full.iter().map(String::as_str).chain(short);
        match wanted.and_then(|wanted| nearest(wanted, known)) {
            Some(near) => write!(f, "; did you mean `{near}`?"),
            None if full.is_empty() => Ok(()),
            None => write!(f, "; there are: {}", full.join(", ")),
        }
    }
}

/// The versions of one template.
struct Versions<'a>(Vec<&'a TemplateDraft>);

impl<'a> Versions<'a> {
    /// `None` when these are no versions of one template.
    fn of(drafts: &[&'a TemplateDraft]) -> Option<Self> {
        let name = full_name(drafts.first()?);
        drafts.iter().all(|draft| full_name(draft) == name).then(|| Self(sorted(drafts.to_vec())))
    }

    /// The first, as it is asked for.
    fn first(&self) -> String {
        let template = self.0[0].template();
        format!("{}@{}", template.name, template.version)
    }

    /// The latest, as it is asked for.
    fn latest(&self) -> String {
        format!("{}@{LATEST}", self.0[0].template().name)
    }
}

impl fmt::Display for Versions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions: Vec<&str> = self.0.iter().map(|draft| draft.template().version.as_str()).collect();
        let name = full_name(self.0[0]);
        match versions.as_slice() {
            [first @ .., last] if !first.is_empty() => {
                write!(f, "`{name}` has versions {} and {last}", first.join(", "))
            }
            only => write!(f, "`{name}` has version {}", only.join("")),
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
        let versions = [order, ["shop", "order", "1.10.0"], ["shop", "order", "1.9.0"]];
        assert_eq!(chosen(&versions, Some("shop/order")), None);
        assert_eq!(chosen(&versions, Some("shop/order@latest")), is("shop-order-1.10.0.yaml"));
        assert_eq!(chosen(&versions, Some("order@1.9.0")), is("shop-order-1.9.0.yaml"));
        assert_eq!(chosen(&versions, Some("order@2.0.0")), None);
        // Of which of two templates is not said.
        assert_eq!(chosen(&many, Some("refund@latest")), None);
        assert_eq!(chosen(&many, Some("refund@2.0.0")), is("bank-refund-2.0.0.yaml"));
    }
}
