//! One run: the state that its workers share, and the workers one after the other.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tasker_store::{MemoryStore, Store, TaskFilter, TaskId, chain};
use tokio_util::sync::CancellationToken;

use crate::build::builder::Builder;
use crate::client::error::Error;
use crate::client::new_task::NewTask;
use crate::client::task::Task;
use crate::client::tasker::Tasker;
use crate::clock::Clock;
use crate::handler::States;
use crate::testing::crash::{Crash, CrashPoint, MortalStore};
use crate::testing::history::{Entry, History};
use crate::testing::stage::Stage;
use crate::testing::test_engine::{Configure, TestEngine};
use crate::testing::test_run::TestRun;

/// When runs begin, in virtual time.
const START: Timestamp = Timestamp::constant(1_800_000_000, 0);
/// The seed of random numbers: all runs have the same jitter.
const SEED: u64 = 7;

/// The poll interval. It is long because no other process puts work into the store, and each poll takes time.
const POLL: Duration = Duration::from_secs(60);

/// The state that the workers of one run share.
pub(super) struct World<'a> {
    engine: &'a TestEngine,
    pub(super) store: Arc<dyn Store>,
    /// The same store, where it is a file.
    #[cfg(feature = "sqlite")]
    file: Option<Arc<tasker_sqlite::SqliteStore>>,
    clock: Clock,
    history: History,
    states: States,
    configure: Vec<Configure>,
}

impl<'a> World<'a> {
    pub(super) fn new(engine: &'a TestEngine) -> Self {
        let mut states = States::default();
        let configure = engine.prepare.iter().map(|prepare| prepare(&mut states)).collect();
        #[cfg(feature = "sqlite")]
        let file = engine.file();
        let memory = || Arc::new(MemoryStore::new()) as Arc<dyn Store>;
        #[cfg(feature = "sqlite")]
        let store = file.clone().map(|file| -> Arc<dyn Store> { file }).unwrap_or_else(memory);
        #[cfg(not(feature = "sqlite"))]
        let store = memory();
        Self {
            engine,
            store,
            #[cfg(feature = "sqlite")]
            file,
            clock: Clock::paused(START, SEED),
            history: History::new(engine.max_calls),
            states,
            configure,
        }
    }

    /// Runs a task to its end. The first worker dies at `point`.
    pub(super) async fn run(self, task: &NewTask, point: Option<CrashPoint>) -> TestRun {
        let mut crash = None;
        let ended = tokio::select! {
            biased;
            task = self.lives(task, point, &mut crash) => Ok(task),
            fault = self.exhausted() => Err(fault),
        };
        let came_of = |task, crash| TestRun {
            task,
            entries: self.history.entries(),
            crash,
            states: self.states.clone(),
            #[cfg(feature = "sqlite")]
            file: self.file.clone(),
        };
        let fault = match ended {
            Ok(task) => return came_of(task, crash),
            Err(fault) => fault,
        };
        match self.look().await {
            Some(task) => panic!("{fault}\n\n{}", came_of(task, crash)),
            None => panic!("{fault}"),
        }
    }

    /// Completes with the limit that the run has exceeded.
    async fn exhausted(&self) -> String {
        let TestEngine { max_calls, max_elapsed, .. } = self.engine;
        tokio::select! {
            () = self.history.exceeded() => format!("handlers were called more than {max_calls} times"),
            () = tokio::time::sleep(*max_elapsed) => {
                format!("the run took longer than {} s of virtual time", max_elapsed.as_secs_f64())
            }
        }
    }

    /// One worker after the other, until the task has ended.
    async fn lives(&self, task: &NewTask, point: Option<CrashPoint>, crash: &mut Option<Crash>) -> Task {
        if let Some(point) = point {
            let dead = CancellationToken::new();
            let store = Arc::new(MortalStore::new(Arc::clone(&self.store), point, dead.clone()));
            if let Some(ended) = self.live(task, Arc::<MortalStore>::clone(&store), dead).await {
                return ended;
            }
            store.bury();
            self.history.write(Entry::Crashed);
            *crash = Some(Crash { point, operation: store.operation(), task: self.look().await });
        }
        let living = self.live(task, Arc::clone(&self.store), CancellationToken::new());
        living.await.expect("this worker does not die")
    }

    /// The life of one worker: the task as it ended, or `None` when the worker died.
    async fn live(&self, task: &NewTask, store: Arc<dyn Store>, dead: CancellationToken) -> Option<Task> {
        let living = async {
            let tasker = unless(&dead, self.worker(store, &dead).build().await).await;
            let id = match created(&tasker, &dead).await {
                Some(id) => id,
                None => unless(&dead, tasker.create_task(task.clone()).await).await,
            };
            let settled = match tasker.wait(id).await {
                Err(Error::Failed(_)) => Ok(()),
                other => other.map(drop),
            };
            unless(&dead, settled).await;
            let task = unless(&dead, tasker.get_task(id).await).await;
            tasker.shutdown().await;
            task
        };
        tokio::select! {
            biased;
            () = dead.cancelled() => None,
            task = living => (!dead.is_cancelled()).then_some(task),
        }
    }

    /// The task as the store has it.
    async fn look(&self) -> Option<Task> {
        let dead = CancellationToken::new();
        let builder = self.worker(Arc::clone(&self.store), &dead).without_worker();
        let tasker = unless(&dead, builder.build().await).await;
        let id = created(&tasker, &dead).await?;
        Some(unless(&dead, tasker.get_task(id).await).await)
    }

    pub(super) fn worker(&self, store: Arc<dyn Store>, dead: &CancellationToken) -> Builder {
        let stage = Stage {
            template: Arc::clone(&self.engine.template),
            replacements: Arc::new(self.engine.replacements.clone()),
            history: self.history.clone(),
            clock: self.clock.clone(),
            dead: dead.clone(),
        };
        let builder = Tasker::builder().poll_interval(POLL);
        let builder = self.configure.iter().fold(builder, |builder, change| change(builder));
        builder.shared_store(store).clock(self.clock.clone()).stage(stage)
    }
}

/// The run's task, once it is there: the oldest, for its handlers may have created others.
async fn created(tasker: &Tasker, dead: &CancellationToken) -> Option<TaskId> {
    unless(dead, tasker.list(TaskFilter::new().limit(usize::MAX)).await).await.last().map(|task| task.id)
}

/// The value of a result. Never completes for an error that the worker's death has caused; any other error
/// fails the test.
async fn unless<T, E: std::error::Error + 'static>(dead: &CancellationToken, result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(_) if dead.is_cancelled() => pending().await,
        Err(error) => panic!("{}", chain(&error)),
    }
}
