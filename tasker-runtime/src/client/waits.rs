//! What unfinished steps and tasks wait for, by what the store tells of the task, the workers and the limits.

use jiff::Timestamp;
use tasker_store::progress::ready_at;
use tasker_store::{
    HoldingWorker, LimitRecord, StepRecord, StepState, WaitHolder, WaitKind, WaitingOn, WorkerId,
    WorkerRecord,
};
use tasker_template::{StepTemplate, TaskTemplate};

use crate::build::registry::DEFAULT_METHOD;
use crate::client::task::Task;

/// The workers and the limits of a store at one moment.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    pub(crate) workers: Vec<WorkerRecord>,
    pub(crate) limits: Vec<LimitRecord>,
}

/// A step in its template.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) template: &'a TaskTemplate,
    pub(crate) step: &'a StepTemplate,
}

impl<'a> Place<'a> {
    fn callable(&self) -> &'a str {
        &self.step.handler.callable
    }

    /// `None` for the method that templates need not name.
    fn method(&self) -> Option<&'a str> {
        self.step.handler.method.as_deref().filter(|method| *method != DEFAULT_METHOD)
    }
}

/// Whether it takes a look at the fleet to tell what this run waits for.
pub(crate) fn asks_the_fleet(run: &StepRecord, now: Timestamp) -> bool {
    match run.state {
        StepState::InProgress => true,
        StepState::Ready | StepState::WaitingForRetry => run.due_at.is_none_or(|due_at| due_at <= now),
        _ => false,
    }
}

/// What a run waits for. `begins` says whether its task has not begun yet.
pub(crate) fn of_run(
    run: &StepRecord,
    place: Place<'_>,
    priority: i32,
    begins: bool,
    fleet: &Fleet,
    now: Timestamp,
) -> Vec<WaitingOn> {
    let later = run.due_at.filter(|due_at| *due_at > now);
    match (run.state, later) {
        (StepState::Error, _) => vec![WaitingOn::new(WaitKind::Operator, &place.step.name)],
        (StepState::InProgress, _) => {
            let waits = WaitingOn::new(WaitKind::InProcess, &place.step.name).since(run.claimed_at);
            let workers: Vec<_> = run.worker.map(|worker| fleet.holding(worker, 1)).into_iter().collect();
            let takes_over = workers.iter().any(|worker| !worker.alive) && !fleet.is_anybody_alive();
            let waits = waits.holder(WaitHolder::new(workers, None));
            let nobody = takes_over.then(|| WaitingOn::new(WaitKind::NoWorker, "any").since(run.claimed_at));
            std::iter::once(waits).chain(nobody).collect()
        }
        (StepState::Ready, Some(due_at)) if begins => {
            vec![WaitingOn::new(WaitKind::Future, &place.step.name).until(Some(due_at))]
        }
        (StepState::Ready | StepState::WaitingForRetry, Some(due_at)) => {
            vec![WaitingOn::new(WaitKind::Backoff, &place.step.name).until(Some(due_at))]
        }
        (StepState::Ready | StepState::WaitingForRetry, None) => {
            let ready = run.rank.and_then(|rank| ready_at(rank, priority));
            fleet.keeps_waiting(place, now).into_iter().map(|waits| waits.since(ready)).collect()
        }
        _ => Vec::new(),
    }
}

