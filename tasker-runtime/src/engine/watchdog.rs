//! Looks after handlers that block a thread of the runtime instead of awaiting.
//!
//! The thread that a handler blocks may be the one that waits for the network and for timers on behalf of all
//! others, which then sleep: a runtime of any number of threads stands still. A thread of the watchdog's own
//! notices, names the handler in the log, and wakes another thread of the runtime, which takes over.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::engine::active_attempts::ActiveAttempts;

/// How often the watchdog looks.
const TICK: Duration = Duration::from_millis(100);
/// A handler that holds up its thread for this many ticks blocks it.
const BLOCKED: u64 = 2;
/// It is named in the log after this many ticks, and again each time that these have doubled.
const FIRST_REPORT: u64 = 10;
/// After this many ticks without an attempt, the watchdog sleeps until there is one.
const IDLE: u32 = 50;

/// Starts to look after the attempts of a worker, for as long as the worker is there.
pub(super) fn start(attempts: &Arc<ActiveAttempts>) {
    let (watched, runtime) = (Arc::downgrade(attempts), Handle::current());
    let started = thread::Builder::new().name("tasker-watchdog".to_owned()).spawn(move || {
        watch(&watched, &runtime);
    });
    match started {
        Ok(thread) => attempts.set_watchdog(thread.thread().clone()),
        Err(error) => tracing::warn!(%error, "handlers that block the runtime are not looked after"),
    }
}

fn watch(attempts: &Weak<ActiveAttempts>, runtime: &Handle) {
    let mut idle = 0;
    loop {
        if idle < IDLE {
            thread::park_timeout(TICK);
        } else {
            thread::park();
            idle = 0;
        }
        let Some(attempts) = attempts.upgrade() else { return };
        attempts.threads().tick();
        let running = attempts.running();
        idle = if running.is_empty() { idle + 1 } else { 0 };
        if idle == IDLE && !attempts.let_watchdog_sleep() {
            idle = 0;
        }
        let blocked: Vec<_> = running.iter().filter(|one| one.threads.held_for() >= BLOCKED).collect();
        if !blocked.is_empty() {
            // A thread that sleeps wakes up for this, and takes over what the blocked one waited for.
            runtime.spawn(std::future::ready(()));
        }
        for attempt in blocked {
            let held = attempt.threads.held_for();
            if held >= FIRST_REPORT && (held / FIRST_REPORT).is_power_of_two() && held % FIRST_REPORT == 0 {
                let step = &attempt.facts.template.steps[attempt.facts.index as usize];
                tracing::warn!(
                    task = %attempt.claim.task,
                    step = step.name,
                    attempt = attempt.claim.attempt,
                    callable = step.handler.callable,
                    seconds = (TICK * u32::try_from(held).unwrap_or(u32::MAX)).as_secs(),
                    "a handler blocks a thread of the runtime: it should await, or be a function that is not async"
                );
            }
        }
    }
}
