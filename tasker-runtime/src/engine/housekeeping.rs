//! What is looked after from time to time: claims that operators have ended from another process,
//! tasks that are stale, and tasks that have been kept for long enough.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::stale;
use crate::state::{DeadLetterReason, TaskState};
use crate::store::{Action, ActionRequest, PruneRequest, TaskFilter};

/// How often stale tasks are looked for, and old ones deleted.
const INTERVAL: Duration = Duration::from_secs(60);
/// Tasks that are deleted in one operation: it holds up the others for no longer than a few commits do.
const PRUNED_AT_A_TIME: usize = 100;
/// Tasks in one page of a look at all that are unfinished.
const PAGE: usize = 200;

/// Tells attempts whose claims have been lost, until the engine stops or is gone.
pub(super) async fn watch(engine: Weak<Engine>, stopping: CancellationToken) {
    loop {
        let Some(strong) = engine.upgrade() else { return };
        let claims = strong.under_way.claims();
        if !claims.is_empty() {
            match strong.store.lost(claims).await {
                Ok(lost) => strong.under_way.lose(&lost),
                Err(error) => tracing::warn!(%error, "the store could not be asked for lost claims"),
            }
        }
        let pause = strong.about(strong.settings.poll_interval);
        drop(strong);
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Gives up stale tasks and deletes old ones, until the engine stops or is gone.
pub(super) async fn keep_house(engine: Weak<Engine>, stopping: CancellationToken) {
    loop {
        let Some(strong) = engine.upgrade() else { return };
        let pause = strong.about(INTERVAL);
        drop(strong);
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let Some(strong) = engine.upgrade() else { return };
        strong.prune(&stopping).await;
        strong.give_up_stale(&stopping).await;
    }
}

impl Engine {
    async fn prune(&self, stopping: &CancellationToken) {
        let Some(retention) = self.settings.retention else { return };
        let Ok(settled_before) = self.clock.now().checked_sub(retention) else { return };
        let states = vec![TaskState::Complete, TaskState::Cancelled, TaskState::Error];
        while !stopping.is_cancelled() {
            let request = PruneRequest { states: states.clone(), settled_before, limit: PRUNED_AT_A_TIME };
            match self.store.prune(request).await {
                Ok(PRUNED_AT_A_TIME) => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, "old tasks could not be deleted; trying again later");
                    return;
                }
            }
        }
    }

    async fn give_up_stale(self: &Arc<Self>, stopping: &CancellationToken) {
        // Without a limit in any template there is nothing to find.
        if !self.templates.current().iter().any(|bound| stale::has_limits(&bound.template)) {
            return;
        }
        let mut before = None;
        while !stopping.is_cancelled() {
            let filter = TaskFilter {
                states: vec![TaskState::InProgress],
                before,
                limit: PAGE,
                ..TaskFilter::default()
            };
            let heads = match self.store.tasks(filter).await {
                Ok(heads) => heads,
                Err(error) => {
                    tracing::warn!(%error, "stale tasks could not be looked for; trying again later");
                    return;
                }
            };
            before = heads.last().map(|head| head.id);
            let is_last = heads.len() < PAGE;
            for head in heads {
                let Ok(bound) = self.templates.get(head.template, &*self.store).await else { continue };
                if !stale::has_limits(&bound.template) {
                    continue;
                }
                let Ok(Some(record)) = self.store.task(head.id).await else { continue };
                let Some(found) = stale::look(&record, &bound, self.clock.now()) else { continue };
                if !found.is_stale() || !found.acts {
                    continue;
                }
                let request = ActionRequest {
                    task: head.id,
                    action: Action::GiveUp { reason: DeadLetterReason::StalenessTimeout },
                    by: "staleness".to_owned(),
                    reason: found.reason(),
                    at: self.clock.now(),
                };
                tracing::warn!(task = %head.id, reason = found.reason(), "a stale task was given up");
                if let Err(error) = self.act(request).await {
                    tracing::warn!(task = %head.id, %error, "a stale task could not be given up");
                }
            }
            if is_last {
                return;
            }
        }
    }
}
