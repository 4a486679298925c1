//! The templates that a store keeps for its tasks.

use tasker_store::StoreError;
use tasker_template::TaskTemplate;

use crate::client::error::Error;
use crate::client::tasker::Tasker;

/// A template as tasks of a store were created with it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TemplateSnapshot {
    /// Names the snapshot: a hash of its content.
    pub id: String,
    /// The template, with the overrides of its environment applied.
    pub template: TaskTemplate,
}

impl Tasker {
    /// The templates of this namespace and name of which the store has had tasks, in the order of their ids. There
    /// are several of one version where the template has changed under it, or tasks were created in several
    /// environments.
    ///
    /// # Errors
    ///
    /// When the store fails, or has one that cannot be read.
    ///
    /// ```
    /// # use tasker::{Error, Tasker};
    /// async fn versions(tasker: &Tasker) -> Result<Vec<String>, Error> {
    ///     let snapshots = tasker.template_snapshots("shop", "order").await?;
    ///     Ok(snapshots.into_iter().map(|one| one.template.version).collect())
    /// }
    /// ```
    pub async fn template_snapshots(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Vec<TemplateSnapshot>, Error> {
        let store = &self.engine().store;
        let mut found = Vec::new();
        for id in store.template_ids().await? {
            let Some(record) = store.template(id).await? else { continue };
            if record.namespace != namespace || record.name != name {
                continue;
            }
            let template = serde_json::from_str(&record.snapshot)
                .map_err(|error| StoreError::unreadable("template", &error))?;
            found.push(TemplateSnapshot { id: id.to_string(), template });
        }
        found.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(found)
    }
}
