//! The suite that every store must pass. [`store_conformance!`](crate::store_conformance) makes a
//! test of each function here.
//!
//! Times are given by the suite, and no operation waits for one: nothing here depends on a clock.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking, and its name says what it shows"
)]

use std::sync::Arc;

use jiff::Timestamp;
use tasker_template::StepIndex;

use crate::id::{TaskId, TemplateId, WorkerId};
use crate::json::Json;
use crate::state::{AttemptOutcome, StepState, TaskState};
use crate::step_error::{ErrorRecord, StepError};
use crate::store::{
    Acted, Action, ActionRequest, Claim, ClaimRequest, Claimed, Created, Dependent, Ending, Finished,
    FinishedAttempt, NewTaskRecord, Origin, PruneRequest, Store, StoreError, TaskFilter, TaskRecord,
    TemplateRecord,
};

/// Makes a test of every function of the suite. `$make` is an expression that gives a new, empty
/// store as an `Arc<dyn Store>`, and a guard of what must outlive it.
#[macro_export]
macro_rules! store_conformance {
    ($make:expr) => {
        $crate::store_conformance! { @ $make =>
            a_task_starts_with_its_first_steps,
            a_task_needs_its_template,
            what_is_claimed_is_not_claimed_again,
            claims_come_in_order_of_their_due_time,
            what_is_ready_waits_for_no_clock,
            a_chain_runs_in_one_claim_a_stage,
            a_diamond_converges_once,
            room_limits_what_a_completion_claims,
            a_completion_takes_other_work_when_asked,
            several_ends_complete_the_task_together,
            a_stale_answer_changes_nothing,
            a_retry_waits_until_it_is_due,
            a_final_failure_blocks_when_nothing_moves,
            other_branches_go_on_after_a_failure,
            what_is_handed_back_does_not_count,
            every_attempt_is_kept,
            inputs_are_the_context_and_the_results,
            lists_are_newest_first_and_paged,
            a_template_is_kept_once,
            a_wide_fan_out_converges,
            a_worker_that_is_gone_leaves_its_claims,
            a_worker_that_retires_with_a_claim_leaves_it,
            what_comes_back_later_waits_until_it_is_due,
            a_task_may_begin_later,
            a_task_of_the_same_identity_is_not_created,
            a_point_of_priority_is_worth_a_minute,
            steps_that_are_passed_stay_for_others,
            a_cancelled_task_loses_its_claims,
            a_retried_step_has_a_fresh_budget,
            a_task_that_was_given_up_can_be_retried,
            a_step_can_be_run_before_its_backoff_ends,
            a_step_completed_by_hand_counts_as_complete,
            a_resolved_step_lets_the_others_go_on,
            what_cannot_be_done_changes_nothing,
            lists_can_be_filtered,
            old_tasks_are_pruned_with_all_that_is_theirs,
        }
    };
    (@ $make:expr => $($case:ident,)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                let (store, _guard) = $make;
                $crate::store::conformance::$case(store).await;
            }
        )*
    };
}

/// A graph for a store: who waits for whom.
#[derive(Clone, Debug)]
pub struct Graph {
    parents: Vec<Vec<StepIndex>>,
}

impl Graph {
    #[must_use]
    pub fn new(parents: Vec<Vec<StepIndex>>) -> Self {
        Self { parents }
    }

    /// create -> (billing, preferences) -> welcome -> activate
    #[must_use]
    pub fn diamond() -> Self {
        Self::new(vec![vec![], vec![0], vec![0], vec![1, 2], vec![3]])
    }

    /// How many steps it has.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "no graph is empty")]
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    #[must_use]
    pub fn starts(&self) -> Vec<StepIndex> {
        (0..).zip(&self.parents).filter(|(_, parents)| parents.is_empty()).map(|(step, _)| step).collect()
    }

    /// The ending of a completed step.
    #[must_use]
    pub fn complete(&self, step: StepIndex, result: &str) -> Ending {
        let dependents: Vec<_> = (0..)
            .zip(&self.parents)
            .filter(|(_, parents)| parents.contains(&step))
            .map(|(step, parents)| Dependent { step, parents: parents.as_slice().into() })
            .collect();
        let has_dependents = |step| self.parents.iter().any(|parents| parents.contains(&step));
        let ends = (0..).zip(&self.parents).map(|(step, _)| step).filter(|step| !has_dependents(*step));
        Ending::Complete {
            result: Json::from_text(result.to_owned()).unwrap(),
            ends: dependents.is_empty().then(|| ends.collect()),
            dependents: dependents.into(),
        }
    }
}

/// A moment of the suite's own time.
#[must_use]
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

