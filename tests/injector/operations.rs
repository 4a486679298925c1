//! What is tried under each fault, and what must hold afterwards.

use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use tasker_runtime::limits::{FleetLimit, LimitScope};
use tasker_runtime::operate::{DeadLetterStatus, Operator, RetryScope};
use tasker_runtime::{BuildError, Error, Task, TaskFilter, TaskId, TaskState, Tasker};

use crate::check::{self, Expected};
use crate::place::{Fault, First, Place, Plan, of_leaving, staying, under_limit};

/// How long a fault lasts that does not end by itself.
const LASTING: Duration = Duration::from_millis(60);
/// How often an operator asks for what was not acknowledged, once the fault is over.
const AFTERWARDS: usize = 3;
/// How long a step runs whose worker must be heard of meanwhile, in leases.
const LONG: f64 = 1.3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Open,
    Create,
    CreateWithKey,
    Claim,
    Complete,
    OwnWrites,
    RetryLater,
    FailForGood,
    Permits,
    Retry,
    RetryNow,
    CompleteByHand,
    Resolve,
    Cancel,
    GiveUp,
    Investigate,
    SetLimit,
    RemoveLimit,
    Prune,
    Orphan,
    Leave,
    Heartbeat,
}

use Operation::{
    Cancel, Claim, Complete, CompleteByHand, Create, CreateWithKey, FailForGood, GiveUp, Heartbeat,
    Investigate, Leave, Open, Orphan, OwnWrites, Permits, Prune, RemoveLimit, Resolve, Retry, RetryLater,
    RetryNow, SetLimit,
};

pub const ALL: [(Operation, &str); 22] = [
    (Open, "open and register a worker"),
    (Create, "create"),
    (CreateWithKey, "create with a key"),
    (Claim, "claim from the queue"),
    (Complete, "finish: complete"),
    (OwnWrites, "finish with own writes"),
    (RetryLater, "finish: retry"),
    (FailForGood, "finish: failed for good"),
    (Permits, "permits"),
    (Retry, "retry"),
    (RetryNow, "retry now"),
    (CompleteByHand, "complete by hand"),
    (Resolve, "resolve"),
    (Cancel, "cancel"),
    (GiveUp, "give up"),
    (Investigate, "investigate"),
    (SetLimit, "set a limit"),
    (RemoveLimit, "remove a limit"),
    (Prune, "prune"),
    (Orphan, "take over from the dead"),
    (Leave, "hand back and leave"),
    (Heartbeat, "heartbeat"),
];

/// One trial: an operation of which the statement or call at this position meets a fault; without a fault,
/// what must hold is stricter.
pub struct Trial<'a> {
    pub place: &'a Place,
    pub fault: Option<Fault>,
    pub position: usize,
    /// How long anything may take when the fault is over.
    pub patience: Duration,
    /// Finds the tasks of this trial.
    pub tag: String,
    /// What was hit.
    pub hit: Mutex<Option<String>>,
}

pub type Held = Result<(), String>;

