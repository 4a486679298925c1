//! What is looked after from time to time: claims that operators have ended from another process,
//! tasks that are stale, and tasks that have been kept for long enough.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tasker_store::{
    ActionRequest, DeadLetterReason, OperatorAction, PruneRequest, StoreError, TaskFilter, TaskState, chain,
};
use tokio_util::sync::CancellationToken;

use crate::client::stale;
use crate::engine::Engine;

/// How often stale tasks are looked for, and old ones deleted; those more often that are kept for less
/// than two minutes.
const INTERVAL: Duration = Duration::from_secs(60);
const SHORTEST: Duration = Duration::from_secs(1);
/// Tasks that are deleted in one operation. It holds up the others: so many that it takes about so long.
const PRUNED_AT_A_TIME: std::ops::RangeInclusive<usize> = 100..=2_000;
const PRUNED_WITHIN: Duration = Duration::from_millis(20);
/// Tasks in one page of a look at all that are unfinished.
const PAGE: usize = 200;

/// Tells attempts whose claims have been lost, until the engine stops or is gone.
pub(super) async fn watch(engine: Weak<Engine>, stopping: CancellationToken) {
    loop {
        let Some(strong) = engine.upgrade() else { return };
        let claims = strong.under_way.claims();
        if !claims.is_empty() {
            match strong.store.revoked(claims).await {
                Ok(revoked) => strong.under_way.lose(&revoked),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the store could not be asked for lost claims")
                }
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

/// Gives up stale tasks, until the engine stops or is gone.
pub(super) async fn give_up_stale(engine: Weak<Engine>, stopping: CancellationToken) {
    while let Some(engine) = later(&engine, INTERVAL, &stopping).await {
        engine.give_up_stale(&stopping).await;
    }
}

/// Deletes tasks that have been over for so long, until the engine stops or is gone.
pub(super) async fn delete_old(engine: Weak<Engine>, retention: Duration, stopping: CancellationToken) {
    let interval = (retention / 2).clamp(SHORTEST, INTERVAL);
    while let Some(engine) = later(&engine, interval, &stopping).await {
        let Ok(settled_before) = engine.clock.now().checked_sub(retention) else { continue };
        if let Err(error) = engine.prune(settled_before, usize::MAX).await {
            tracing::warn!(error = %chain(&error), "old tasks could not be deleted; trying again later");
        }
    }
}

/// The engine, after a while; `None` when it stops or is gone.
async fn later(
    engine: &Weak<Engine>,
    interval: Duration,
    stopping: &CancellationToken,
) -> Option<Arc<Engine>> {
    let pause = engine.upgrade()?.about(interval);
    tokio::select! {
        () = stopping.cancelled() => None,
        () = tokio::time::sleep(pause) => engine.upgrade(),
    }
}

impl Engine {
    /// Deletes tasks that were over before this time, at most `limit` of them: how many.
    pub(crate) async fn prune(&self, settled_before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let (mut pruned, mut at_a_time) = (0, *PRUNED_AT_A_TIME.start());
        while pruned < limit && !self.stopping.is_cancelled() {
            let states = vec![TaskState::Complete, TaskState::Cancelled, TaskState::Error];
            let begun = Instant::now();
            let request = PruneRequest { states, settled_before, limit: at_a_time.min(limit - pruned) };
            let wanted = request.limit;
            let count = self.store.prune(request).await?;
            pruned += count;
            if count < wanted {
                break;
            }
            at_a_time = next_size(at_a_time, begun.elapsed());
        }
        Ok(pruned)
    }

    async fn give_up_stale(self: &Arc<Self>, stopping: &CancellationToken) {
        // Without a limit in any template there is nothing to find.
        if !self.templates.current().iter().any(|bound| stale::has_limits(&bound.template)) {
            return;
        }
        let mut before = None;
        while !stopping.is_cancelled() {
            let mut filter = TaskFilter::new().states([TaskState::InProgress]).limit(PAGE);
            filter.before = before;
            let heads = match self.store.tasks(filter).await {
                Ok(heads) => heads,
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "stale tasks could not be looked for; trying again later");
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
                    action: OperatorAction::GiveUp { reason: DeadLetterReason::StalenessTimeout },
                    by: "staleness".to_owned(),
                    reason: found.reason(),
                    at: self.clock.now(),
                };
                tracing::warn!(task = %head.id, reason = found.reason(), "a stale task was given up");
                if let Err(error) = self.act(request).await {
                    tracing::warn!(task = %head.id, error = %chain(&error), "a stale task could not be given up");
                }
            }
            if is_last {
                return;
            }
        }
    }
}

/// How many tasks are to be deleted next, after so many took so long.
fn next_size(at_a_time: usize, took: Duration) -> usize {
    let next = if took < PRUNED_WITHIN / 2 {
        at_a_time * 2
    } else if took > PRUNED_WITHIN {
        at_a_time / 2
    } else {
        at_a_time
    };
    next.clamp(*PRUNED_AT_A_TIME.start(), *PRUNED_AT_A_TIME.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deleting_takes_about_as_long_as_it_may() {
        let sizes = |tasks_per_ms: usize| {
            let mut size = *PRUNED_AT_A_TIME.start();
            for _ in 0..20 {
                size = next_size(size, Duration::from_micros((1_000 * size / tasks_per_ms) as u64));
            }
            size
        };
        assert_eq!([1, 12, 50, 1_000].map(sizes), [100, 200, 800, 2_000]);
    }
}