#[must_use]
pub fn template() -> TemplateRecord {
    let snapshot = r#"{"name":"t"}"#.to_owned();
    TemplateRecord {
        id: TemplateId::of(&snapshot),
        namespace: "n".to_owned(),
        name: "t".to_owned(),
        version: "1".to_owned(),
        snapshot,
    }
}

#[must_use]
pub fn new_task(graph: &Graph, second: i64) -> NewTaskRecord {
    let id = TaskId::at(at(second));
    NewTaskRecord {
        id,
        run_at: None,
        priority: 0,
        identity: None,
        origin: Origin::default(),
        template: template().id,
        correlation_id: id.0,
        context: Json::from_text(r#"{"k":1}"#.to_owned()).unwrap(),
        created_at: at(second),
        starts: graph.starts(),
    }
}

#[must_use]
pub fn failed(retry_at: Option<Timestamp>) -> Ending {
    Ending::Failed { outcome: AttemptOutcome::Failed, error: error(), retry_at }
}

/// What was claimed with a task that was new.
#[allow(clippy::must_use_candidate, reason = "that it does not panic is worth something already")]
pub fn new(created: Created) -> Claimed {
    match created {
        Created::New(claimed) => claimed,
        Created::Duplicate { id, .. } => panic!("task {id} was there before"),
    }
}

fn error() -> ErrorRecord {
    StepError::retryable("it broke").code("BROKEN").record()
}

/// A store with one worker and what the cases do over and over.
struct Fixture {
    store: Arc<dyn Store>,
    worker: WorkerId,
}

impl Fixture {
    async fn new(store: Arc<dyn Store>) -> Self {
        let worker = WorkerId::random();
        store.register_worker(worker, at(0)).await.unwrap();
        store.put_template(template()).await.unwrap();
        Self { store, worker }
    }

    fn request(&self, limit: usize, second: i64) -> ClaimRequest {
        ClaimRequest { worker: self.worker, limit, any: false, now: at(second), passed: Arc::default() }
    }

    async fn create(&self, graph: &Graph, limit: usize) -> (TaskId, Vec<Claim>) {
        let task = new_task(graph, 0);
        let id = task.id;
        (id, new(self.store.create_task(task, self.request(limit, 0)).await.unwrap()).claims)
    }

    async fn claim(&self, limit: usize, second: i64) -> Claimed {
        self.store.claim(self.request(limit, second)).await.unwrap()
    }

    async fn finish(&self, claim: Claim, ending: Ending, limit: usize, second: i64) -> Finished {
        let attempt =
            FinishedAttempt { claim, started_at: claim.claimed_at, finished_at: at(second), ending };
        self.store.finish(attempt, self.request(limit, second)).await.unwrap()
    }

    #[track_caller]
    fn recorded(finished: Finished) -> (Vec<Claim>, Option<TaskState>) {
        match finished {
            Finished::Recorded { claimed, settled } => (claimed.claims, settled),
            Finished::Stale => panic!("the claim was lost"),
        }
    }

    /// Completes a step with its own number as the result.
    async fn complete(
        &self,
        graph: &Graph,
        claim: Claim,
        limit: usize,
        second: i64,
    ) -> (Vec<Claim>, Option<TaskState>) {
        let ending = graph.complete(claim.step, &claim.step.to_string());
        Self::recorded(self.finish(claim, ending, limit, second).await)
    }

    async fn task(&self, id: TaskId) -> TaskRecord {
        self.store.task(id).await.unwrap().unwrap()
    }
}

fn steps(claims: &[Claim]) -> Vec<StepIndex> {
    claims.iter().map(|claim| claim.step).collect()
}

pub async fn a_task_starts_with_its_first_steps(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![], vec![0], vec![]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    assert_eq!(steps(&claims), [0]);
    assert_eq!((claims[0].task, claims[0].attempt, claims[0].worker), (id, 1, fixture.worker));
    let record = fixture.task(id).await;
    assert_eq!(record.head.state, TaskState::InProgress);
    assert_eq!((record.head.created_at, record.head.settled_at), (at(0), None));
    let states: Vec<_> = record.steps.iter().map(|step| (step.step, step.state, step.attempts)).collect();
    assert_eq!(states, [(0, StepState::InProgress, 1), (2, StepState::Ready, 0)]);
}

pub async fn a_task_needs_its_template(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let mut task = new_task(&Graph::diamond(), 0);
    task.template = TemplateId::of("another");
    let id = task.id;
    let error = fixture.store.create_task(task, fixture.request(1, 0)).await.unwrap_err();
    assert!(matches!(error, StoreError::NoTemplate(_)), "{error}");
    assert!(fixture.store.task(id).await.unwrap().is_none());
    assert!(fixture.claim(10, 9).await.claims.is_empty());
}

pub async fn what_is_claimed_is_not_claimed_again(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    fixture.create(&Graph::new(vec![vec![], vec![], vec![]]), 0).await;
    let first = fixture.claim(2, 0).await;
    assert_eq!((first.claims.len(), first.more), (2, true));
    let second = fixture.claim(2, 0).await;
    assert_eq!((second.claims.len(), second.more), (1, false));
    assert!(fixture.claim(2, 0).await.claims.is_empty());
}

pub async fn claims_come_in_order_of_their_due_time(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![]]);
    let mut ids = Vec::new();
    for second in [30, 10, 20] {
        let task = NewTaskRecord { run_at: Some(at(second)), ..new_task(&graph, 0) };
        ids.push(task.id);
        fixture.store.create_task(task, fixture.request(0, 0)).await.unwrap();
    }
    let claimed = fixture.claim(5, 20).await;
    let tasks: Vec<_> = claimed.claims.iter().map(|claim| claim.task).collect();
    assert_eq!(tasks, [ids[1], ids[2]]);
    assert_eq!(claimed.next_due, Some(at(30)));
}

