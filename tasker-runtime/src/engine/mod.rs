//! The engine: claims steps, runs their handlers, and records what comes of it.

mod attempt;
mod backoff;
mod dispatch;
mod fleet;
mod housekeeping;
mod permits;
mod room;
mod settle;
mod start_slots;
mod tasks;
mod under_way;
mod waiters;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tasker_store::{
    Acted, ActionRequest, Claim, ClaimRequest, Created, Json, LimitScope, NewTaskRecord, Store, StoreError,
    TaskHead, TaskId, TaskState, WorkerId, WorkerInfo,
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tokio_util::task::TaskTracker;

use crate::build::bind::Templates;
use crate::build::payload_limits::Limits;
use crate::client::event::Event;
use crate::clock::Clock;
use crate::handler::{States, TaskFacts};
use attempt::Job;
use room::{Entry, Room};
use tasks::{ActiveTask, ActiveTasks};
use under_way::UnderWay;

pub(crate) use waiters::Waiters;

/// Listeners that fall this many events behind miss some.
const EVENTS: usize = 4_096;

/// What the builder decides about a worker.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Attempts at a time.
    pub(crate) concurrency: usize,
    /// The limit of an attempt whose template sets none.
    pub(crate) step_timeout: Duration,
    /// How often to look for work that nobody notified.
    pub(crate) poll_interval: Duration,
    /// How often to look for workers that died.
    pub(crate) reap_interval: Duration,
    /// What retry delays are multiplied by.
    pub(crate) backoff_scale: f64,
    /// How long a handler may take to end once it is told to.
    pub(crate) grace: Duration,
    /// The namespaces that it runs steps of; `None` for all.
    pub(crate) namespaces: Option<BTreeSet<String>>,
    /// At most this many attempts of a kind at a time.
    pub(crate) kinds: HashMap<LimitScope, usize>,
    /// Tasks that have been over for this long are deleted.
    pub(crate) retention: Option<Duration>,
    /// How large contexts and results may be.
    pub(crate) limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 64,
            step_timeout: Duration::from_secs(30),
            poll_interval: Duration::from_secs(1),
            reap_interval: Duration::from_secs(5),
            backoff_scale: 1.0,
            grace: Duration::from_secs(10),
            namespaces: None,
            kinds: HashMap::new(),
            retention: None,
            limits: Limits::default(),
        }
    }
}

/// One worker. Everything it does ends when it is shut down, or when its last owner drops it.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) templates: Templates,
    pub(crate) clock: Clock,
    pub(crate) waiters: Waiters,
    states: Arc<States>,
    pub(crate) settings: Settings,
    worker: WorkerId,
    /// The namespaces that it runs steps of, as the store is asked for them.
    served: Option<Arc<[String]>>,
    /// Whether steps are run here at all.
    works: bool,
    slots: Arc<Semaphore>,
    /// Whether there may be due steps that nobody had room for.
    backlog: AtomicBool,
    /// Tells the dispatcher to look.
    wake: Arc<Notify>,
    /// No more claims; handlers are told.
    stopping: CancellationToken,
    /// Handlers that still run are ended.
    aborting: CancellationToken,
    running: TaskTracker,
    tasks: ActiveTasks,
    under_way: UnderWay,
    room: Arc<Room>,
    events: broadcast::Sender<Event>,
    /// Callables that were found to have no handler here.
    told: Mutex<HashSet<String>>,
}