/// Tells of each step of a task what it waits for, and of the task. `runs` are those of the task's record.
pub(crate) fn fill_in(
    task: &mut Task,
    template: &TaskTemplate,
    runs: &[StepRecord],
    fleet: &Fleet,
    now: Timestamp,
) {
    let begins = task.steps.iter().all(|step| step.attempts.is_empty() && step.claimed_at.is_none());
    for run in runs {
        let index = run.key.step as usize;
        let (Some(step), Some(declared)) = (task.steps.get_mut(index), template.steps.get(index)) else {
            continue;
        };
        let place = Place { template, step: declared };
        let last = step.attempts.iter().filter(|attempt| attempt.instance == run.key.instance);
        let last = last.map(|attempt| attempt.finished_at).max();
        let begins = begins && step.dependencies.is_empty();
        for waits in of_run(run, place, task.priority, begins, fleet, now) {
            let waits = match waits.kind {
                WaitKind::Operator | WaitKind::Backoff => waits.since(last),
                WaitKind::Future => waits.since(Some(task.created_at)),
                _ => waits,
            };
            waits.add_to(&mut step.waiting_on);
        }
    }
    for step in &task.steps {
        step.waiting_on.iter().for_each(|waits| waits.clone().add_to(&mut task.waiting_on));
    }
    let is_done =
        |state| matches!(state, StepState::Complete | StepState::ResolvedManually | StepState::Skipped);
    let open: Vec<String> =
        task.steps.iter().filter(|step| !is_done(step.state)).map(|step| step.name.clone()).collect();
    for step in task.steps.iter_mut().filter(|step| step.state == StepState::Pending) {
        for dependency in step.dependencies.iter().filter(|dependency| open.contains(dependency)) {
            WaitingOn::new(WaitKind::Dependency, dependency)
                .since(Some(task.created_at))
                .add_to(&mut step.waiting_on);
        }
    }
}

impl Fleet {
    /// Whether there is a worker that is alive.
    pub(crate) fn is_anybody_alive(&self) -> bool {
        self.workers.iter().any(|worker| worker.alive)
    }

    /// What keeps a step that is due from running.
    fn keeps_waiting(&self, place: Place<'_>, now: Timestamp) -> Vec<WaitingOn> {
        let mut waits = Vec::new();
        for record in &self.limits {
            if record.limit.scope.covers(&place.template.namespace, place.callable()) {
                waits.extend(self.keeps_under(record, now));
            }
        }
        let suited = match self.suited(place) {
            Ok(suited) => suited,
            Err(missing) => {
                waits.push(WaitingOn::new(WaitKind::NoWorker, missing));
                return waits;
            }
        };
        if waits.is_empty() {
            let room = suited.iter().map(|worker| worker.info.concurrency).sum();
            let workers = suited.iter().map(|worker| self.holding(worker.id, worker.running)).collect();
            let waits_for = WaitingOn::new(WaitKind::Worker, place.callable());
            waits.push(waits_for.holder(WaitHolder::new(workers, Some(room))));
        }
        waits
    }

    /// What a step under this limit waits for, if the limit is used up.
    fn keeps_under(&self, record: &LimitRecord, now: Timestamp) -> Option<WaitingOn> {
        let scope = format!("{} {}", record.limit.scope.word(), record.limit.scope.name());
        let later = record.next_start.filter(|next| record.limit.rate.is_some() && *next > now);
        match record.limit.concurrency {
            Some(0) => Some(WaitingOn::new(WaitKind::Paused, scope)),
            Some(most) if record.held >= most => {
                let workers = record.holders.iter().map(|holder| self.holding(holder.worker, holder.held));
                let holder = WaitHolder::new(workers.collect(), Some(most));
                Some(WaitingOn::new(WaitKind::Limit, scope).holder(holder))
            }
            _ => later.map(|next| WaitingOn::new(WaitKind::Limit, scope).until(Some(next))),
        }
    }

    /// The workers that can run the step, or what it is that none has.
    fn suited(&self, place: Place<'_>) -> Result<Vec<&WorkerRecord>, String> {
        let alive: Vec<_> = self.workers.iter().filter(|worker| worker.alive).collect();
        if alive.is_empty() {
            return Err("any".to_owned());
        }
        let serves = |worker: &&&WorkerRecord| {
            let served = worker.info.namespaces.as_ref();
            served.is_none_or(|served| served.contains(&place.template.namespace))
        };
        let serving: Vec<_> = alive.iter().filter(serves).copied().collect();
        if serving.is_empty() {
            return Err(format!("namespace {}", place.template.namespace));
        }
        // A worker of an earlier version has said neither its environment nor what it has handlers for.
        let runs_there = |worker: &&WorkerRecord| {
            worker.info.callables.is_none() || place.template.runs_in(worker.info.environment.as_deref())
        };
        let there: Vec<_> = serving.into_iter().filter(runs_there).collect();
        if there.is_empty() {
            let environment = place.template.environment.as_ref();
            return Err(environment.map_or("no environment".to_owned(), |name| format!("environment {name}")));
        }
        let (callable, method) = (place.callable(), place.method());
        let may_have = |worker: &&WorkerRecord| worker.info.has_handler(callable, method).unwrap_or(true);
        let suited: Vec<_> = there.into_iter().filter(may_have).collect();
        if suited.is_empty() {
            let method = method.map(|method| format!(".{method}")).unwrap_or_default();
            return Err(format!("callable {callable}{method}"));
        }
        Ok(suited)
    }