pub async fn what_is_ready_waits_for_no_clock(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let (_, none) = fixture.create(&Graph::diamond(), 0).await;
    assert!(none.is_empty());
    // The clock has been set back.
    assert_eq!(steps(&fixture.claim(5, -3_600).await.claims), [0]);
}

pub async fn a_chain_runs_in_one_claim_a_stage(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![], vec![0], vec![1]]);
    let (id, mut claims) = fixture.create(&graph, 1).await;
    for step in 0..3 {
        assert_eq!(steps(&claims), [step]);
        let (next, settled) = fixture.complete(&graph, claims[0], 1, i64::from(step) + 1).await;
        assert_eq!(settled, (step == 2).then_some(TaskState::Complete));
        claims = next;
    }
    assert!(claims.is_empty());
    let record = fixture.task(id).await;
    assert_eq!((record.head.state, record.head.settled_at), (TaskState::Complete, Some(at(3))));
    assert!(record.steps.is_empty());
}

pub async fn a_diamond_converges_once(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::diamond();
    let (_, claims) = fixture.create(&graph, 1).await;
    let (branches, _) = fixture.complete(&graph, claims[0], 2, 1).await;
    assert_eq!(steps(&branches), [1, 2]);
    let (none, _) = fixture.complete(&graph, branches[1], 2, 2).await;
    assert!(none.is_empty());
    let (join, _) = fixture.complete(&graph, branches[0], 2, 3).await;
    assert_eq!(steps(&join), [3]);
    let (last, _) = fixture.complete(&graph, join[0], 2, 4).await;
    let (none, settled) = fixture.complete(&graph, last[0], 2, 5).await;
    assert_eq!((none.len(), settled), (0, Some(TaskState::Complete)));
}

pub async fn room_limits_what_a_completion_claims(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![], vec![0], vec![0], vec![0]]);
    let (_, claims) = fixture.create(&graph, 1).await;
    let ending = graph.complete(0, "0");
    let Finished::Recorded { claimed, .. } = fixture.finish(claims[0], ending, 2, 1).await else { panic!() };
    assert_eq!((steps(&claimed.claims), claimed.more), (vec![1, 2], true));
    assert_eq!(steps(&fixture.claim(9, 1).await.claims), [3]);
}

pub async fn a_completion_takes_other_work_when_asked(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![], vec![0]]);
    let (first, claims) = fixture.create(&graph, 1).await;
    let (second, _) = fixture.create(&graph, 0).await;
    let request = ClaimRequest { any: true, ..fixture.request(2, 1) };
    let ending = graph.complete(0, "0");
    let attempt = FinishedAttempt { claim: claims[0], started_at: at(0), finished_at: at(1), ending };
    let (claims, _) = Fixture::recorded(fixture.store.finish(attempt, request).await.unwrap());
    let taken: Vec<_> = claims.iter().map(|claim| (claim.task, claim.step)).collect();
    assert_eq!(taken, [(first, 1), (second, 0)]);
}

pub async fn several_ends_complete_the_task_together(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![], vec![], vec![]]);
    let (id, claims) = fixture.create(&graph, 3).await;
    for (index, claim) in claims.iter().enumerate() {
        let (_, settled) = fixture.complete(&graph, *claim, 0, 1).await;
        assert_eq!(settled, (index == 2).then_some(TaskState::Complete));
    }
    assert!(fixture.task(id).await.steps.is_empty());
}

