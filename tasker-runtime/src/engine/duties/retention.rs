//! Deletes tasks that have been settled for long enough.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tasker_store::{PruneRequest, StoreError, TaskState, chain};

use crate::engine::duty::{Duty, Wakeup, after};
use crate::engine::shared::Engine;

/// How often old tasks are deleted: twice in the time for which they are kept, within these bounds.
const INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);
/// How many tasks one operation deletes.
const BATCH: RangeInclusive<usize> = 100..=2_000;
/// How long one operation may take, for other operations wait meanwhile. The batch is sized by it.
const BATCH_TIME: Duration = Duration::from_millis(20);

/// Deletes tasks that have been settled for as long as `retention`.
#[derive(Debug)]
pub(super) struct DeleteOldTasks {
    pub(super) retention: Duration,
}

impl DeleteOldTasks {
    fn next(&self, engine: &Engine) -> Wakeup {
        after(engine.jittered((self.retention / 2).clamp(*INTERVAL.start(), *INTERVAL.end())))
    }
}

impl Duty<Engine> for DeleteOldTasks {
    const NAME: &'static str = "retention";

    fn first(&self, engine: &Arc<Engine>) -> Wakeup {
        self.next(engine)
    }

    async fn round(&mut self, engine: &Arc<Engine>) -> Wakeup {
        if let Ok(settled_before) = engine.clock.now().checked_sub(self.retention)
            && let Err(error) = engine.prune(settled_before, usize::MAX).await
        {
            tracing::warn!(error = %chain(&error), "old tasks could not be deleted; trying again later");
        }
        self.next(engine)
    }
}

impl Engine {
    /// Deletes tasks that settled before this time, at most `limit` of them. Answers how many it deleted.
    pub(crate) async fn prune(&self, settled_before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let (mut pruned, mut batch) = (0, *BATCH.start());
        while pruned < limit && !self.is_stopped() {
            let states = vec![TaskState::Complete, TaskState::Cancelled, TaskState::Error];
            let begun = Instant::now();
            let request = PruneRequest { states, settled_before, limit: batch.min(limit - pruned) };
            let asked_for = request.limit;
            let count = self.store.prune(request).await?;
            pruned += count;
            if count < asked_for {
                break;
            }
            batch = next_batch(batch, begun.elapsed());
        }
        Ok(pruned)
    }
}

/// How many tasks the next operation deletes, when one that deleted a `batch` took this long.
fn next_batch(batch: usize, took: Duration) -> usize {
    let next = if took < BATCH_TIME / 2 {
        batch * 2
    } else if took > BATCH_TIME {
        batch / 2
    } else {
        batch
    };
    next.clamp(*BATCH.start(), *BATCH.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deleting_takes_about_as_long_as_it_may() {
        let sizes = |tasks_per_ms: usize| {
            let mut size = *BATCH.start();
            for _ in 0..20 {
                size = next_batch(size, Duration::from_micros((1_000 * size / tasks_per_ms) as u64));
            }
            size
        };
        assert_eq!([1, 12, 50, 1_000].map(sizes), [100, 200, 800, 2_000]);
    }
}
