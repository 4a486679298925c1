//! Checks what templates give to handlers in `handler.initialization`.

use tasker_template::{
    Code, Diagnostic, Diagnostics, LoadedTemplate, Severity, StepOverride, TaskTemplate, nearest,
};

use crate::build::registry::Handler;
use crate::handler::config::{Config, escaped};
use crate::handler::{ConfigParameter, StepError};

/// The configuration of a step in an environment.
pub(crate) struct StepConfig<'t> {
    pub(crate) loaded: &'t LoadedTemplate,
    /// The template with the environment's changes.
    pub(crate) template: &'t TaskTemplate,
    pub(crate) step: usize,
}

impl StepConfig<'_> {
    /// Reports the values that the step's handler cannot take, or does not.
    pub(crate) fn check(&self, handler: &Handler, faults: &mut Diagnostics) {
        if handler.configs.is_empty() {
            return;
        }
        for parameter in handler.configs {
            if let Err(error) = (parameter.check)(self.config()) {
                faults.push(self.invalid(handler, *parameter, &error));
            }
        }
        if !handler.reads_other_configs {
            faults.extend(self.unused(handler));
        }
    }

    fn config(&self) -> &Config {
        &self.template.steps[self.step].handler.initialization
    }

    fn name(&self) -> String {
        let step = &self.template.steps[self.step].name;
        match &self.template.environment {
            Some(environment) => format!("step `{step}` in environment `{environment}`"),
            None => format!("step `{step}`"),
        }
    }

    fn invalid(&self, handler: &Handler, parameter: ConfigParameter, error: &StepError) -> Diagnostic {
        let pointer = pointer(parameter, error);
        let message = format!(
            "{}: {}, which {} takes as `{}`",
            self.name(),
            error.message(),
            handler.described(),
            parameter.parameter
        );
        self.diagnostic(Severity::Error, Code::InvalidConfig, &pointer, message, None)
    }

    fn unused(&self, handler: &Handler) -> Diagnostics {
        let taken: Vec<&str> = handler.configs.iter().filter_map(|parameter| parameter.key).collect();
        let mut unused = match handler.configs.iter().find(|parameter| parameter.key.is_none()) {
            Some(whole) => (whole.unused)(self.config()),
            None => self.config().keys().map(|key| vec![key.clone()]).collect(),
        };
        unused.retain(|path| {
            let Some(key) = path.first() else { return false };
            // What an environment gives to all steps is not meant for each of them.
            !taken.contains(&key.as_str()) && !self.change(key).is_some_and(|(_, is_for_all)| is_for_all)
        });
        let mut warnings = Diagnostics::default();
        for path in unused {
            let pointer: String = path.iter().map(|key| format!("/{}", escaped(key))).collect();
            let key = path.join(".");
            let message = format!(
                "{} has `{key}` in its configuration, which {} does not take",
                self.name(),
                handler.described()
            );
            let hint = nearest(&key, taken.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            warnings.push(self.diagnostic(Severity::Warning, Code::UnusedConfig, &pointer, message, hint));
        }
        warnings
    }

    /// A fault at a value of the configuration: where the environment gives it, or else the step.
    fn diagnostic(
        &self,
        severity: Severity,
        code: Code,
        pointer: &str,
        message: String,
        suggestion: Option<String>,
    ) -> Diagnostic {
        let own = || format!("/steps/{}", self.step);
        let place = format!("{}/handler/initialization{pointer}", self.changed(pointer).unwrap_or_else(own));
        let (source, span) = (self.loaded.source(), self.loaded.span_at(&place));
        source.diagnostic(severity, span, code, message, suggestion)
    }

    /// Where the environment gives a value, if it does.
    fn changed(&self, pointer: &str) -> Option<String> {
        let key = pointer.split('/').nth(1)?.replace("~1", "/").replace("~0", "~");
        let environment = escaped(self.template.environment.as_ref()?);
        self.change(&key).map(|(index, _)| format!("/environments/{environment}/steps/{index}"))
    }

    /// Which entry of the environment gives the value of a key, and whether it does so for all steps.
    fn change(&self, key: &str) -> Option<(usize, bool)> {
        let environment = self.template.environment.as_ref()?;
        let name = &self.template.steps[self.step].name;
        let own = self.template.environments.iter().find(|one| one.name == *environment)?;
        let gives = |change: &StepOverride| {
            (change.name == "ALL" || change.name == *name) && change.initialization.contains_key(key)
        };
        let index = own.steps.iter().rposition(gives)?;
        Some((index, own.steps[index].name == "ALL"))
    }
}

/// The place of an error in the configuration.
fn pointer(parameter: ConfigParameter, error: &StepError) -> String {
    if let Some(pointer) = error.context().and_then(|context| context["pointer"].as_str()) {
        return pointer.to_owned();
    }
    let mut pointer = parameter.key.map(|key| format!("/{}", escaped(key))).unwrap_or_default();
    // Of several that are not valid, the first one.
    let fields = error.context().and_then(|context| context["fields"].as_object());
    let field = fields.and_then(|fields| fields.keys().next()).map(String::as_str).unwrap_or_default();
    for part in field.split(['.', '[', ']']).filter(|part| !part.is_empty()) {
        pointer.push_str(&format!("/{}", escaped(part)));
    }
    pointer
}