pub async fn a_stale_answer_changes_nothing(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![], vec![0]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    let claim = claims[0];
    for stale in [
        Claim { attempt: 2, ..claim },
        Claim { worker: WorkerId::random(), ..claim },
        Claim { step: 1, ..claim },
        Claim { task: TaskId::random(), ..claim },
    ] {
        let finished = fixture.finish(stale, graph.complete(stale.step, "9"), 1, 1).await;
        assert!(matches!(finished, Finished::Stale), "{stale:?}");
    }
    fixture.complete(&graph, claim, 0, 1).await;
    let again = fixture.finish(claim, graph.complete(0, "9"), 1, 2).await;
    assert!(matches!(again, Finished::Stale));
    let record = fixture.task(id).await;
    let results: Vec<_> =
        record.attempts.iter().map(|attempt| attempt.result.as_ref().unwrap().get()).collect();
    assert_eq!(results, ["0"]);
}

pub async fn a_retry_waits_until_it_is_due(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    let finished = fixture.finish(claims[0], failed(Some(at(10))), 1, 1).await;
    assert_eq!(Fixture::recorded(finished), (vec![], None));
    let step = &fixture.task(id).await.steps[0];
    assert_eq!((step.state, step.attempts, step.due_at), (StepState::WaitingForRetry, 1, Some(at(10))));
    let early = fixture.claim(1, 9).await;
    assert_eq!((early.claims.len(), early.next_due), (0, Some(at(10))));
    let due = fixture.claim(1, 10).await;
    assert_eq!((due.claims[0].attempt, due.next_due), (2, None));
    let (_, settled) = fixture.complete(&graph, due.claims[0], 0, 11).await;
    assert_eq!(settled, Some(TaskState::Complete));
}

pub async fn a_final_failure_blocks_when_nothing_moves(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::diamond();
    let (id, claims) = fixture.create(&graph, 1).await;
    let finished = fixture.finish(claims[0], failed(None), 1, 1).await;
    assert_eq!(Fixture::recorded(finished), (vec![], Some(TaskState::BlockedByFailures)));
    let record = fixture.task(id).await;
    assert_eq!((record.head.state, record.head.settled_at), (TaskState::BlockedByFailures, Some(at(1))));
    assert_eq!((record.steps.len(), record.steps[0].state), (1, StepState::Error));
}

