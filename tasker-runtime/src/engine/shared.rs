//! What all parts of the engine share: one worker's state, and the small operations on it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tasker_store::{Claim, ClaimRequest, Claimed, Store, TaskId, TemplateId, WorkerId, WorkerInfo};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tokio_util::task::TaskTracker;

use crate::build::bind::{BoundTemplate, Templates};
use crate::client::event::Event;
use crate::clock::Clock;
use crate::engine::active_attempts::ActiveAttempts;
use crate::engine::active_tasks::ActiveTasks;
use crate::engine::admission::Admission;
use crate::engine::earlier_tasks::EarlierTasks;
use crate::engine::fleet::FleetLook;
use crate::engine::settings::WorkerSettings;
use crate::engine::store_retry::retry_until_ok;
use crate::engine::waiters::Waiters;
use crate::handler::States;

/// A listener that falls this many events behind misses some.
const EVENT_BUFFER: usize = 4_096;

/// One worker. Everything it does ends when it is shut down, or when its last owner drops it.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) templates: Templates,
    pub(crate) clock: Clock,
    pub(crate) waiters: Waiters,
    pub(super) states: Arc<States>,
    pub(crate) settings: WorkerSettings,
    pub(super) worker: WorkerId,
    /// The namespaces whose steps run here, as the store is asked for them; `None` for all.
    namespaces: Option<Arc<[String]>>,
    /// Whether steps run here at all.
    pub(super) runs_steps: bool,
    /// A permit for each attempt that may run beside those that do.
    slots: Arc<Semaphore>,
    /// Whether steps may be due that were left in the queue because no slot was free.
    backlog: AtomicBool,
    /// Tells the dispatcher to look for due steps.
    pub(super) wake: Arc<Notify>,
    /// Is cancelled when the worker stops: it claims nothing more, and handlers are told.
    pub(super) stopping: CancellationToken,
    /// Is cancelled when handlers that still run are to be ended.
    pub(super) aborting: CancellationToken,
    /// Everything that runs in the background: duties, attempts, and tasks that are being created.
    pub(super) background: TaskTracker,
    pub(super) tasks: ActiveTasks,
    pub(crate) earlier_tasks: EarlierTasks,
    pub(super) attempts: Arc<ActiveAttempts>,
    pub(super) admission: Arc<Admission>,
    events: broadcast::Sender<Event>,
    /// Callables of which the log says already that they have no handler here.
    reported_missing: Mutex<HashSet<String>>,
    /// What was last seen of the fleet, by those who look at tasks.
    pub(super) fleet_look: FleetLook,
    /// Templates of which the log says already that their tasks are of another environment.
    reported_environments: Mutex<HashSet<TemplateId>>,
}

