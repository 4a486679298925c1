//! The suite that every store must pass. [`store_conformance!`](crate::store_conformance) makes a
//! test of each function here.
//!
//! Times are given by the suite, and no operation waits for one: nothing here depends on a clock.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking, and its name says what it shows"
)]

mod claims;
mod course;
mod doctor;
mod keeping;
mod limits;
mod operators;
mod runs;
mod workers;

use std::sync::Arc;

use jiff::Timestamp;
use tasker_template::{Graph, StepIndex};

use crate::attempt::{Ending, Finished, FinishedAttempt, Spawned};
use crate::claim::{Claim, ClaimRequest, Claimed};
use crate::error_record::{ErrorKind, ErrorRecord};
use crate::id::{TaskId, TemplateId, WorkerId};
use crate::json::Json;
use crate::state::{AttemptOutcome, TaskState};
use crate::store::Store;
use crate::task::{Created, NewTaskRecord, Origin, TaskRecord};
use crate::template::TemplateRecord;
use crate::worker::WorkerInfo;

pub use claims::*;
pub use course::*;
pub use doctor::*;
pub use keeping::*;
pub use limits::*;
pub use operators::*;
pub use runs::*;
pub use workers::*;

/// Makes a test of every function of the suite. `$make` is an expression that gives a new, empty
/// store as an `Arc<dyn Store>`, and a guard of what must outlive it.
#[macro_export]
macro_rules! store_conformance {
    ($make:expr) => {
        $crate::store_conformance! { @ $make =>
            a_task_starts_with_its_roots,
            a_task_needs_its_template,
            what_is_claimed_is_not_claimed_again,
            claims_come_in_order_of_their_due_time,
            what_is_ready_waits_for_no_clock,
            a_chain_runs_in_one_claim_a_stage,
            a_diamond_converges_once,
            a_completion_claims_no_more_than_its_limit,
            a_completion_takes_other_work_when_asked,
            several_sinks_complete_the_task_together,
            a_stale_answer_changes_nothing,
            a_retry_waits_until_it_is_due,
            a_final_failure_blocks_when_nothing_moves,
            other_branches_go_on_after_a_failure,
            stale_claims_of_several_tasks_are_told_apart,
            what_is_handed_back_does_not_count,
            every_attempt_is_kept,
            inputs_are_the_context_and_the_results,
            lists_are_newest_first_and_paged,
            a_template_is_kept_once,
            a_wide_fan_out_converges,
            a_dead_worker_leaves_its_claims,
            a_worker_that_retires_with_a_claim_leaves_it,
            what_comes_back_later_waits_until_it_is_due,
            a_task_may_begin_later,
            a_step_says_since_when_it_is_ready,
            a_task_of_the_same_identity_is_not_created,
            a_point_of_priority_is_worth_a_minute,
            excluded_steps_are_left_to_others,
            steps_of_other_namespaces_are_left_to_others,
            who_ends_the_attempt_of_another_claims_nothing_in_passing,
            a_cancelled_task_loses_its_claims,
            a_retried_step_has_a_fresh_budget,
            a_task_that_was_given_up_can_be_retried,
            what_is_given_up_says_where_it_was,
            an_investigation_changes_nothing_but_is_recorded,
            a_step_can_be_run_before_its_backoff_ends,
            a_step_completed_by_hand_counts_as_complete,
            a_resolved_step_lets_the_others_go_on,
            a_resolved_step_can_be_given_its_result,
            an_amended_context_is_what_later_attempts_read,
            steps_that_are_left_to_others_are_told,
            what_cannot_be_done_changes_nothing,
            a_step_with_several_runs_is_done_with_the_last_of_them,
            each_of_several_runs_has_its_own_input,
            several_runs_wait_for_all_that_their_step_waits_for,
            a_step_without_runs_is_done_at_once,
            a_claim_of_one_run_is_none_of_another,
            one_of_several_runs_can_fail_and_be_retried,
            one_of_several_runs_can_be_ended_by_hand,
            several_runs_outlive_the_end_of_their_task,
            cancelled_runs_can_be_retried_one_by_one,
            lists_can_be_filtered,
            a_glance_shows_the_states_of_several_tasks,
            old_tasks_are_pruned_with_all_that_is_theirs,
            workers_are_listed_with_what_they_have_claimed,
            the_program_of_a_worker_is_kept_for_as_long_as_its_attempts,
            a_dead_worker_is_listed_while_something_is_claimed_in_its_name,
            limits_are_kept_and_removed,
            permits_are_never_more_than_the_limit,
            who_has_none_is_left_a_part,
            the_permits_of_a_dead_worker_are_free,
            a_lowered_limit_lets_what_runs_end,
            a_limit_that_is_set_again_counts_from_nothing,
            starts_are_spaced_and_granted_once,
            a_paused_scope_uses_no_starts,
            any_history_of_asking_keeps_to_the_limit,
            whatever_is_done_the_store_keeps_its_rules,
            several_runs_keep_to_the_rules,
            there_is_nothing_to_repair_where_nothing_is_wrong,
        }
    };
    (@ $make:expr => $($case:ident,)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                let (store, _guard) = $make;
                $crate::conformance::within_a_minute($crate::conformance::$case(store)).await;
            }
        )*
    };
}