pub async fn other_branches_go_on_after_a_failure(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    // 0 -> 1 -> 3, and 2 beside it, which waits for a retry in between.
    let graph = Graph::new(vec![vec![], vec![0], vec![0], vec![1]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    let (branches, _) = fixture.complete(&graph, claims[0], 2, 1).await;
    let finished = fixture.finish(branches[0], failed(None), 1, 2).await;
    assert_eq!(Fixture::recorded(finished), (vec![], None));
    let finished = fixture.finish(branches[1], failed(Some(at(5))), 1, 3).await;
    assert_eq!(Fixture::recorded(finished), (vec![], None));
    assert_eq!(fixture.task(id).await.head.state, TaskState::InProgress);
    let retry = fixture.claim(1, 5).await.claims[0];
    let (none, settled) = fixture.complete(&graph, retry, 1, 6).await;
    assert_eq!((none.len(), settled), (0, Some(TaskState::BlockedByFailures)));
}

pub async fn what_is_handed_back_does_not_count(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    let stale = Claim { attempt: 7, ..claims[0] };
    fixture.store.release(vec![stale, claims[0]], None, at(1)).await.unwrap();
    let step = &fixture.task(id).await.steps[0];
    assert_eq!((step.state, step.attempts), (StepState::Ready, 0));
    let late = fixture.finish(claims[0], graph.complete(0, "0"), 0, 2).await;
    assert!(matches!(late, Finished::Stale));
    let again = fixture.claim(1, 2).await.claims;
    assert_eq!(again[0].attempt, 1);
    fixture.complete(&graph, again[0], 0, 3).await;
    assert_eq!(fixture.task(id).await.attempts.len(), 1);
}

pub async fn every_attempt_is_kept(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    fixture.finish(claims[0], failed(Some(at(1))), 0, 1).await;
    let second = fixture.claim(1, 1).await.claims[0];
    let timed_out =
        Ending::Failed { outcome: AttemptOutcome::TimedOut, error: error(), retry_at: Some(at(2)) };
    fixture.finish(second, timed_out, 0, 2).await;
    let third = fixture.claim(1, 2).await.claims[0];
    fixture.complete(&graph, third, 0, 4).await;
    let attempts = fixture.task(id).await.attempts;
    let kept: Vec<_> = attempts
        .iter()
        .map(|one| (one.attempt, one.outcome, one.started_at, one.finished_at, one.result.is_some()))
        .collect();
    assert_eq!(
        kept,
        [
            (1, AttemptOutcome::Failed, at(0), at(1), false),
            (2, AttemptOutcome::TimedOut, at(1), at(2), false),
            (3, AttemptOutcome::Complete, at(2), at(4), true),
        ]
    );
    assert_eq!((attempts[0].error.as_ref(), attempts[0].worker), (Some(&error()), fixture.worker));
}

pub async fn inputs_are_the_context_and_the_results(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![], vec![0], vec![1]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    let (next, _) = fixture.complete(&graph, claims[0], 1, 1).await;
    fixture.complete(&graph, next[0], 0, 2).await;
    let inputs = fixture.store.inputs(id, &[1, 2, 0]).await.unwrap().unwrap();
    assert_eq!((inputs.context.get(), inputs.correlation_id), (r#"{"k":1}"#, id.0));
    let results: Vec<_> = inputs.results.iter().map(|result| result.as_ref().map(Json::get)).collect();
    assert_eq!(results, [Some("1"), None, Some("0")]);
    assert!(fixture.store.inputs(TaskId::random(), &[]).await.unwrap().is_none());
}

pub async fn lists_are_newest_first_and_paged(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![]]);
    let mut ids = Vec::new();
    for _ in 0..5 {
        let (id, claims) = fixture.create(&graph, 1).await;
        ids.push(id);
        match ids.len() {
            1 => drop(fixture.complete(&graph, claims[0], 0, 1).await),
            2 => drop(fixture.finish(claims[0], failed(None), 0, 1).await),
            _ => {}
        }
    }
    let list = async |filter| {
        let heads = fixture.store.tasks(filter).await.unwrap();
        heads.iter().map(|head| head.id).collect::<Vec<_>>()
    };
    let all = TaskFilter { limit: 2, ..TaskFilter::default() };
    assert_eq!(list(all.clone()).await, [ids[4], ids[3]]);
    assert_eq!(list(TaskFilter { before: Some(ids[3]), ..all.clone() }).await, [ids[2], ids[1]]);
    for (state, expected) in [
        (TaskState::Complete, vec![ids[0]]),
        (TaskState::BlockedByFailures, vec![ids[1]]),
        (TaskState::InProgress, vec![ids[4], ids[3], ids[2]]),
    ] {
        assert_eq!(list(TaskFilter { states: vec![state], ..TaskFilter::default() }).await, expected);
    }
}

pub async fn a_template_is_kept_once(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    fixture.store.put_template(template()).await.unwrap();
    let kept = fixture.store.template(template().id).await.unwrap().unwrap();
    assert_eq!(*kept, template());
    assert!(fixture.store.template(TemplateId::of("another")).await.unwrap().is_none());
}

pub async fn a_wide_fan_out_converges(store: Arc<dyn Store>) {
    const WIDTH: u32 = 200;
    let fixture = Fixture::new(store).await;
    let mut parents = vec![vec![]];
    parents.extend((0..WIDTH).map(|_| vec![0]));
    parents.push((1..=WIDTH).collect());
    let graph = Graph::new(parents);
    let (_, claims) = fixture.create(&graph, 1).await;
    let (branches, _) = fixture.complete(&graph, claims[0], 300, 1).await;
    assert_eq!(branches.len(), WIDTH as usize);
    let mut join = Vec::new();
    for branch in branches {
        assert!(join.is_empty());
        (join, _) = fixture.complete(&graph, branch, 1, 2).await;
    }
    assert_eq!(steps(&join), [WIDTH + 1]);
    let (_, settled) = fixture.complete(&graph, join[0], 1, 3).await;
    assert_eq!(settled, Some(TaskState::Complete));
}

pub async fn a_worker_that_is_gone_leaves_its_claims(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let other = WorkerId::random();
    fixture.store.register_worker(other, at(0)).await.unwrap();
    let (_, claims) = fixture.create(&Graph::new(vec![vec![], vec![]]), 2).await;
    assert!(fixture.store.abandoned().await.unwrap().is_empty());
    fixture.store.worker_gone(fixture.worker);
    let mut abandoned = fixture.store.abandoned().await.unwrap();
    abandoned.sort_by_key(|claim| claim.step);
    assert_eq!(abandoned, claims);
    for claim in claims {
        fixture.finish(claim, failed(None), 0, 1).await;
    }
    assert!(fixture.store.abandoned().await.unwrap().is_empty());
}

pub async fn a_worker_that_retires_with_a_claim_leaves_it(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let (_, claims) = fixture.create(&Graph::new(vec![vec![]]), 1).await;
    fixture.store.retire_worker(fixture.worker).await.unwrap();
    assert_eq!(fixture.store.abandoned().await.unwrap(), claims);
    fixture.store.release(claims, None, at(1)).await.unwrap();
    assert!(fixture.store.abandoned().await.unwrap().is_empty());
}

pub async fn what_comes_back_later_waits_until_it_is_due(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let (id, claims) = fixture.create(&Graph::diamond(), 1).await;
    fixture.store.release(claims, Some(at(5)), at(1)).await.unwrap();
    let early = fixture.claim(1, 4).await;
    assert_eq!((early.claims.len(), early.next_due), (0, Some(at(5))));
    let step = &fixture.task(id).await.steps[0];
    assert_eq!((step.state, step.attempts, step.due_at), (StepState::Ready, 0, Some(at(5))));
    assert_eq!(fixture.claim(1, 5).await.claims[0].attempt, 1);
}

pub async fn a_task_may_begin_later(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let task = NewTaskRecord { run_at: Some(at(60)), ..new_task(&Graph::diamond(), 0) };
    let claimed = new(fixture.store.create_task(task, fixture.request(5, 0)).await.unwrap());
    assert!(claimed.claims.is_empty() && !claimed.more);
    assert_eq!(fixture.claim(5, 59).await.next_due, Some(at(60)));
    assert_eq!(steps(&fixture.claim(5, 60).await.claims), [0]);
}

pub async fn a_task_of_the_same_identity_is_not_created(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let task = |number: u8| NewTaskRecord { identity: Some([number; 32]), ..new_task(&Graph::diamond(), 0) };
    let first = task(1);
    let id = first.id;
    new(fixture.store.create_task(first, fixture.request(0, 0)).await.unwrap());
    let second = task(1);
    let refused = second.id;
    let created = fixture.store.create_task(second, fixture.request(5, 0)).await.unwrap();
    assert!(matches!(created, Created::Duplicate { id: existing, .. } if existing == id));
    assert!(fixture.store.task(refused).await.unwrap().is_none());
    new(fixture.store.create_task(task(2), fixture.request(0, 0)).await.unwrap());
    assert_eq!(fixture.claim(9, 0).await.claims.len(), 2);
}

pub async fn a_point_of_priority_is_worth_a_minute(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let mut ids = Vec::new();
    for (second, priority) in [(0, 0), (100, 1), (100, 2), (100, -3)] {
        let task = NewTaskRecord { priority, ..new_task(&Graph::new(vec![vec![]]), second) };
        ids.push(task.id);
        fixture.store.create_task(task, fixture.request(0, second)).await.unwrap();
    }
    let claims = fixture.claim(9, 100).await.claims;
    let order: Vec<_> = claims.iter().map(|claim| claim.task).collect();
    // The first has waited for 100 s, which is more than one point and less than two.
    assert_eq!(order, [ids[2], ids[0], ids[1], ids[3]]);
}

pub async fn steps_that_are_passed_stay_for_others(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![], vec![], vec![0], vec![0]]);
    let (_, claims) = fixture.create(&graph, 1).await;
    let passed = Arc::new([(template().id, 1), (template().id, 2)].into());
    let picky = ClaimRequest { passed, any: true, ..fixture.request(9, 1) };
    let attempt = FinishedAttempt {
        claim: claims[0],
        started_at: at(0),
        finished_at: at(1),
        ending: graph.complete(0, "0"),
    };
    let finished = fixture.store.finish(attempt, picky.clone()).await.unwrap();
    assert_eq!(steps(&Fixture::recorded(finished).0), [3]);
    let claimed = fixture.store.claim(picky).await.unwrap();
    assert_eq!((claimed.claims.len(), claimed.more), (0, false));
    assert_eq!(steps(&fixture.claim(9, 1).await.claims), [1, 2]);
}

