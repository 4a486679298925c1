//! Gives up tasks that have waited for longer than they may.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tasker_store::{
    Acted, ActionRequest, DeadLetterReason, OperatorAction, StoreError, TaskFilter, TaskHead, TaskState,
    TemplateId, chain,
};
use tasker_template::{Lifecycle, TaskTemplate};

use crate::client::stale;
use crate::engine::duty::{Duty, Wakeup, after};
use crate::engine::shared::Engine;

/// How often stale tasks are looked for.
const INTERVAL: Duration = Duration::from_secs(60);
/// How many unfinished tasks are read at a time.
const PAGE: usize = 200;

/// Looks once a minute for tasks that are stale by the limits of their snapshots, whichever program they come
/// from, or by those of the builder, and gives them up unless their template says otherwise.
#[derive(Debug, Default)]
pub(super) struct GiveUpStaleTasks {
    /// The namespace and name of each template of the store that has limits; `None` for one without.
    limited: HashMap<TemplateId, Option<(String, String)>>,
}

/// What is read of a snapshot.
#[derive(Deserialize)]
struct Snapshot {
    #[serde(default)]
    lifecycle: Lifecycle,
}

impl Duty<Engine> for GiveUpStaleTasks {
    const NAME: &'static str = "stale tasks";

    fn first(&self, engine: &Arc<Engine>) -> Wakeup {
        after(engine.jittered(INTERVAL))
    }

    async fn round(&mut self, engine: &Arc<Engine>) -> Wakeup {
        if let Err(error) = self.give_up(engine).await {
            let error = chain(&error);
            tracing::warn!(%error, "stale tasks could not be looked for; trying again later");
        }
        after(engine.jittered(INTERVAL))
    }
}

impl GiveUpStaleTasks {
    async fn give_up(&mut self, engine: &Engine) -> Result<(), StoreError> {
        if stale::has_thresholds(&engine.settings.lifecycle) {
            return engine.give_up_stale_tasks(TaskFilter::new()).await;
        }
        for (namespace, name) in self.limited(engine).await? {
            engine.give_up_stale_tasks(TaskFilter::new().namespace(namespace).name(name)).await?;
        }
        Ok(())
    }

    /// The namespaces and names of the templates that have limits.
    async fn limited(&mut self, engine: &Engine) -> Result<BTreeSet<(String, String)>, StoreError> {
        let mut found = BTreeSet::new();
        for id in engine.store.template_ids().await? {
            let known = match self.limited.get(&id) {
                Some(known) => known.clone(),
                None => {
                    let Some(record) = engine.store.template(id).await? else { continue };
                    let snapshot = serde_json::from_str::<Snapshot>(&record.snapshot);
                    let is_limited =
                        snapshot.is_ok_and(|snapshot| stale::has_thresholds(&snapshot.lifecycle));
                    let known = is_limited.then(|| (record.namespace.clone(), record.name.clone()));
                    self.limited.insert(id, known.clone());
                    known
                }
            };
            found.extend(known);
        }
        Ok(found)
    }
}

impl Engine {
    /// The limits that tasks of the template are held to.
    pub(crate) fn lifecycle_of(&self, template: &TaskTemplate) -> Lifecycle {
        stale::with_defaults(&template.lifecycle, &self.settings.lifecycle)
    }

    async fn give_up_stale_tasks(&self, filter: TaskFilter) -> Result<(), StoreError> {
        let mut before = None;
        while !self.is_stopped() {
            let mut filter = filter.clone().states([TaskState::InProgress]).limit(PAGE);
            filter.before = before;
            let heads = self.store.tasks(filter).await?;
            before = heads.last().map(|head| head.id);
            // A page may be shorter than it could be, for what cannot be read is left out.
            let is_last = heads.is_empty();
            for head in heads {
                self.give_up_if_stale(head).await;
            }
            if is_last {
                break;
            }
        }
        Ok(())
    }

    async fn give_up_if_stale(&self, head: TaskHead) {
        let Ok(bound) = self.templates.get(head.template, &*self.store).await else { return };
        let lifecycle = self.lifecycle_of(&bound.template);
        if !stale::has_thresholds(&lifecycle) {
            return;
        }
        let Ok(Some(record)) = self.store.task(head.id).await else { return };
        let Some(age) = stale::look(&record, &lifecycle, self.clock.now()) else { return };
        if !age.is_stale() || !age.acts {
            return;
        }
        let request = ActionRequest {
            task: head.id,
            action: OperatorAction::GiveUp { reason: DeadLetterReason::StalenessTimeout },
            by: "staleness".to_owned(),
            reason: age.reason(),
            at: self.clock.now(),
        };
        let reason = request.reason.clone();
        match self.act(request).await {
            Ok(Acted::Done { .. }) => tracing::warn!(task = %head.id, reason, "a stale task was given up"),
            // Something has happened to it meanwhile.
            Ok(_) => {}
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(task = %head.id, %error, "a stale task could not be given up");
            }
        }
    }
}