/// Waits for a case, so that a store which never answers fails it.
pub async fn within_a_minute(case: impl Future<Output = ()>) {
    let minute = std::time::Duration::from_secs(60);
    assert!(tokio::time::timeout(minute, case).await.is_ok(), "the store has not answered for a minute");
}

/// The graph of a task in the suite: who waits for whom.
#[derive(Clone, Debug)]
pub struct Shape(Arc<Graph>);

impl Shape {
    #[must_use]
    pub fn new(parents: Vec<Vec<StepIndex>>) -> Self {
        Self(Arc::new(Graph::new(parents)))
    }

    /// create -> (billing, preferences) -> welcome -> activate
    #[must_use]
    pub fn diamond() -> Self {
        Self::new(vec![vec![], vec![0], vec![0], vec![1, 2], vec![3]])
    }

    #[must_use]
    pub fn graph(&self) -> &Arc<Graph> {
        &self.0
    }

    /// The ending of a completed run.
    #[must_use]
    pub fn complete(&self, result: &str) -> Ending {
        Ending::Complete {
            result: Json::from_text(result.to_owned()).unwrap(),
            graph: Arc::clone(&self.0),
            spawned: None,
            writes: Arc::default(),
        }
    }

    /// The ending of a run that asks for several of a step which waits for it, with their numbers as inputs.
    #[must_use]
    pub fn spawn(&self, step: StepIndex, runs: u32) -> Ending {
        let inputs = (1..=runs).map(|number| Json::from_value(&number).unwrap()).collect();
        match self.complete(&runs.to_string()) {
            Ending::Complete { result, graph, writes, .. } => {
                Ending::Complete { result, graph, spawned: Some(Spawned { step, inputs }), writes }
            }
            failed @ Ending::Failed { .. } => failed,
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
pub fn new_task(shape: &Shape, second: i64) -> NewTaskRecord {
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
        graph: Arc::clone(shape.graph()),
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
    ErrorRecord::new(ErrorKind::Retryable, "it broke").with_code("BROKEN")
}

/// A store with one worker and what the cases do over and over.
struct Fixture {
    store: Arc<dyn Store>,
    worker: WorkerId,
}

impl Fixture {
    async fn new(store: Arc<dyn Store>) -> Self {
        let worker = WorkerId::random();
        store.register_worker(worker, WorkerInfo::here(), at(0)).await.unwrap();
        store.put_template(template()).await.unwrap();
        Self { store, worker }
    }

    fn request(&self, limit: usize, second: i64) -> ClaimRequest {
        ClaimRequest {
            worker: self.worker,
            limit,
            any: false,
            now: at(second),
            excluded: Arc::default(),
            namespaces: None,
        }
    }

    async fn create(&self, shape: &Shape, limit: usize) -> (TaskId, Vec<Claim>) {
        let task = new_task(shape, 0);
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
            Finished::Stale => panic!("the claim was revoked"),
        }
    }

    /// Completes a step with its own number as the result.
    async fn complete(
        &self,
        shape: &Shape,
        claim: Claim,
        limit: usize,
        second: i64,
    ) -> (Vec<Claim>, Option<TaskState>) {
        let own = if claim.key.is_only() { claim.key.to_string() } else { format!("\"{}\"", claim.key) };
        let ending = shape.complete(&own);
        Self::recorded(self.finish(claim, ending, limit, second).await)
    }

    async fn task(&self, id: TaskId) -> TaskRecord {
        self.store.task(id).await.unwrap().unwrap()
    }
}

fn steps(claims: &[Claim]) -> Vec<StepIndex> {
    claims.iter().map(|claim| claim.key.step).collect()
}