impl Fixture {
    async fn act(&self, task: TaskId, action: Action, second: i64) -> Acted {
        let (by, reason) = ("ada".to_owned(), "a test".to_owned());
        self.store.act(ActionRequest { task, action, by, reason, at: at(second) }).await.unwrap()
    }

    async fn done(&self, task: TaskId, action: Action, second: i64) -> (TaskState, Vec<Claim>) {
        match self.act(task, action, second).await {
            Acted::Done { state, lost } => (state, lost),
            other => panic!("{other:?}"),
        }
    }
}

fn by_hand(graph: &Graph, step: StepIndex, result: Option<&str>) -> Action {
    let Ending::Complete { result: made, dependents, ends } = graph.complete(step, result.unwrap_or("0"))
    else {
        unreachable!()
    };
    match result {
        Some(_) => Action::Complete { step, result: made, dependents, ends },
        None => Action::Resolve { step, dependents, ends },
    }
}

pub async fn a_cancelled_task_loses_its_claims(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![], vec![], vec![0]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    assert!(fixture.store.lost(claims.clone()).await.unwrap().is_empty());
    assert_eq!(fixture.done(id, Action::Cancel, 3).await, (TaskState::Cancelled, claims.clone()));
    assert_eq!(fixture.store.lost(claims.clone()).await.unwrap(), claims);
    assert!(matches!(fixture.finish(claims[0], graph.complete(0, "0"), 9, 4).await, Finished::Stale));
    assert!(fixture.claim(9, 9).await.claims.is_empty());
    let record = fixture.task(id).await;
    assert_eq!((record.head.state, record.head.settled_at), (TaskState::Cancelled, Some(at(3))));
    assert!(record.steps.is_empty());
    let ended = &record.attempts[0];
    assert_eq!((ended.attempt, ended.outcome), (1, AttemptOutcome::Cancelled));
    let action = &record.actions[0];
    assert_eq!((action.action.as_str(), action.by.as_str(), action.at), ("cancel", "ada", at(3)));
}

