//! One of the two templates that are compared.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::contract::change::ChangePlace;
use crate::load::LoadedTemplate;
use crate::node::Node;
use crate::plan::{Plan, PlanError};
use crate::template::{HandlerTemplate, StepTemplate, TaskTemplate};

/// A template to compare with another one: of a file, or the snapshot that a store has.
#[derive(Debug)]
pub struct TemplateVersion<'t> {
    template: Cow<'t, TaskTemplate>,
    plan: Cow<'t, Plan>,
    /// Its text, where it has one.
    text: Option<(&'t LoadedTemplate, Option<Node>)>,
}

impl<'t> TemplateVersion<'t> {
    /// A template of a file; changes have their places in it.
    #[must_use]
    pub fn new(loaded: &'t LoadedTemplate) -> Self {
        let (template, plan) = (Cow::Borrowed(loaded.template()), Cow::Borrowed(loaded.plan()));
        Self { template, plan, text: Some((loaded, loaded.tree())) }
    }

    /// A template without a text, such as the snapshot of a task.
    ///
    /// # Errors
    ///
    /// A dependency that names no step, or a cycle.
    pub fn snapshot(template: &'t TaskTemplate) -> Result<Self, PlanError> {
        let plan = Cow::Owned(Plan::new(template)?);
        Ok(Self { template: Cow::Borrowed(template), plan, text: None })
    }

    /// The template with the overrides of this environment applied; as it is, when it has no such environment, or
    /// is a snapshot that has been made in one.
    ///
    /// ```
    /// use tasker_template::contract::TemplateVersion;
    /// let yaml = "{name: a, namespace_name: b, version: 1, steps: [{name: s, handler: {callable: C}}], \
    ///     environments: {test: {steps: [{name: ALL, timeout_seconds: 5}]}}}";
    /// let loaded = tasker_template::load_str("demo.yaml", yaml).unwrap();
    /// let version = TemplateVersion::new(&loaded).in_environment("test");
    /// assert_eq!(version.template().steps[0].timeout_seconds, Some(5));
    /// ```
    #[must_use]
    pub fn in_environment(self, environment: &str) -> Self {
        if self.template.environment.is_some() {
            return self;
        }
        // The steps stay what and where they are, and so do their places.
        Self { template: Cow::Owned(self.template.for_environment(environment)), ..self }
    }

    /// The template.
    #[must_use]
    pub fn template(&self) -> &TaskTemplate {
        &self.template
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn steps(&self) -> &[StepTemplate] {
        &self.template.steps
    }

    /// What runs its steps.
    pub(super) fn handlers(&self) -> HashSet<(&str, Option<&str>)> {
        self.steps().iter().map(|step| handler_key(&step.handler)).collect()
    }

    /// The place of the value at a JSON pointer, or of the step or the template that has no such value.
    pub(super) fn place(&self, pointer: &str) -> Option<ChangePlace> {
        let (loaded, tree) = self.text.as_ref()?;
        let (tree, source) = (tree.as_ref()?, loaded.source());
        let found = match step_of(pointer) {
            None => tree.span_at(pointer, source),
            Some((step, "")) => Some(loaded.step_span(step)),
            // What a step does not say has the place of the step's name.
            Some((step, rest)) => {
                let key = rest.split('/').nth(1).unwrap_or_default();
                let spelled = std::iter::once(key).chain(other_spelling(key));
                let mut found =
                    spelled.filter_map(|key| tree.span_of(&format!("/steps/{step}/{key}"), source));
                match found.next() {
                    Some(span) if rest.len() == key.len() + 1 => Some(span),
                    Some(_) => tree.span_at(pointer, source),
                    None => Some(loaded.step_span(step)),
                }
            }
        };
        let span = found.or_else(|| tree.span_at("/name", source))?;
        Some(ChangePlace { file: source.name().to_owned(), line: span.line(), column: span.column() })
    }
}

/// The other key that says the same of a step.
fn other_spelling(key: &str) -> Option<&'static str> {
    match key {
        "dependencies" => Some("depends_on"),
        "type" => Some("step_type"),
        _ => None,
    }
}

/// The number of the step in a JSON pointer, and the rest of it.
fn step_of(pointer: &str) -> Option<(usize, &str)> {
    let rest = pointer.strip_prefix("/steps/")?;
    let end = rest.find('/').unwrap_or(rest.len());
    Some((rest[..end].parse().ok()?, &rest[end..]))
}

/// What a program knows a handler by.
pub(super) fn handler_key(handler: &HandlerTemplate) -> (&str, Option<&str>) {
    (&handler.callable, handler.method.as_deref())
}
