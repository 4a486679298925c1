//! The engine: claims steps, runs their handlers, and records what comes of it.
//!
//! [`Engine`] is one worker. What its parts share is in `shared`; from the bottom up, `admission` decides
//! which steps may start here, `attempt` runs one handler, `completion` records what came of it, `runner`
//! goes from one claim to what follows from it, and `duties` does what is done from time to time.

mod active_attempts;
mod active_tasks;
mod admission;
mod attempt;
mod backoff;
mod completion;
mod create;
mod duties;
mod duty;
mod earlier_tasks;
mod fleet;
mod job;
mod operate;
mod panics;
mod result_origin;
mod runner;
mod settings;
mod shared;
mod store_retry;
mod waiters;
mod watchdog;

use std::sync::Arc;
use std::time::Duration;

use tasker_store::StoreError;

pub(crate) use completion::crashed as end_as_crashed;
pub(crate) use settings::WorkerSettings;
pub(crate) use shared::Engine;
pub(crate) use waiters::Waiter;

impl Engine {
    /// Makes the worker known, learns the fleet limits, and starts the background duties: those claim due
    /// steps, and take over what dead workers left.
    pub(crate) async fn start(self: &Arc<Self>) -> Result<(), StoreError> {
        self.store.register_worker(self.worker, self.info(), self.clock.now()).await?;
        self.ask_for_permits(Vec::new()).await?;
        if self.runs_steps {
            watchdog::start(&self.attempts);
        }
        duties::start_all(self);
        Ok(())
    }

    /// Claims no more, lets handlers end for as long as `grace`, and hands back the rest.
    pub(crate) async fn shutdown(&self, grace: Duration) -> Result<(), StoreError> {
        /// How long a handler that is told to end at once may take until the worker leaves without it.
        const LAST_WORD: Duration = Duration::from_secs(1);
        self.stopping.cancel();
        self.background.close();
        if tokio::time::timeout(grace, self.background.wait()).await.is_err() {
            self.aborting.cancel();
            if tokio::time::timeout(LAST_WORD, self.background.wait()).await.is_err() {
                for attempt in self.attempts.running() {
                    let step = &attempt.facts.template.steps[attempt.facts.index as usize];
                    tracing::warn!(
                        worker = %self.worker, task = %attempt.claim.task, step = step.name,
                        attempt = attempt.claim.attempt,
                        "the handler does not yield: its attempt is left to other workers, who end it as crashed"
                    );
                }
                return Ok(());
            }
        }
        let functions = self.attempts.threads().functions();
        if functions > 0 {
            tracing::warn!(
                worker = %self.worker, functions,
                "functions that are not async still run, and end with the process; their steps were handed back"
            );
        }
        self.store.retire_worker(self.worker).await
    }

    /// Ends everything at once, and waits for nothing.
    pub(crate) fn abort(&self) {
        self.stopping.cancel();
        self.aborting.cancel();
    }
}