pub async fn a_retried_step_has_a_fresh_budget(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![], vec![0]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    fixture.finish(claims[0], failed(None), 1, 1).await;
    let (state, lost) = fixture.done(id, Action::Retry { steps: vec![(0, 1)] }, 2).await;
    assert_eq!((state, lost.len()), (TaskState::InProgress, 0));
    assert_eq!(fixture.task(id).await.head.settled_at, None);
    let claims = fixture.claim(1, 2).await.claims;
    assert_eq!((claims[0].attempt, claims[0].forgiven), (2, 1));
    let (next, _) = fixture.complete(&graph, claims[0], 1, 3).await;
    let (_, settled) = fixture.complete(&graph, next[0], 1, 4).await;
    assert_eq!(settled, Some(TaskState::Complete));
}

pub async fn a_task_that_was_given_up_can_be_retried(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![], vec![0]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    assert_eq!(fixture.done(id, Action::GiveUp, 1).await.0, TaskState::Error);
    fixture.done(id, Action::Retry { steps: vec![(0, 1)] }, 2).await;
    let again = fixture.claim(1, 2).await.claims;
    assert_eq!((again[0].attempt, again[0].forgiven), (2, 1));
    assert!(matches!(fixture.finish(claims[0], graph.complete(0, "9"), 1, 3).await, Finished::Stale));
    let (next, _) = fixture.complete(&graph, again[0], 1, 3).await;
    assert_eq!(fixture.complete(&graph, next[0], 1, 4).await.1, Some(TaskState::Complete));
}

pub async fn a_step_can_be_run_before_its_backoff_ends(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let (id, claims) = fixture.create(&Graph::diamond(), 1).await;
    fixture.finish(claims[0], failed(Some(at(3_600))), 1, 1).await;
    fixture.done(id, Action::RetryNow { step: 0 }, 2).await;
    let claimed = fixture.claim(1, 2).await;
    assert_eq!((claimed.claims[0].attempt, claimed.claims[0].forgiven), (2, 0));
    assert_eq!(claimed.next_due, None);
}

pub async fn a_step_completed_by_hand_counts_as_complete(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![], vec![], vec![0, 1]]);
    let (id, claims) = fixture.create(&graph, 2).await;
    fixture.finish(claims[0], failed(None), 0, 1).await;
    fixture.done(id, by_hand(&graph, 0, Some("7")), 2).await;
    // The other is running: its claim is lost, and recorded as such.
    let (state, lost) = fixture.done(id, by_hand(&graph, 1, Some("8")), 3).await;
    assert_eq!((state, lost), (TaskState::InProgress, vec![claims[1]]));
    let inputs = fixture.store.inputs(id, &[0, 1]).await.unwrap().unwrap();
    let results: Vec<_> = inputs.results.iter().map(|result| result.as_ref().unwrap().get()).collect();
    assert_eq!(results, ["7", "8"]);
    let join = fixture.claim(9, 3).await.claims;
    assert_eq!(steps(&join), [2]);
    assert_eq!(fixture.complete(&graph, join[0], 1, 4).await.1, Some(TaskState::Complete));
    let outcomes: Vec<_> =
        fixture.task(id).await.attempts.iter().map(|one| (one.step, one.attempt, one.outcome)).collect();
    use AttemptOutcome::{Cancelled, Complete, CompletedManually, Failed};
    let expected = [
        (0, 0, CompletedManually),
        (0, 1, Failed),
        (1, 0, CompletedManually),
        (1, 1, Cancelled),
        (2, 1, Complete),
    ];
    assert_eq!(outcomes, expected);
}

pub async fn a_resolved_step_lets_the_others_go_on(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![], vec![0]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    fixture.finish(claims[0], failed(None), 0, 1).await;
    assert_eq!(fixture.done(id, by_hand(&graph, 0, None), 2).await.0, TaskState::InProgress);
    let next = fixture.claim(1, 2).await.claims;
    assert_eq!(steps(&next), [1]);
    assert_eq!(fixture.store.inputs(id, &[0]).await.unwrap().unwrap().results, [None]);
    // The last step of all can be ended by hand as well.
    let (state, _) = fixture.done(id, by_hand(&graph, 1, None), 3).await;
    assert_eq!(state, TaskState::Complete);
}

