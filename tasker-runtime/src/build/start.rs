//! Checks the whole description of a runtime at once, and starts it.

use std::sync::Arc;

use tasker_template::{Diagnostics, Plan, TemplateDraft};

use crate::build::bind::{BoundTemplate, Templates};
use crate::build::builder::{Builder, StoreSource};
use crate::build::check::Checked;
use crate::build::fault::{BuildError, BuildFault};
use crate::build::load;
use crate::build::location::Location;
use crate::client::tasker::Tasker;
use crate::engine::{Engine, WorkerSettings};

impl Builder {
    /// Reads the builder's templates, each file once, and of two of one name and version the one that counts. Fails
    /// when a directory cannot be read.
    #[doc(hidden)]
    pub fn read_templates(&self) -> Result<Vec<Result<TemplateDraft, Diagnostics>>, BuildError> {
        let mut faults = Vec::new();
        let templates = load::read_those_that_count(&self.templates, &mut faults);
        if faults.is_empty() { Ok(templates) } else { Err(BuildError::new(faults)) }
    }

    /// Checks everything, opens the store, and starts the engine.
    ///
    /// # Errors
    ///
    /// All faults at once: faults of templates, callables without a handler, handlers that read a step which
    /// is not an ancestor of their own, invalid schemas, handlers with the same callable, missing states, an
    /// environment that no template has. Also when the store cannot be opened. Nothing is written to the
    /// store when there are other faults.
    pub async fn build(mut self) -> Result<Tasker, BuildError> {
        let Checked { registry, templates, mut faults } = self.check_all();
        let mut diagnostics = Diagnostics::default();
        for (one, own) in &templates {
            // A misspelt key may be the cause of the handlers' faults.
            if self.deny_warnings || own.has_errors() {
                diagnostics.extend(one.warnings().clone());
                diagnostics.extend(own.clone());
            }
        }
        if !diagnostics.is_empty() {
            faults.push(BuildFault::Templates(diagnostics));
        }
        if !faults.is_empty() {
            return Err(BuildError::new(faults));
        }
        let mut current = Vec::new();
        for (one, own) in templates {
            for warning in one.warnings().iter().chain(own.iter()) {
                tracing::warn!("\n{warning}");
            }
            if let Some(rest) = one.warnings().rest() {
                tracing::warn!("{}: {rest}", one.source().name());
            }
            let template = match &self.environment {
                Some(environment) => one.template().for_environment(environment),
                None => one.template().clone(),
            };
            let record = BoundTemplate::record(&template);
            let plan: Plan = one.plan().clone();
            current.push((BoundTemplate::new(record.id, template, plan, &registry), record));
        }
        let store = match self.store {
            StoreSource::Value(store) => store,
            StoreSource::Url(url) => Location::parse(&url)?.open().await?,
        };
        let mut bound = Vec::new();
        for (template, record) in current {
            store.put_template(record).await?;
            bound.push(Arc::new(template));
        }
        let templates = Templates::new(registry, bound);
        let settings = WorkerSettings { environment: self.environment, ..self.settings };
        let clock = self.clock.following(store.clock());
        let engine = Arc::new(Engine::new(store, templates, self.states, clock, settings, self.works));
        if self.works {
            engine.start().await?;
        }
        Ok(Tasker::new(engine, self.grace))
    }
}
