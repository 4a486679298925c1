//! From a file or a text to a checked template.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::check;
use crate::diagnostic::{Code, Diagnostics, Span};
use crate::fields::{Report, duplicate_keys};
use crate::node::Node;
use crate::plan::Plan;
use crate::read::{self, Places};
use crate::source::Source;
use crate::template::{StepType, TaskTemplate};

/// The largest size of a file, in bytes; a larger one is refused unread.
pub const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// A template without errors, its plan, and its text with the places of steps.
#[derive(Clone, Debug)]
pub struct LoadedTemplate {
    template: TaskTemplate,
    plan: Plan,
    source: Source,
    places: Places,
    warnings: Diagnostics,
}

impl LoadedTemplate {
    /// The template.
    #[must_use]
    pub fn template(&self) -> &TaskTemplate {
        &self.template
    }

    /// Its graph.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Its text, to report further faults in.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The warnings: what the author has probably not meant.
    #[must_use]
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// The steps of types that this version does not run, each as an error.
    ///
    /// ```
    /// let yaml = "
    /// name: a
    /// namespace_name: b
    /// version: 1
    /// steps:
    ///   - {name: s, handler: {callable: C}}
    ///   - {name: t, type: decision, handler: {callable: D}, dependencies: [s]}
    /// ";
    /// let loaded = tasker_template::load_str("demo.yaml", yaml).unwrap();
    /// assert_eq!(loaded.steps_not_run().iter().next().unwrap().line, 7);
    /// ```
    #[must_use]
    pub fn steps_not_run(&self) -> Diagnostics {
        let mut faults = Diagnostics::default();
        for (index, step) in self.template.steps.iter().enumerate() {
            if step.step_type != StepType::Standard {
                let message = format!(
                    "step `{}` is of type `{}`, and this version runs steps of type `standard` only",
                    step.name,
                    serde_json::to_value(step.step_type).unwrap_or_default().as_str().unwrap_or_default()
                );
                faults.push(self.source.error(self.step_span(index), Code::Unsupported, message, None));
            }
        }
        faults
    }

    /// Where the step's name stands.
    ///
    /// # Panics
    ///
    /// When the template has no step of this index.
    #[must_use]
    pub fn step_span(&self, step: usize) -> Span {
        self.places.steps[step].name
    }

    /// Where the step's callable stands.
    ///
    /// # Panics
    ///
    /// When the template has no step of this index.
    #[must_use]
    pub fn callable_span(&self, step: usize) -> Span {
        self.places.steps[step].callable
    }

    /// The place of the value at a JSON pointer; for a list or mapping, the place of its key. When there is
    /// no such value, the place of the longest prefix of the pointer that exists.
    ///
    /// ```
    /// let yaml = "{name: a, namespace_name: b, version: 1, steps: [{name: s, handler: {callable: C}}]}";
    /// let loaded = tasker_template::load_str("demo.yaml", yaml).unwrap();
    /// assert_eq!(loaded.span_at("/steps/0/handler/callable"), loaded.callable_span(0));
    /// assert_eq!(loaded.span_at("/steps/0/handler").column(), 60);
    /// ```
    #[must_use]
    pub fn span_at(&self, pointer: &str) -> Span {
        // The text is parsed again instead of keeping the tree: this is needed for faults only.
        self.tree().and_then(|root| root.span_at(pointer, &self.source)).unwrap_or(self.places.template)
    }

    /// The text as a tree, to ask for many places.
    pub(crate) fn tree(&self) -> Option<Node> {
        Node::parse(&self.source, self.source.text()).ok()
    }

    /// The template alone.
    #[must_use]
    pub fn into_template(self) -> TaskTemplate {
        self.template
    }
}

/// Reads and checks a template. Messages call the text `name`.
///
/// # Errors
///
/// Every fault that was found, warnings among them, when at least one is an error.
///
/// ```
/// let yaml = "
/// name: a
/// namespace_name: b
/// version: 1
/// steps:
///   - {name: account, handler: {callable: A}}
///   - {name: billing, handler: {callable: B}, dependencies: [acount]}
/// ";
/// let faults = tasker_template::load_str("demo.yaml", yaml).unwrap_err();
/// let fault = faults.iter().next().unwrap();
/// assert_eq!((fault.line, fault.column), (7, 60));
/// assert_eq!(fault.suggestion.as_deref(), Some("did you mean `account`?"));
/// ```
pub fn load_str(name: &str, text: &str) -> Result<LoadedTemplate, Diagnostics> {
    read_str(name, text)?.finish()
}

/// Reads and checks a template file.
///
/// # Errors
///
/// As [`load_str`]. Also when the file is not a regular file, cannot be read, is larger than [`MAX_BYTES`],
/// or is not UTF-8.
///
/// ```
/// let faults = tasker_template::load_file("no/such/file.yaml").unwrap_err();
/// assert!(faults.to_string().contains("no/such/file.yaml"));
/// ```
pub fn load_file(path: impl AsRef<Path>) -> Result<LoadedTemplate, Diagnostics> {
    read_file(path)?.finish()
}