impl Engine {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        templates: Templates,
        states: States,
        clock: Clock,
        settings: Settings,
        works: bool,
    ) -> Self {
        let room = Arc::new(Room::new(&settings.kinds, settings.namespaces.clone(), settings.concurrency));
        templates.current().iter().for_each(|bound| room.learn(bound));
        Self {
            store,
            templates,
            clock,
            waiters: Waiters::default(),
            states: Arc::new(states),
            worker: WorkerId::random(),
            served: settings.namespaces.as_ref().map(|served| served.iter().cloned().collect()),
            works,
            slots: Arc::new(Semaphore::new(settings.concurrency)),
            settings,
            backlog: AtomicBool::new(false),
            wake: Arc::new(Notify::new()),
            stopping: CancellationToken::new(),
            aborting: CancellationToken::new(),
            running: TaskTracker::new(),
            tasks: ActiveTasks::default(),
            under_way: UnderWay::default(),
            room,
            events: broadcast::Sender::new(EVENTS),
            told: Mutex::default(),
        }
    }

    /// What this worker says of itself.
    pub(crate) fn info(&self) -> WorkerInfo {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        WorkerInfo::here()
            .handlers(number(self.templates.handlers()))
            .concurrency(number(self.settings.concurrency))
            .namespaces(self.served.as_deref().map(<[String]>::to_vec))
    }

    /// Makes the worker known, learns the fleet's limits, takes over what dead workers left, and begins to
    /// claim.
    pub(crate) async fn start(self: &Arc<Self>) -> Result<(), StoreError> {
        self.store.register_worker(self.worker, self.info(), self.clock.now()).await?;
        self.ask(Vec::new()).await?;
        self.running.spawn(fleet::keep(Arc::downgrade(self), self.stopping.clone()));
        self.running.spawn(dispatch::dispatch(Arc::downgrade(self), self.stopping.clone()));
        self.running.spawn(dispatch::reap(Arc::downgrade(self), self.stopping.clone()));
        self.running.spawn(housekeeping::watch(Arc::downgrade(self), self.stopping.clone()));
        self.running.spawn(housekeeping::give_up_stale(Arc::downgrade(self), self.stopping.clone()));
        if let Some(retention) = self.settings.retention {
            self.running.spawn(housekeeping::delete_old(
                Arc::downgrade(self),
                retention,
                self.stopping.clone(),
            ));
        }
        Ok(())
    }

    /// Creates a task, and runs at once what there is room for.
    ///
    /// The work is a task of its own: a caller that stops waiting leaves no claim without its
    /// attempt, and a shutdown waits for it.
    pub(crate) async fn create(
        self: &Arc<Self>,
        task: NewTaskRecord,
        facts: TaskFacts,
    ) -> Result<Option<Duplicate>, StoreError> {
        let engine = Arc::clone(self);
        let creating = self.running.spawn(async move {
            let slots = engine.take_slots(task.starts.len()).filter(|_| engine.works);
            let request = engine.request(slots.as_ref().map_or(0, OwnedSemaphorePermit::num_permits), false);
            let wakes_later = task.run_at.is_some();
            let active = engine.tasks.insert(facts, Some(head(&task)));
            let created = match engine.store.create_task(task, request).await {
                Ok(Created::New(claimed)) => {
                    if claimed.more {
                        engine.backlog.store(true, Ordering::SeqCst);
                    }
                    engine.spawn_all(claimed.claims, Some(&active), slots);
                    if wakes_later {
                        engine.wake.notify_one();
                    }
                    Ok(None)
                }
                Ok(Created::Duplicate { id, context }) => Ok(Some(Duplicate { id, context })),
                Err(error) => Err(error),
            };
            engine.tasks.forget(active);
            created
        });
        creating.await.map_err(|_| StoreError::Closed)?
    }

    /// Does what an operator asks for; attempts that it has ended are told.
    pub(crate) async fn act(&self, request: ActionRequest) -> Result<Acted, StoreError> {
        let task = request.task;
        let acted = self.store.act(request).await?;
        if let Acted::Done { state, revoked } = &acted {
            self.under_way.lose(revoked);
            self.wake.notify_one();
            if state.is_settled() {
                self.emit(|| Event::TaskSettled { task, state: *state });
                self.tasks.settle(task);
                self.waiters.settle(task, || None);
            }
        }
        Ok(acted)
    }

    /// Claims no more, lets handlers end for as long as `grace`, hands back the rest.
    pub(crate) async fn shutdown(&self, grace: Duration) -> Result<(), StoreError> {
        /// How long a handler that is told to end at once may take until we leave without it.
        const LAST_WORD: Duration = Duration::from_secs(1);
        self.stopping.cancel();
        self.running.close();
        if tokio::time::timeout(grace, self.running.wait()).await.is_err() {
            self.aborting.cancel();
            if tokio::time::timeout(LAST_WORD, self.running.wait()).await.is_err() {
                tracing::warn!(worker = %self.worker, "a handler does not yield; its step counts as crashed");
                return Ok(());
            }
        }
        self.store.retire_worker(self.worker).await
    }

    /// Ends everything at once.
    pub(crate) fn abandon(&self) {
        self.stopping.cancel();
        self.aborting.cancel();
    }

    /// Whether a step of the task is under way here, so that its end will be notified here.
    pub(crate) fn is_under_way(&self, task: TaskId) -> bool {
        self.tasks.contains(task)
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Says once for each callable that steps wait for a worker that has its handler.
    fn tell_missing(&self, callable: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(callable.to_owned()) {
            tracing::error!(
                callable,
                "steps are due that no handler of this program can run; they wait for a worker that has one"
            );
        }
    }

    /// Completes when this worker has been told to stop.
    pub(crate) fn stopped(&self) -> WaitForCancellationFuture<'_> {
        self.stopping.cancelled()
    }

    /// Its id, when it runs steps.
    pub(crate) fn worker(&self) -> Option<WorkerId> {
        self.works.then_some(self.worker)
    }

    /// Whether it was told to stop, and nothing runs any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_stopped() && self.running.is_empty()
    }

    /// Whether this worker has been told to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopping.is_cancelled()
    }

    fn emit(&self, event: impl FnOnce() -> Event) {
        if self.events.receiver_count() > 0 {
            // The last receiver may have left in the meantime.
            let _ = self.events.send(event());
        }
    }

    /// Room for up to `most` attempts, taken from what is free.
    fn take_slots(&self, most: usize) -> Option<OwnedSemaphorePermit> {
        let free = self.slots.available_permits().min(most);
        let free = u32::try_from(free).ok().filter(|free| *free > 0)?;
        Arc::clone(&self.slots).try_acquire_many_owned(free).ok()
    }

    /// A request for at most as many claims as there are slots.
    fn request(&self, slots: usize, any: bool) -> ClaimRequest {
        let limit = if self.stopping.is_cancelled() { 0 } else { slots };
        let (any, now) = (any && limit > 0, self.clock.now());
        let (excluded, namespaces) = (self.room.excluded(), self.served.clone());
        ClaimRequest { worker: self.worker, limit, any, now, excluded, namespaces }
    }

    /// Runs each claim on a slot of its own; slots that are left over are free again. Those that there is
    /// no room for are handed back together. `known` is a task that need not be asked for, should a claim be
    /// one of its steps.
    fn spawn_all(
        self: &Arc<Self>,
        claims: Vec<Claim>,
        known: Option<&Arc<ActiveTask>>,
        mut slots: Option<OwnedSemaphorePermit>,
    ) {
        let mut refused = Vec::new();
        for claim in claims {
            let place = match self.room.enter(&claim, &self.wake) {
                Entry::Entered(place) => Some(place),
                Entry::Unclear => None,
                Entry::Full => {
                    refused.push(claim);
                    continue;
                }
            };
            let slot = slots.as_mut().and_then(|slots| slots.split(1));
            self.running.spawn(attempt::run(Arc::clone(self), Job::new(claim, known, place), slot));
        }
        drop(slots);
        if !refused.is_empty() {
            let engine = Arc::clone(self);
            self.running.spawn(async move { engine.refuse(refused).await });
        }
        if self.backlog.load(Ordering::SeqCst) {
            // Somebody may have looked for room while we held more than we needed.
            self.wake.notify_one();
        }
    }

    /// Hands claims back that there is no room for. There may be by the time that they are back.
    async fn refuse(&self, claims: Vec<Claim>) {
        self.hand_back(claims).await;
        self.wake.notify_one();
    }

    async fn hand_back(&self, claims: Vec<Claim>) {
        let Some(first) = claims.first() else { return };
        let release = || self.store.release(claims.clone(), None, self.clock.now());
        let handed_back = settle::insist(self, *first, release).await;
        if !matches!(handed_back, Some(Ok(()))) {
            tracing::warn!(worker = %self.worker, "a claim could not be handed back; it counts as crashed");
        }
    }
}

/// A task of the same identity, which was there before.
pub(crate) struct Duplicate {
    pub(crate) id: TaskId,
    pub(crate) context: Json,
}

/// A task as it is right after its creation.
fn head(task: &NewTaskRecord) -> TaskHead {
    TaskHead {
        id: task.id,
        template: task.template,
        state: TaskState::InProgress,
        correlation_id: task.correlation_id,
        context: task.context.clone(),
        priority: task.priority,
        origin: task.origin.clone(),
        created_at: task.created_at,
        settled_at: None,
    }
}

impl Drop for Engine {
    /// Nothing runs any more: attempts hold the engine. What is still claimed in its name is others'.
    fn drop(&mut self) {
        if self.works {
            self.store.worker_died(self.worker);
        }
    }
}