impl Engine {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        templates: Templates,
        states: States,
        clock: Clock,
        settings: WorkerSettings,
        runs_steps: bool,
    ) -> Self {
        let wake = Arc::new(Notify::new());
        let admission = Arc::new(Admission::new(&settings, Arc::clone(&wake)));
        templates.current().iter().for_each(|bound| admission.learn(bound));
        Self {
            earlier_tasks: EarlierTasks::new(clock.now()),
            store,
            templates,
            clock,
            waiters: Waiters::default(),
            states: Arc::new(states),
            worker: WorkerId::random(),
            namespaces: settings.namespaces.as_ref().map(|served| served.iter().cloned().collect()),
            runs_steps,
            slots: Arc::new(Semaphore::new(settings.concurrency)),
            settings,
            backlog: AtomicBool::new(false),
            wake,
            stopping: CancellationToken::new(),
            aborting: CancellationToken::new(),
            background: TaskTracker::new(),
            tasks: ActiveTasks::default(),
            attempts: Arc::default(),
            admission,
            events: broadcast::Sender::new(EVENT_BUFFER),
            reported_missing: Mutex::default(),
            fleet_look: FleetLook::default(),
            reported_environments: Mutex::default(),
        }
    }

    /// What this worker says of itself when it registers.
    pub(crate) fn info(&self) -> WorkerInfo {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        WorkerInfo::here()
            .handlers(number(self.templates.handlers()))
            .concurrency(number(self.settings.concurrency))
            .namespaces(self.namespaces.as_deref().map(<[String]>::to_vec))
            .callables(Some(self.templates.callables()))
            .environment(self.settings.environment.clone())
            .program(self.settings.program.clone().or_else(program_file))
    }

    /// The worker's id; `None` when it runs no steps.
    pub(crate) fn worker(&self) -> Option<WorkerId> {
        self.runs_steps.then_some(self.worker)
    }

    /// Whether a step of the task runs here, so that this worker will know when the task settles.
    pub(crate) fn is_active(&self, task: TaskId) -> bool {
        self.tasks.contains(task)
    }

    /// Completes when this worker has been told to stop.
    pub(crate) fn stopped(&self) -> WaitForCancellationFuture<'_> {
        self.stopping.cancelled()
    }

    /// Whether this worker has been told to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Whether this worker has been told to stop, and nothing of it runs any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_stopped() && self.background.is_empty() && self.attempts.threads().functions() == 0
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Sends an event to whoever listens; `event` is asked only when somebody does.
    pub(super) fn emit(&self, event: impl FnOnce() -> Event) {
        if self.events.receiver_count() > 0 {
            // The last receiver may have left in the meantime.
            let _ = self.events.send(event());
        }
    }

    /// An interval with jitter, up to a tenth shorter or longer: what polls has jitter, so that the
    /// requests of many workers spread out.
    pub(super) fn jittered(&self, interval: Duration) -> Duration {
        interval.mul_f64(0.9 + 0.2 * self.clock.random())
    }

    /// Slots for up to `max` attempts, taken from those that are free; `None` when none is.
    pub(super) fn take_slots(&self, max: usize) -> Option<OwnedSemaphorePermit> {
        let free = self.slots.available_permits().min(max);
        let free = u32::try_from(free).ok().filter(|free| *free > 0)?;
        Arc::clone(&self.slots).try_acquire_many_owned(free).ok()
    }

    /// How many slots are free.
    pub(super) fn free_slots(&self) -> usize {
        self.slots.available_permits()
    }

    /// Notes whether due steps may have been left in the queue.
    pub(super) fn set_backlog(&self, backlog: bool) {
        self.backlog.store(backlog, Ordering::SeqCst);
    }

    /// Whether due steps may have been left in the queue.
    pub(super) fn has_backlog(&self) -> bool {
        self.backlog.load(Ordering::SeqCst)
    }

    /// Wakes the dispatcher if due steps may have been left in the queue: a slot is free again.
    pub(super) fn wake_for_backlog(&self) {
        if self.has_backlog() {
            self.wake.notify_one();
        }
    }

    /// A request for at most `slots` claims; none when the worker has been told to stop. `any` asks for
    /// due steps of other tasks too, after those that the operation itself makes ready.
    pub(super) fn claim_request(&self, slots: usize, any: bool) -> ClaimRequest {
        let limit = if self.is_stopped() { 0 } else { slots };
        let (any, now) = (any && limit > 0, self.clock.now());
        let (excluded, namespaces) = (self.admission.excluded(), self.namespaces.clone());
        ClaimRequest { worker: self.worker, limit, any, now, excluded, namespaces }
    }

    /// Notes what an operation has claimed, also in the log.
    pub(super) fn note_claims(&self, claimed: &Claimed) {
        self.earlier_tasks.note(claimed);
        for claim in &claimed.claims {
            tracing::debug!(
                worker = %self.worker, task = %claim.task, step = %claim.key, attempt = claim.attempt,
                "a step was claimed"
            );
        }
    }

    /// Says in the log, once for each callable, that steps wait for a worker that has its handler.
    pub(super) fn report_missing_handler(&self, callable: &str) {
        let mut reported = self.reported_missing.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.insert(callable.to_owned()) {
            tracing::error!(
                callable,
                "steps are due that no handler of this program can run; they wait for a worker that has one"
            );
        }
    }

    /// Says in the log what has become ready here that no handler of this program can run.
    pub(super) fn report_left(&self, bound: &BoundTemplate, claimed: &Claimed) {
        for step in claimed.left.iter().filter(|_| self.runs_steps) {
            if bound.steps[*step as usize].handler.is_none()
                && self.admission.serves(&bound.template.namespace)
            {
                self.report_missing_handler(&bound.template.steps[*step as usize].handler.callable);
            }
        }
    }

    /// Whether the template's tasks were created in another environment than this worker's, which is said in
    /// the log, once for each template.
    pub(super) fn report_other_environment(&self, bound: &BoundTemplate) -> bool {
        let (template, own) = (&bound.template, self.settings.environment.as_deref());
        let is_other = !template.runs_in(own);
        if is_other {
            let mut reported = self.reported_environments.lock().unwrap_or_else(PoisonError::into_inner);
            if reported.insert(bound.id) {
                tracing::error!(
                    namespace = template.namespace,
                    template = template.name,
                    version = template.version,
                    task_environment = template.environment.as_deref().unwrap_or("none"),
                    worker_environment = own.unwrap_or("none"),
                    "steps are due of tasks that were created in another environment than this worker's; \
                     they wait for a worker with theirs (`worker --environment`). Create tasks with the \
                     environment of the workers that are to run them"
                );
            }
        }
        is_other
    }

    /// Hands claims back that were not admitted, and wakes the dispatcher: the limits that refused them may
    /// have capacity by now.
    pub(super) async fn refuse(&self, claims: Vec<Claim>) {
        self.hand_back(claims).await;
        self.wake.notify_one();
    }

    /// Hands claims back to the queue; their attempts do not count.
    pub(super) async fn hand_back(&self, claims: Vec<Claim>) {
        let Some(first) = claims.first() else { return };
        let release = || self.store.release(claims.clone(), None, self.clock.now());
        let handed_back = retry_until_ok(&self.aborting, *first, release).await;
        if !matches!(handed_back, Some(Ok(()))) {
            tracing::warn!(worker = %self.worker, "a claim could not be handed back; it counts as crashed");
        }
    }
}

impl Drop for Engine {
    /// Nothing runs any more, since attempts hold the engine. What is still claimed in this worker's name is
    /// orphaned: another worker ends those attempts as crashed.
    fn drop(&mut self) {
        if self.runs_steps {
            self.store.worker_died(self.worker);
        }
    }
}

/// The name of the program's file, by which a program goes that has said no other name.
fn program_file() -> Option<String> {
    let file = std::env::current_exe().ok()?;
    Some(file.file_stem()?.to_string_lossy().into_owned())
}
