//! Fleet limits, which hold for all workers of a store together: set, read and removed by operators, from
//! any process that has the store open.

use std::collections::BTreeSet;

use tasker_store::{FleetLimit, LimitRecord, LimitScope};
use tasker_template::{TaskTemplate, nearest};

use crate::client::error::{Error, LimitError};
use crate::client::tasker::Tasker;
use crate::client::text;

impl Tasker {
    /// Sets a fleet limit: it holds for all workers of the store together, and replaces an earlier limit of
    /// its scope. Workers follow it within about a [`poll_interval`](crate::Builder::poll_interval). Attempts
    /// that are running when it is lowered run to their end. A scope that nothing knows yet can be limited, and
    /// is told in the log; [`unknown_scope`](Self::unknown_scope) says the same.
    ///
    /// A limit counts the workers that are alive. A worker that stalls for longer than its lease counts as
    /// dead: its attempts may still run beside those that others start in their place.
    ///
    /// # Errors
    ///
    /// [`LimitError::Empty`](crate::error::LimitError::Empty) when it has neither a concurrency nor a rate.
    /// When the store fails.
    ///
    /// ```
    /// # use tasker::{Tasker, limits::{FleetLimit, LimitScope}};
    /// async fn spare_the_bank(tasker: &Tasker) -> Result<(), Box<dyn std::error::Error>> {
    ///     let scope = LimitScope::Callable("Billing::Charge".to_owned());
    ///     let limit = FleetLimit::new(scope).concurrency(10).rate("100/s".parse()?);
    ///     tasker.set_limit(limit).await?;
    ///     Ok(())
    /// }
    /// ```
    pub async fn set_limit(&self, limit: FleetLimit) -> Result<(), Error> {
        if limit.concurrency.is_none() && limit.rate.is_none() {
            return Err(LimitError::Empty(limit.scope).into());
        }
        text::check_name("the name of what is limited", limit.scope.name())?;
        let scope = limit.scope.clone();
        self.engine().store.set_limit(limit).await?;
        // The limit is set; that the look for its scope fails is no reason to say that it is not.
        if let Ok(Some(unknown)) = self.unknown_scope(&scope).await {
            tracing::warn!("{unknown}");
        }
        Ok(())
    }

    /// What there is to say of a scope that neither a worker that is alive nor a template knows, neither here
    /// nor in the store: most likely it is misspelt. `None` when it is known, or when a worker of an earlier
    /// version does not tell its callables.
    ///
    /// # Errors
    ///
    /// When the store fails.
    ///
    /// ```
    /// # use tasker::{Error, Tasker, limits::LimitScope};
    /// async fn is_misspelt(tasker: &Tasker, callable: &str) -> Result<bool, Error> {
    ///     let scope = LimitScope::Callable(callable.to_owned());
    ///     Ok(tasker.unknown_scope(&scope).await?.is_some())
    /// }
    /// ```
    pub async fn unknown_scope(&self, scope: &LimitScope) -> Result<Option<String>, Error> {
        let engine = self.engine();
        let mut known = Known::default();
        for bound in engine.templates.current() {
            known.add(&bound.template);
        }
        for id in engine.store.template_ids().await? {
            let Some(record) = engine.store.template(id).await? else { continue };
            if let Ok(template) = serde_json::from_str(&record.snapshot) {
                known.add(&template);
            }
        }
        let mut described = engine.templates.callables();
        let workers = engine.store.workers().await?;
        let mut untold = false;
        for worker in workers.into_iter().filter(|worker| worker.alive) {
            untold |= worker.info.callables.is_none();
            described.extend(worker.info.callables.into_iter().flatten());
            known.namespaces.extend(worker.info.namespaces.into_iter().flatten());
        }
        let (wanted, names) = match scope {
            LimitScope::Callable(name) => {
                // A handler for a method is described with the method after a dot.
                let of_a_method = format!("{name}.");
                if untold || described.iter().any(|own| own == name || own.starts_with(&of_a_method)) {
                    return Ok(None);
                }
                known.callables.extend(described);
                (name, known.callables)
            }
            LimitScope::Namespace(name) => (name, known.namespaces),
            _ => return Ok(None),
        };
        if names.contains(wanted) {
            return Ok(None);
        }
        let hint = match nearest(wanted, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "the limit holds as soon as there is one".to_owned(),
        };
        Ok(Some(format!("no worker that is alive and no template of the store knows the {scope}; {hint}")))
    }

    /// The fleet limits of the store, by scope and name, and how much of each is in use.
    ///
    /// # Errors
    ///
    /// When the store fails.
    ///
    /// ```
    /// # use tasker::{Error, Tasker};
    /// async fn is_anybody_waiting(tasker: &Tasker) -> Result<bool, Error> {
    ///     Ok(tasker.limits().await?.iter().any(|one| one.waiting > 0))
    /// }
    /// ```
    pub async fn limits(&self) -> Result<Vec<LimitRecord>, Error> {
        Ok(self.engine().store.limits().await?)
    }

    /// Removes a fleet limit. Workers go on without it within about a
    /// [`poll_interval`](crate::Builder::poll_interval).
    ///
    /// # Errors
    ///
    /// [`LimitError::Unknown`](crate::error::LimitError::Unknown) when the scope has no limit. When the
    /// store fails.
    ///
    /// ```
    /// # use tasker::{Error, Tasker, limits::LimitScope};
    /// async fn open_the_gates(tasker: &Tasker) -> Result<(), Error> {
    ///     tasker.remove_limit(LimitScope::Namespace("billing".to_owned())).await
    /// }
    /// ```
    pub async fn remove_limit(&self, scope: LimitScope) -> Result<(), Error> {
        let store = &self.engine().store;
        if store.remove_limit(scope.clone()).await? {
            return Ok(());
        }
        let there: Vec<String> =
            store.limits().await?.into_iter().map(|one| one.limit.scope.to_string()).collect();
        let hint = match there.as_slice() {
            [] => "there is none at all".to_owned(),
            there => format!("there are limits on: {}", there.join(", ")),
        };
        Err(LimitError::Unknown { scope, hint }.into())
    }
}

/// The names that templates and workers know.
#[derive(Debug, Default)]
struct Known {
    callables: BTreeSet<String>,
    namespaces: BTreeSet<String>,
}

impl Known {
    fn add(&mut self, template: &TaskTemplate) {
        self.namespaces.insert(template.namespace.clone());
        self.callables.extend(template.steps.iter().map(|step| step.handler.callable.clone()));
    }
}