    /// A worker with what is known of it.
    fn holding(&self, worker: WorkerId, count: u32) -> HoldingWorker {
        let known = self.workers.iter().find(|known| known.id == worker);
        let host = known.map(|known| known.info.host.clone());
        HoldingWorker::new(worker, host, known.is_some_and(|known| known.alive), count)
    }
}

#[cfg(test)]
mod tests {
    use tasker_store::{FleetLimit, Holder, LimitScope, WorkerInfo};

    use super::*;

    const YAML: &str = "{name: order, namespace_name: billing, version: 1,
        steps: [{name: charge, handler: {callable: 'Pay::Charge', initialization: {url: live}}}],
        environments: {sandbox: {steps: [{name: charge, handler: {initialization: {url: none}}}]}}}";

    fn template() -> TaskTemplate {
        tasker_template::load_str("order.yaml", YAML).unwrap().into_template()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn worker(info: WorkerInfo) -> WorkerRecord {
        WorkerRecord::new(WorkerId::random(), info.concurrency(4), at(0)).running(4)
    }

    fn with_handler() -> WorkerInfo {
        WorkerInfo::here().callables(Some(vec!["Pay::Charge".to_owned()]))
    }

    fn ready() -> StepRecord {
        StepRecord {
            key: 0.into(),
            state: StepState::Ready,
            attempts: 0,
            attempts_before_reset: 0,
            due_at: None,
            rank: Some(5_000_000),
            claimed_at: None,
            worker: None,
        }
    }

    fn told(run: &StepRecord, template: &TaskTemplate, begins: bool, fleet: &Fleet) -> Vec<WaitingOn> {
        of_run(run, Place { template, step: &template.steps[0] }, 0, begins, fleet, at(9))
    }

    #[track_caller]
    fn waits(run: &StepRecord, fleet: &Fleet) -> WaitingOn {
        let mut all = told(run, &template(), false, fleet);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn a_due_step_says_which_worker_is_missing() {
        let missing = |workers: Vec<WorkerRecord>| {
            let waits = waits(&ready(), &Fleet { workers, limits: Vec::new() });
            assert_eq!((waits.kind, waits.since), (WaitKind::NoWorker, Some(at(5))));
            waits.reference
        };
        assert_eq!(missing(Vec::new()), "any");
        assert_eq!(missing(vec![worker(with_handler()).alive(false)]), "any");
        let elsewhere = with_handler().namespaces(Some(vec!["shop".to_owned()]));
        assert_eq!(missing(vec![worker(elsewhere.clone())]), "namespace billing");
        let other = WorkerInfo::here().callables(Some(vec!["Pay::Refund".to_owned()]));
        assert_eq!(missing(vec![worker(other), worker(elsewhere)]), "callable Pay::Charge");
    }

    #[test]
    fn a_due_step_says_which_environment_is_missing() {
        let (none, sandbox) = (template(), template().for_environment("sandbox"));
        let missing = |template: &TaskTemplate, environment: Option<&str>| {
            let workers = vec![worker(with_handler().environment(environment.map(str::to_owned)))];
            let waits = told(&ready(), template, false, &Fleet { workers, limits: Vec::new() }).remove(0);
            (waits.kind == WaitKind::NoWorker).then(|| (waits.reference.clone(), waits.to_string()))
        };
        let (reference, text) = missing(&sandbox, None).unwrap();
        assert_eq!(reference, "environment sandbox");
        assert!(text.contains("none that is alive has environment `sandbox`"), "{text}");
        let (reference, text) = missing(&none, Some("sandbox")).unwrap();
        assert_eq!(reference, "no environment");
        assert!(text.contains("none that is alive is without an environment"), "{text}");
        assert_eq!(missing(&sandbox, Some("sandbox")), None);
        assert_eq!(missing(&none, Some("production")), None);
    }

    #[test]
    fn a_step_that_a_worker_can_run_waits_for_room() {
        let workers = vec![worker(with_handler())];
        let waits = waits(&ready(), &Fleet { workers, limits: Vec::new() });
        assert_eq!((waits.kind, waits.reference.as_str()), (WaitKind::Worker, "Pay::Charge"));
        let text = waits.to_string();
        assert!(
            text.starts_with("waits for a worker that has room for `Pay::Charge` (4 of 4 places"),
            "{text}"
        );
        assert!(text.ends_with(", since 1970-01-01 00:00:05Z"), "{text}");
        // Nobody knows what a worker of an earlier version has.
        let workers = vec![worker(WorkerInfo::here())];
        let may_have = Fleet { workers, limits: Vec::new() };
        assert_eq!(told(&ready(), &template(), false, &may_have)[0].kind, WaitKind::Worker);
    }

    #[test]
    fn a_limit_says_who_uses_it_up() {
        let own = worker(with_handler());
        let holder = Holder { worker: own.id, held: 5, wanted: 6, starved_since: None };
        let scope = LimitScope::Callable("Pay::Charge".to_owned());
        let fleet = |limit: FleetLimit, held| Fleet {
            workers: vec![own.clone()],
            limits: vec![LimitRecord::new(limit, [Holder { held, ..holder }].into_iter())],
        };
        let limit = FleetLimit::new(scope.clone()).concurrency(5);
        let full = waits(&ready(), &fleet(limit.clone(), 5));
        assert_eq!((full.kind, full.reference.as_str()), (WaitKind::Limit, "callable Pay::Charge"));
        assert_eq!(full.holder.as_ref().unwrap().workers[0].worker, own.id);
        let text = full.to_string();
        let expected =
            format!("waits for the limit on callable `Pay::Charge` (5 of 5 in use by worker {}", own.id);
        assert!(text.starts_with(&expected), "{text}");
        assert_eq!(waits(&ready(), &fleet(limit.clone(), 4)).kind, WaitKind::Worker);
        assert_eq!(waits(&ready(), &fleet(limit.concurrency(0), 0)).kind, WaitKind::Paused);
        let mut rate = fleet(FleetLimit::new(scope).rate("1/min".parse().unwrap()), 0);
        assert_eq!(waits(&ready(), &rate).kind, WaitKind::Worker);
        rate.limits[0].next_start = Some(at(60));
        let waits = waits(&ready(), &rate);
        assert_eq!((waits.kind, waits.until), (WaitKind::Limit, Some(at(60))));
    }

    #[test]
    fn a_step_in_process_says_whether_its_worker_is_alive() {
        let mut own = worker(with_handler());
        let run = StepRecord {
            state: StepState::InProgress,
            rank: None,
            claimed_at: Some(at(7)),
            worker: Some(own.id),
            ..ready()
        };
        for alive in [true, false] {
            own.alive = alive;
            let all =
                told(&run, &template(), false, &Fleet { workers: vec![own.clone()], limits: Vec::new() });
            let waits = &all[0];
            let nobody = all.get(1).map(|nobody| (nobody.kind, nobody.reference.as_str()));
            assert_eq!(nobody, (!alive).then_some((WaitKind::NoWorker, "any")));
            assert_eq!((waits.kind, waits.since), (WaitKind::InProcess, Some(at(7))));
            assert_eq!(waits.holder.as_ref().unwrap().workers[0].alive, alive);
            assert_eq!(
                waits.to_string().contains("which is dead; it waits for another to take it over"),
                !alive
            );
        }
    }

    #[test]
    fn a_time_to_come_is_told() {
        let later = StepRecord { due_at: Some(at(60)), ..ready() };
        let begins = told(&later, &template(), true, &Fleet::default());
        assert_eq!(begins[0].to_string(), "begins at 1970-01-01 00:01:00Z");
        let retry = StepRecord { state: StepState::WaitingForRetry, ..later };
        assert_eq!(
            waits(&retry, &Fleet::default()).to_string(),
            "waits for the next attempt of step `charge`, until 1970-01-01 00:01:00Z"
        );
    }
}
