//! Gives up tasks that have waited for longer than their templates allow.

use std::sync::Arc;
use std::time::Duration;

use tasker_store::{ActionRequest, DeadLetterReason, OperatorAction, TaskFilter, TaskHead, TaskState, chain};

use crate::client::stale;
use crate::engine::duty::{Duty, Wakeup, after};
use crate::engine::shared::Engine;

/// How often stale tasks are looked for.
const INTERVAL: Duration = Duration::from_secs(60);
/// How many unfinished tasks are read at a time.
const PAGE: usize = 200;

/// Looks once a minute for tasks that are stale by their template's thresholds, and gives up those whose
/// template says so.
#[derive(Debug)]
pub(super) struct GiveUpStaleTasks;

impl Duty<Engine> for GiveUpStaleTasks {
    const NAME: &'static str = "stale tasks";

    fn first(&self, engine: &Arc<Engine>) -> Wakeup {
        after(engine.jittered(INTERVAL))
    }

    async fn round(&mut self, engine: &Arc<Engine>) -> Wakeup {
        engine.give_up_stale_tasks().await;
        after(engine.jittered(INTERVAL))
    }
}

impl Engine {
    async fn give_up_stale_tasks(&self) {
        // Without a threshold in any template there is nothing to find.
        if !self.templates.current().iter().any(|bound| stale::has_thresholds(&bound.template)) {
            return;
        }
        let mut before = None;
        while !self.is_stopped() {
            let mut filter = TaskFilter::new().states([TaskState::InProgress]).limit(PAGE);
            filter.before = before;
            let heads = match self.store.tasks(filter).await {
                Ok(heads) => heads,
                Err(error) => {
                    let error = chain(&error);
                    tracing::warn!(%error, "stale tasks could not be looked for; trying again later");
                    return;
                }
            };
            before = heads.last().map(|head| head.id);
            let is_last = heads.len() < PAGE;
            for head in heads {
                self.give_up_if_stale(head).await;
            }
            if is_last {
                return;
            }
        }
    }

    async fn give_up_if_stale(&self, head: TaskHead) {
        let Ok(bound) = self.templates.get(head.template, &*self.store).await else { return };
        if !stale::has_thresholds(&bound.template) {
            return;
        }
        let Ok(Some(record)) = self.store.task(head.id).await else { return };
        let Some(age) = stale::look(&record, &bound, self.clock.now()) else { return };
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
        tracing::warn!(task = %head.id, reason = age.reason(), "a stale task was given up");
        if let Err(error) = self.act(request).await {
            tracing::warn!(task = %head.id, error = %chain(&error), "a stale task could not be given up");
        }
    }
}
