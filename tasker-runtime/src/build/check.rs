//! What a start checks before it opens the store; [`Builder::validate`] does this alone.

use std::collections::HashSet;

use tasker_store::chain;
use tasker_template::{Code, Diagnostic, Diagnostics, LoadedTemplate, Severity, StepTemplate};

use crate::build::bind;
use crate::build::builder::Builder;
use crate::build::fault::BuildFault;
use crate::build::load::{self, check_environment, check_namespaces, check_states};
use crate::build::registry::Registry;

/// A description of a runtime that has been checked.
pub(super) struct Checked {
    pub(super) registry: Registry,
    /// The templates that could be read, each with what is wrong with its schemas and handlers.
    pub(super) templates: Vec<(LoadedTemplate, Diagnostics)>,
    /// All other faults.
    pub(super) faults: Vec<BuildFault>,
}

/// The faults and warnings of a runtime's description.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Validation {
    /// How many templates were read, those with faults included.
    pub templates: usize,
    /// The faults and warnings. Those that concern several files, or the handlers, have no place.
    pub diagnostics: Diagnostics,
}

impl Validation {
    /// Whether [`Builder::build`] would go on to open the store.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        !self.diagnostics.has_errors()
    }
}

impl Builder {
    /// Checks everything that [`build`](Self::build) checks, but opens no store. A handler that no template
    /// runs is a warning here.
    ///
    /// ```
    /// use tasker::{StepContext, StepResult, Tasker};
    ///
    /// let yaml = "{name: a, namespace_name: b, version: 1, steps: [{name: s, handler: {callable: Gret}}]}";
    /// let builder = Tasker::builder().template_str("a.yaml", yaml);
    /// let validation = builder.handler_fn("Greet", |_: StepContext| async { StepResult::Ok(()) }).validate();
    /// assert!(!validation.is_valid());
    /// assert!(validation.diagnostics.to_string().contains("did you mean `Greet`?"));
    /// ```
    #[must_use]
    pub fn validate(mut self) -> Validation {
        let elsewhere = load::read(&self.set_aside, &mut Vec::new());
        let elsewhere = elsewhere
            .iter()
            .filter_map(|(_, read)| read.as_ref().ok())
            .flat_map(|draft| &draft.template().steps);
        let mut used: HashSet<_> = elsewhere.map(key).collect();
        let Checked { registry, templates, faults } = self.check_all();
        let mut validation = Validation { templates: templates.len(), diagnostics: Diagnostics::default() };
        let diagnostics = &mut validation.diagnostics;
        let is_complete = !load::is_incomplete(&faults);
        for fault in faults {
            let is_of_a_template =
                matches!(fault, BuildFault::Templates(_) | BuildFault::DuplicateTemplate { .. });
            validation.templates += usize::from(is_of_a_template);
            match fault {
                BuildFault::Templates(faults) => diagnostics.extend(faults),
                other => {
                    let code = other.code().expect("it is none of a template's");
                    diagnostics.push(Diagnostic::without_place(Severity::Error, code, chain(&other)));
                }
            }
        }
        for (one, own) in templates {
            used.extend(one.template().steps.iter().map(key));
            diagnostics.extend(one.warnings().clone());
            diagnostics.extend(own);
        }
        // What a template that cannot be read would run is not known.
        for handler in registry.unless(&used).into_iter().filter(|_| self.works && is_complete) {
            let message = format!("no template runs {handler}");
            diagnostics.push(Diagnostic::without_place(Severity::Warning, Code::UnusedHandler, message));
        }
        validation
    }

    /// The faults of a template's schemas. Needs no handlers.
    ///
    /// ```
    /// let yaml = "
    /// name: a
    /// namespace_name: b
    /// version: 1
    /// input_schema: {properties: {age: {type: integr}}}
    /// steps: [{name: s, handler: {callable: C}}]
    /// ";
    /// let loaded = tasker::template::load_str("demo.yaml", yaml).unwrap();
    /// let faults = tasker::Tasker::builder().check_schemas(&loaded);
    /// let fault = faults.iter().next().unwrap();
    /// assert_eq!((fault.line, fault.column), (5, 41));
    /// assert_eq!(fault.suggestion.as_deref(), Some("did you mean `integer`?"));
    /// ```
    #[must_use]
    pub fn check_schemas(&self, loaded: &LoadedTemplate) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        bind::check_schemas(loaded, &mut diagnostics);
        diagnostics
    }

    /// The faults that prevent the handlers from running a template, those of its schemas and of the handlers'
    /// configurations included, and warnings.
    #[must_use]
    pub fn check(&self, loaded: &LoadedTemplate) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        let registry = self.registry(&mut Vec::new());
        bind::check(loaded, &registry, self.environment.as_deref(), &mut diagnostics);
        diagnostics
    }

    /// Sets the builder's templates aside, so that others are checked in their stead.
    #[doc(hidden)]
    #[must_use]
    pub fn set_templates_aside(mut self) -> Self {
        self.set_aside.append(&mut self.templates);
        self
    }

    /// Checks everything but the store.
    pub(super) fn check_all(&mut self) -> Checked {
        let mut faults = Vec::new();
        let registry = self.registry(&mut faults);
        faults.append(&mut self.faults);
        let served = &self.settings.namespaces;
        let runs =
            |namespace: &str| self.works && served.as_ref().is_none_or(|served| served.contains(namespace));
        let loaded = load::load(&self.templates, &registry, runs, &mut faults);
        if !load::is_incomplete(&faults) {
            if let Some(served) = served.as_ref().filter(|_| self.works) {
                check_namespaces(&loaded, served, &mut faults);
            }
            if let Some(environment) = &self.environment {
                check_environment(&loaded, environment, &mut faults);
            }
        }
        let own = loaded.iter().filter(|one| runs(&one.template().namespace));
        check_states(own, &registry, &self.states, &mut faults);
        let checked = loaded.into_iter().map(|one| {
            let mut faults = Diagnostics::default();
            if runs(&one.template().namespace) {
                bind::check(&one, &registry, self.environment.as_deref(), &mut faults);
            } else {
                // Contexts are checked when a task is created.
                bind::check_schemas(&one, &mut faults);
            }
            (one, faults)
        });
        let templates = checked.collect();
        Checked { registry, templates, faults }
    }
}

/// The handler that a step asks for.
fn key(step: &StepTemplate) -> (String, String) {
    let method = step.handler.method_name();
    (step.handler.callable.clone(), method.to_owned())
}
