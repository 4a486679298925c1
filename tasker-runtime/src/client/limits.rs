//! Fleet limits, which hold for all workers of a store together: set, read and removed by operators, from
//! any process that has the store open.

use tasker_store::{FleetLimit, LimitRecord, LimitScope};

use crate::client::error::{Error, LimitError};
use crate::client::tasker::Tasker;

impl Tasker {
    /// Sets a fleet limit: it holds for all workers of the store together, and replaces an earlier limit of
    /// its scope. Workers follow it within about a [`poll_interval`](crate::Builder::poll_interval). Attempts
    /// that are running when it is lowered run to their end.
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
        Ok(self.engine().store.set_limit(limit).await?)
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