pub async fn what_cannot_be_done_changes_nothing(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![], vec![0]]);
    let (id, claims) = fixture.create(&graph, 1).await;
    let refused = |acted: &Acted| matches!(acted, Acted::Refused(_));
    let before = format!("{:?}", fixture.task(id).await);
    for action in [
        Action::Retry { steps: vec![(0, 0)] },
        Action::RetryNow { step: 0 },
        by_hand(&graph, 1, Some("1")),
        by_hand(&graph, 1, None),
    ] {
        assert!(refused(&fixture.act(id, action.clone(), 1).await), "{action:?}");
    }
    assert_eq!(before, format!("{:?}", fixture.task(id).await));
    assert_eq!(fixture.act(TaskId::random(), Action::Cancel, 1).await, Acted::NoTask);
    let (next, _) = fixture.complete(&graph, claims[0], 1, 2).await;
    fixture.complete(&graph, next[0], 1, 3).await;
    for action in [Action::Cancel, Action::GiveUp, Action::Retry { steps: vec![(1, 1)] }] {
        assert!(refused(&fixture.act(id, action, 4).await));
    }
    assert!(fixture.task(id).await.actions.is_empty());
}

pub async fn lists_can_be_filtered(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let tags = |tags: &[&str]| Origin {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        initiator: Some("ada".to_owned()),
        ..Origin::default()
    };
    let mut ids = Vec::new();
    for origin in [tags(&["red"]), tags(&["red", "blue"]), Origin::default()] {
        let task = NewTaskRecord { origin, ..new_task(&Graph::diamond(), 0) };
        ids.push(task.id);
        fixture.store.create_task(task, fixture.request(0, 0)).await.unwrap();
    }
    let list = async |filter: TaskFilter| {
        let heads = fixture.store.tasks(filter).await.unwrap();
        heads.iter().map(|head| head.id).collect::<Vec<_>>()
    };
    let all = TaskFilter::default;
    assert_eq!(list(TaskFilter { tag: Some("red".to_owned()), ..all() }).await, [ids[1], ids[0]]);
    assert_eq!(list(TaskFilter { tag: Some("blue".to_owned()), ..all() }).await, [ids[1]]);
    assert_eq!(list(TaskFilter { correlation_id: Some(ids[2].0), ..all() }).await, [ids[2]]);
    let named = |namespace: &str, name: &str| TaskFilter {
        namespace: Some(namespace.to_owned()),
        name: Some(name.to_owned()),
        ..all()
    };
    assert_eq!(list(named("n", "t")).await.len(), 3);
    assert!(list(named("n", "other")).await.is_empty() && list(named("other", "t")).await.is_empty());
    let states = vec![TaskState::Complete, TaskState::InProgress];
    assert_eq!(list(TaskFilter { states, limit: 2, ..all() }).await, [ids[2], ids[1]]);
    assert_eq!(fixture.task(ids[1]).await.head.origin, tags(&["red", "blue"]));
}

pub async fn old_tasks_are_pruned_with_all_that_is_theirs(store: Arc<dyn Store>) {
    let fixture = Fixture::new(store).await;
    let graph = Graph::new(vec![vec![]]);
    let identity = Some([3; 32]);
    let mut ids = Vec::new();
    for second in 0..4 {
        let identity = identity.filter(|_| second == 0);
        let task = NewTaskRecord { identity, ..new_task(&graph, second) };
        ids.push(task.id);
        let claimed = new(fixture.store.create_task(task, fixture.request(1, second)).await.unwrap());
        match second {
            3 => fixture.finish(claimed.claims[0], failed(None), 0, second).await,
            _ => fixture.finish(claimed.claims[0], graph.complete(0, "0"), 0, second).await,
        };
    }
    let prune = |limit, second| PruneRequest {
        states: vec![TaskState::Complete, TaskState::Cancelled, TaskState::BlockedByFailures],
        settled_before: at(second),
        limit,
    };
    assert_eq!(fixture.store.prune(prune(1, 2)).await.unwrap(), 1);
    assert_eq!(fixture.store.prune(prune(9, 2)).await.unwrap(), 1);
    assert_eq!(fixture.store.prune(prune(9, 2)).await.unwrap(), 0);
    assert!(fixture.store.task(ids[0]).await.unwrap().is_none());
    assert_eq!(fixture.task(ids[2]).await.attempts.len(), 1);
    // Blocked is not over.
    assert_eq!(fixture.store.prune(prune(9, 99)).await.unwrap(), 1);
    assert_eq!(fixture.task(ids[3]).await.head.state, TaskState::BlockedByFailures);
    // What was pruned does not keep its like from being created.
    let task = NewTaskRecord { identity, ..new_task(&graph, 5) };
    new(fixture.store.create_task(task, fixture.request(0, 5)).await.unwrap());
}
