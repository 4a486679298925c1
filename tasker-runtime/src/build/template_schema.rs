//! The JSON schema of the templates that a program can run.

use serde_json::Value;
use tasker_template::{HandlerEntry, TemplateSchema};

use crate::build::builder::Builder;
use crate::build::described::config_schema;
use crate::build::fault::BuildError;
use crate::build::registry::{Handler, Registry};

impl Builder {
    /// The JSON schema of the template files of this program, by which editors complete and check them: that
    /// of [`TemplateSchema`], with the callables and methods of its handlers, the keys of their configurations, and
    /// the namespaces of its templates. With the feature `schemars`, types that implement `JsonSchema` say what these
    /// keys have.
    ///
    /// In namespaces that it does not [serve](Self::namespaces), other programs run the steps: the callables
    /// of its templates there are known as well. Without handlers it is the schema of any template.
    ///
    /// # Errors
    ///
    /// When a directory of templates cannot be read. Templates that are no YAML are passed over.
    ///
    /// ```
    /// use tasker::{StepContext, StepResult, Tasker};
    ///
    /// let builder = Tasker::builder().only_listed_handlers();
    /// let builder = builder.handler_fn("Greet", |_: StepContext| async { StepResult::Ok("Hello!") });
    /// let schema = builder.template_schema()?;
    /// assert_eq!(schema["definitions"]["handler"]["properties"]["callable"]["enum"][0], "Greet");
    /// # Ok::<(), tasker::BuildError>(())
    /// ```
    pub fn template_schema(&self) -> Result<Value, BuildError> {
        let templates = self.read_templates()?;
        let registry = self.registry(&mut Vec::new());
        if registry.len() == 0 {
            return Ok(TemplateSchema::new().to_json());
        }
        let served = self.settings.namespaces.as_ref();
        let mut schema =
            registry.handlers().fold(TemplateSchema::new(), |schema, (callable, method, handler)| {
                schema.handler(entry(callable, method, handler))
            });
        for template in templates.iter().flatten().map(|draft| draft.template()) {
            if !template.namespace.is_empty() {
                schema = schema.namespace(&template.namespace);
            }
            if served.is_some_and(|served| !served.contains(&template.namespace)) {
                schema = elsewhere(schema, template, &registry);
            }
        }
        let schema = served.into_iter().flatten().fold(schema, TemplateSchema::namespace);
        Ok(schema.to_json())
    }
}

/// Adds the handlers that only other programs have.
fn elsewhere(
    schema: TemplateSchema,
    template: &tasker_template::TaskTemplate,
    registry: &Registry,
) -> TemplateSchema {
    let handlers = template.steps.iter().map(|step| &step.handler).filter(|handler| {
        !handler.callable.is_empty() && registry.get(&handler.callable, handler.method.as_deref()).is_none()
    });
    handlers.fold(schema, |schema, handler| {
        let about = format!("Run by another program, in namespace `{}`.", template.namespace);
        let entry = HandlerEntry::new(&handler.callable).description(about);
        schema.handler(match &handler.method {
            Some(method) => entry.method(method),
            None => entry,
        })
    })
}

fn entry(callable: &str, method: &str, handler: &Handler) -> HandlerEntry {
    let entry = HandlerEntry::new(callable).method(method).description(about(handler));
    match config_schema(handler) {
        Some(schema) => entry.config_schema(schema),
        None => entry,
    }
}

/// What an editor says of a handler. Without its line, which changes with every edit of the file.
fn about(handler: &Handler) -> String {
    let mut about = match handler.location {
        Some(location) => format!("`{}` in {}", handler.name, location.file),
        None => format!("`{}`", handler.name),
    };
    let reads: Vec<String> =
        handler.depends_on.into_iter().flatten().map(|one| format!("`{}`", one.step)).collect();
    if !reads.is_empty() {
        about.push_str(&format!("; reads the results of {}", reads.join(", ")));
    }
    about
}