/// A template as it was read, with its faults. Further checks can add faults to it.
#[derive(Clone, Debug)]
pub struct TemplateDraft {
    template: TaskTemplate,
    source: Source,
    places: Places,
    faults: Diagnostics,
}

impl TemplateDraft {
    /// The template. Settings that could not be read are missing, or have their defaults.
    #[must_use]
    pub fn template(&self) -> &TaskTemplate {
        &self.template
    }

    /// Its text, to report further faults in.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Its faults so far.
    #[must_use]
    pub fn faults(&self) -> &Diagnostics {
        &self.faults
    }

    /// Where the step's callable stands.
    ///
    /// # Panics
    ///
    /// When the template has no step of this index.
    #[must_use]
    pub fn callable_span(&self, step: usize) -> Span {
        self.places.steps[step].callable
    }

    /// The template, when none of its faults is an error.
    ///
    /// # Errors
    ///
    /// All faults, when one is.
    pub fn finish(self) -> Result<LoadedTemplate, Diagnostics> {
        let Self { template, source, places, faults } = self;
        if faults.has_errors() {
            return Err(faults);
        }
        let plan = Plan::new(&template)
            .map_err(|error| source.error(places.template, Code::CycleDetected, error.to_string(), None))?;
        Ok(LoadedTemplate { template, plan, source, places, warnings: faults })
    }
}

/// Reads a template and finds its faults. Fails only when the text is not YAML at all.
///
/// # Errors
///
/// When the text is not YAML, or breaks a limit.
///
/// ```
/// let draft = tasker_template::read_str("demo.yaml", "{name: a, steps: []}").unwrap();
/// assert_eq!(draft.template().name, "a");
/// assert!(draft.faults().has_errors());
/// ```
pub fn read_str(name: &str, text: &str) -> Result<TemplateDraft, Diagnostics> {
    let source = Source::new(name, text);
    if text.len() as u64 > MAX_BYTES {
        return Err(too_large(&source, text.len() as u64));
    }
    let root = Node::parse(&source, text)?;
    let mut report = Report::new(&source);
    duplicate_keys(&root, &mut report);
    let (template, places) = read::template(&root, &mut report);
    check::graph(&template, &places, &mut report);
    let faults = report.finish();
    Ok(TemplateDraft { template, source, places, faults })
}

/// As [`read_str`], from a file.
///
/// # Errors
///
/// Also when the file is not a regular file, cannot be read, is larger than [`MAX_BYTES`], or is not UTF-8.
pub fn read_file(path: impl AsRef<Path>) -> Result<TemplateDraft, Diagnostics> {
    let path = path.as_ref();
    let name = path.display().to_string();
    let text = read_text(path, &Source::new(&name, ""))?;
    read_str(&name, &text)
}

/// The template files of a directory and the directories below it (`.yaml`, `.yml`), in order of their paths.
///
/// Entries whose names begin with a dot are left out, and so are links to directories. A file that has
/// several names through links is there once, by the first of them.
///
/// # Errors
///
/// When a directory cannot be read.
pub fn template_files(directory: impl AsRef<Path>) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![directory.as_ref().to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory)? {
            let entry = entry?;
            let path = entry.path();
            // Kubernetes mounts the files of a ConfigMap in such a directory, and links to them beside it.
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            // A link to a directory is not followed: it may lead back up.
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else if path.is_file()
                && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
            {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut seen = HashSet::new();
    files.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    Ok(files)
}

fn read_text(path: &Path, source: &Source) -> Result<String, Diagnostics> {
    let unreadable =
        |message: String| Diagnostics::from(source.error(Span::default(), Code::Unreadable, message, None));
    let cannot_read = |error: std::io::Error| unreadable(format!("cannot read the template: {error}"));
    // Opening a pipe waits for a writer, and a device may never end.
    let kind = std::fs::metadata(path).map_err(cannot_read)?.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() { "a directory" } else { "a pipe, a device or a socket" };
        return Err(unreadable(format!("cannot read the template: it is {what}, not a file")));
    }
    let mut bytes = Vec::new();
    // Reads one byte over the limit at most. The file's length is not asked for, since the file may grow.
    File::open(path)
        .map_err(cannot_read)?
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot_read)?;
    if bytes.len() as u64 > MAX_BYTES {
        let read = bytes.len() as u64;
        let size = std::fs::metadata(path).map_or(read, |metadata| metadata.len().max(read));
        return Err(too_large(source, size));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let before = &error.as_bytes()[..at];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let begin = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let column = String::from_utf8_lossy(&before[begin..]).chars().count() + 1;
        let message = "the template is not UTF-8: here is a byte that is no part of a character";
        let shown = Source::new(source.name(), &String::from_utf8_lossy(error.as_bytes()));
        shown.error(Span { start: at, len: 1, line, column }, Code::Unreadable, message, None).into()
    })
}

fn too_large(source: &Source, size: u64) -> Diagnostics {
    let message = format!("the template has at least {size} bytes; a template may have {MAX_BYTES}");
    source.error(Span::default(), Code::Unreadable, message, None).into()
}