impl Trial<'_> {
    pub async fn run(&self, operation: Operation) -> Held {
        let place = self.place;
        let held = match operation {
            Open => self.open().await,
            Create => self.create().await,
            CreateWithKey => self.create_with_key().await,
            Claim => {
                let soon = Timestamp::now() + Duration::from_millis(30);
                let task = staying(&Plan::default(), &self.tag).run_at(soon);
                place.onlooker.create_task(task).await.map_err(told)?;
                self.under_fault(self.settled()).await??;
                self.check(&Expected::default()).await
            }
            Complete => self.finish(Plan::default(), &Expected::default()).await,
            OwnWrites => {
                let plan = Plan { writes: true, ..Plan::default() };
                self.finish(plan, &Expected { effects: 1, ..Expected::default() }).await
            }
            RetryLater => {
                let plan = Plan { first: First::Retry, ..Plan::default() };
                self.finish(plan, &Expected { attempts: 2, ..Expected::default() }).await
            }
            FailForGood => {
                let plan = Plan { first: First::Fail, ..Plan::default() };
                let state = TaskState::BlockedByFailures;
                self.finish(plan, &Expected { state, ..Expected::default() }).await
            }
            Permits => self.permits().await,
            Retry | CompleteByHand | Resolve | Cancel | GiveUp => self.operate(operation, First::Fail).await,
            RetryNow => self.operate(operation, First::Later).await,
            Investigate => self.operate(operation, First::Fail).await,
            SetLimit => self.set_limit().await,
            RemoveLimit => self.remove_limit().await,
            Prune => self.prune().await,
            Orphan => self.orphan().await,
            Leave => self.leave().await,
            Heartbeat => self.heartbeat().await,
        };
        // Whatever came of it.
        self.place.injector.disarm();
        held
    }

    /// Does it while the fault is about to happen; the fault is over when this has ended.
    async fn under_fault<T>(&self, action: impl Future<Output = T>) -> Result<T, String> {
        self.armed(action, false).await
    }

    async fn armed<T>(&self, action: impl Future<Output = T>, beats: bool) -> Result<T, String> {
        let injector = &self.place.injector;
        let Some(fault) = self.fault else { return self.in_time(action).await };
        injector.arm(fault, self.position, beats);
        let mut action = pin!(action);
        let lasted = async {
            injector.hit().await;
            match fault.lasts() {
                true => tokio::time::sleep(LASTING).await,
                false => std::future::pending().await,
            }
        };
        let done = tokio::select! {
            done = self.in_time(&mut action) => Some(done),
            () = lasted => None,
        };
        *self.hit.lock().unwrap() = injector.disarm();
        match done {
            Some(done) => done,
            None => self.in_time(action).await,
        }
    }

    /// Asks once more for what was not acknowledged, now that the fault is over. A connection that has just ended
    /// may be handed out once before that is noticed.
    async fn afterwards<T, F>(&self, what: impl Fn() -> F) -> Result<Result<T, Error>, String>
    where
        F: Future<Output = Result<T, Error>>,
    {
        for _ in 1..AFTERWARDS {
            match self.in_time(what()).await? {
                Err(Error::Store(_)) => tokio::time::sleep(LASTING).await,
                answer => return Ok(answer),
            }
        }
        self.in_time(what()).await
    }

    /// Starts a worker besides. The fault may meet its start.
    async fn started<F>(&self, start: impl Fn() -> F) -> Result<Tasker, String>
    where
        F: Future<Output = Result<Tasker, BuildError>>,
    {
        for _ in 1..AFTERWARDS {
            if let Ok(worker) = start().await {
                return Ok(worker);
            }
        }
        start().await.map_err(told)
    }

    async fn in_time<T>(&self, action: impl Future<Output = T>) -> Result<T, String> {
        let done = tokio::time::timeout(self.patience, action).await;
        done.map_err(|_| "it does not end".to_owned())
    }

    async fn check(&self, expected: &Expected) -> Held {
        let settled = self.in_time(self.settled()).await;
        settled.map_err(|_| format!("stuck: {}", self.look()))??;
        check::check(self, expected).await
    }

    /// Until no task of this trial is in progress. Whoever looks does so past the fault.
    async fn settled(&self) -> Held {
        loop {
            let tasks = self.tasks().await;
            if let Ok(tasks) = tasks
                && tasks.iter().all(|(_, state)| state.is_settled())
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn tasks(&self) -> Result<Vec<(TaskId, TaskState)>, Error> {
        let listed = self.place.onlooker.list(TaskFilter::new().tag(&*self.tag).limit(100)).await?;
        Ok(listed.into_iter().map(|task| (task.id, task.state)).collect())
    }

    fn look(&self) -> String {
        format!("tasks with the tag {} do not settle", self.tag)
    }

    /// Until the first attempt of `a` waits at its gate.
    async fn until_entered(&self) -> Held {
        let gate = self.place.shared.gate(&self.tag);
        self.in_time(gate.entered.acquire()).await?.map_err(|error| error.to_string())?.forget();
        Ok(())
    }

    fn gated(&self, plan: Plan) -> Plan {
        Plan { gate: Some(self.tag.clone()), ..plan }
    }

    async fn open(&self) -> Held {
        let opened = self.under_fault(self.place.newcomer().build()).await?;
        let newcomer = match opened {
            Ok(newcomer) => newcomer,
            Err(_) => {
                self.in_time(self.place.newcomer().build()).await?.map_err(|error| error.to_string())?
            }
        };
        self.in_time(newcomer.shutdown()).await
    }

    async fn create(&self) -> Held {
        let created =
            self.under_fault(self.place.worker.create_task(staying(&Plan::default(), &self.tag))).await?;
        let fewest = usize::from(created.is_ok());
        if let Err(error) = created {
            self.is_of_the_store(error)?;
        }
        self.check(&Expected { tasks: fewest..=1, ..Expected::default() }).await
    }

    async fn create_with_key(&self) -> Held {
        let create = || {
            let task = staying(&Plan::default(), &self.tag).idempotency_key(&*self.tag);
            self.place.worker.create_task(task)
        };
        if let Err(error) = self.under_fault(create()).await? {
            self.is_of_the_store(error)?;
            match self.afterwards(create).await? {
                Ok(_) | Err(Error::AlreadyExists { .. }) => {}
                Err(error) => return Err(format!("it cannot be created afterwards: {error}")),
            }
        }
        self.check(&Expected::default()).await
    }

    /// A task whose first step ends under the fault.
    async fn finish(&self, plan: Plan, expected: &Expected) -> Held {
        let task = staying(&self.gated(plan), &self.tag);
        self.place.worker.create_task(task).await.map_err(told)?;
        self.until_entered().await?;
        let end = async {
            self.place.shared.gate(&self.tag).open();
            self.settled().await
        };
        self.under_fault(end).await??;
        self.check(expected).await
    }

    async fn permits(&self) -> Held {
        *self.place.shared.limited.lock().unwrap() = (0, 0);
        let run = async {
            let mut created = 0;
            for _ in 0..2 {
                match self.place.worker.create_task(under_limit(&self.tag)).await {
                    Ok(_) => created += 1,
                    Err(error) => self.is_of_the_store(error)?,
                }
            }
            self.settled().await.map(|()| created)
        };
        let created = self.under_fault(run).await??;
        let most = self.place.shared.limited.lock().unwrap().1;
        if most > 1 {
            return Err(format!("{most} attempts ran at a time under a limit of 1"));
        }
        self.check(&Expected { tasks: created..=2, ..Expected::default() }).await
    }

    /// An operator acts on a task whose first step has failed, or waits.
    async fn operate(&self, operation: Operation, first: First) -> Held {
        let (worker, operator) = (&self.place.worker, Operator::new("ada"));
        let plan = Plan { first, ..Plan::default() };
        let id = worker.create_task(staying(&plan, &self.tag)).await.map_err(told)?;
        let is_prepared = |task: &Task| !task.step("a").is_some_and(|step| step.attempts.is_empty());
        let prepared = async {
            while !self.place.onlooker.get_task(id).await.is_ok_and(|task| is_prepared(&task)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        self.in_time(prepared).await?;
        if operation == Investigate {
            self.afterwards(|| worker.give_up(id, &operator)).await?.map_err(told)?;
        }
        let scope = RetryScope::Step("a".to_owned());
        let act = || async {
            match operation {
                Retry => worker.retry(id, &scope, &operator).await,
                RetryNow => worker.retry_now(id, "a", &operator).await,
                CompleteByHand => {
                    worker.complete_step(id, "a", &format!("a of {id}, by hand"), &operator).await
                }
                Resolve => worker.resolve_step(id, "a", &operator).await,
                Cancel => worker.cancel(id, &operator).await,
                GiveUp => worker.give_up(id, &operator).await,
                _ => worker.investigate(id, DeadLetterStatus::PermanentlyFailed, &operator).await,
            }
        };
        let most = match self.under_fault(act()).await? {
            Ok(_) => 1,
            Err(error) => {
                self.is_of_the_store(error)?;
                match self.afterwards(act).await? {
                    Ok(_) | Err(Error::NotPossible { .. }) => {}
                    Err(error) => return Err(format!("it cannot be done afterwards: {error}")),
                }
                1 + AFTERWARDS
            }
        };
        let (state, attempts) = match operation {
            Retry | RetryNow => (TaskState::Complete, 2),
            CompleteByHand | Resolve => (TaskState::Complete, 1),
            Cancel => (TaskState::Cancelled, 1),
            _ => (TaskState::Error, 1),
        };
        self.check(&Expected { state, attempts, ..Expected::default() }).await?;
        let task = self.afterwards(|| self.place.onlooker.get_task(id)).await?.map_err(told)?;
        let word = match operation {
            CompleteByHand => "complete".to_owned(),
            _ => format!("{operation:?}").chars().fold(String::new(), |word, letter| {
                let joint = if letter.is_uppercase() && !word.is_empty() { "_" } else { "" };
                format!("{word}{joint}{}", letter.to_lowercase())
            }),
        };
        let times = task.actions.iter().filter(|action| action.action == word).count();
        match (1..=most).contains(&times) {
            true => Ok(()),
            false => Err(format!("`{word}` is recorded {times} times; it was asked for {most} times")),
        }
    }

    async fn set_limit(&self) -> Held {
        let worker = &self.place.worker;
        let scope = LimitScope::Callable(self.tag.clone());
        let set = || worker.set_limit(FleetLimit::new(scope.clone()).concurrency(5));
        if self.under_fault(set()).await?.is_err() {
            self.afterwards(set).await?.map_err(|error| format!("it cannot be set afterwards: {error}"))?;
        }
        let there = self.limits().await?.into_iter().filter(|limit| limit.scope == scope).collect::<Vec<_>>();
        self.afterwards(|| worker.remove_limit(scope.clone())).await?.map_err(told)?;
        match &there[..] {
            [limit] if limit.concurrency == Some(5) => Ok(()),
            other => Err(format!("the limit is {other:?}")),
        }
    }

    async fn remove_limit(&self) -> Held {
        let worker = &self.place.worker;
        let scope = LimitScope::Callable(self.tag.clone());
        // A connection that an earlier trial has made read-only may be found out only now.
        let set = || worker.set_limit(FleetLimit::new(scope.clone()).concurrency(5));
        self.afterwards(set).await?.map_err(told)?;
        let remove = || worker.remove_limit(scope.clone());
        if self.under_fault(remove()).await?.is_err() {
            match self.afterwards(remove).await? {
                Ok(()) | Err(Error::Limit(_)) => {}
                Err(error) => return Err(format!("it cannot be removed afterwards: {error}")),
            }
        }
        match self.limits().await?.iter().any(|limit| limit.scope == scope) {
            true => Err("the limit is still there".to_owned()),
            false => Ok(()),
        }
    }

    async fn limits(&self) -> Result<Vec<FleetLimit>, String> {
        let records = self.in_time(self.place.onlooker.limits()).await?.map_err(told)?;
        Ok(records.into_iter().map(|record| record.limit).collect())
    }

    /// Deletes what is old, and nothing of what is not over.
    async fn prune(&self) -> Held {
        let worker = &self.place.worker;
        let old = worker.create_task(staying(&Plan::default(), &self.tag)).await.map_err(told)?;
        self.in_time(self.settled()).await??;
        let unfinished =
            worker.create_task(staying(&self.gated(Plan::default()), &self.tag)).await.map_err(told)?;
        self.until_entered().await?;
        let prune = || worker.prune(Duration::ZERO, usize::MAX);
        if self.under_fault(prune()).await?.is_err() {
            self.afterwards(prune)
                .await?
                .map_err(|error| format!("it cannot be pruned afterwards: {error}"))?;
        }
        self.place.shared.gate(&self.tag).open();
        let left: Vec<TaskId> =
            self.in_time(self.tasks()).await?.map_err(told)?.into_iter().map(|(id, _)| id).collect();
        if left != [unfinished] {
            return Err(format!("of {old}, which is old, and {unfinished} there are {left:?}"));
        }
        self.check(&Expected::default()).await
    }

    /// The worker dies whose attempt is running, and another takes over.
    async fn orphan(&self) -> Held {
        let mortal = self.started(|| self.place.mortal()).await?;
        let task = staying(&self.gated(Plan::default()), &self.tag);
        mortal.create_task(task).await.map_err(told)?;
        self.until_entered().await?;
        let die = async {
            mortal.describe().worker.iter().for_each(|worker| self.place.store.worker_died(*worker));
            self.settled().await
        };
        self.under_fault(die).await??;
        // The answer of the attempt that was taken over comes late, and changes nothing.
        self.place.shared.gate(&self.tag).open();
        self.in_time(mortal.shutdown()).await?;
        self.check(&Expected { attempts: 2, crashed: 1, ..Expected::default() }).await
    }

    /// A worker leaves whose attempt is running, and another goes on.
    async fn leave(&self) -> Held {
        let leaving = self.started(|| self.place.leaving()).await?;
        leaving.create_task(of_leaving(&self.gated(Plan::default()), &self.tag)).await.map_err(told)?;
        self.until_entered().await?;
        self.under_fault(leaving.shutdown()).await?;
        drop(leaving);
        self.place.shared.gate(&self.tag).open();
        let next = self.started(|| self.place.leaving()).await?;
        let held = self.check(&Expected { begins_again: true, ..Expected::default() }).await;
        self.in_time(next.shutdown()).await?;
        held
    }

    /// A step runs for longer than a lease, and its worker stays alive.
    async fn heartbeat(&self) -> Held {
        let Some(lease) = self.place.store.lease() else { return Ok(()) };
        let task = staying(&self.gated(Plan::default()), &self.tag);
        self.place.worker.create_task(task).await.map_err(told)?;
        self.until_entered().await?;
        self.armed(tokio::time::sleep(lease.mul_f64(LONG)), true).await?;
        self.place.shared.gate(&self.tag).open();
        self.check(&Expected { keeps_its_claims: true, ..Expected::default() }).await
    }

    /// What was not acknowledged was refused by the store, and not for another reason.
    fn is_of_the_store(&self, error: Error) -> Held {
        match error {
            Error::Store(_) => Ok(()),
            error => Err(format!("it was refused with {error}")),
        }
    }
}

/// An error of what is done without a fault.
fn told(error: impl std::error::Error + 'static) -> String {
    format!("without a fault: {}", tasker_runtime::error::chain(&error))
}
