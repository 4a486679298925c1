//! `doctor` finds what is wrong with a store, on files and schemas that were damaged by hand, and repairs what it
//! can: then a worker ends the task.

use std::time::Duration;

use serde_json::{Value, json};
use tasker_runtime::doctor::{DoctorOptions, DoctorReport, Finding, FindingKind};
use tasker_runtime::limits::{FleetLimit, LimitScope};
use tasker_runtime::operate::{Operator, RetryScope};
use tasker_runtime::worker::WorkerId;
use tasker_runtime::{Builder, StepContext, StepError, StepResult, StepState, TaskId, TaskState, Tasker};
use tempfile::TempDir;

use crate::postgres::Schema;
use crate::program::{json as printed, tasker, text};
use crate::support::{new_task, on_store};

const STEPS: &str = "a\nb: a | retry: {max_attempts: 3, backoff: none}\nc: b";

/// A store that can be damaged by SQL.
enum Place {
    File(TempDir),
    Schema(Schema),
}

impl Place {
    fn both() -> [Self; 2] {
        [Self::File(tempfile::tempdir().unwrap()), Self::Schema(Schema::new())]
    }

    fn url(&self) -> String {
        match self {
            Self::File(directory) => format!("sqlite://{}", directory.path().join("t.db").display()),
            Self::Schema(schema) => schema.url(),
        }
    }

    /// Runs a statement, in which `{s}` is before the name of a table or an index.
    async fn damage(&self, sql: &str) {
        match self {
            Self::File(directory) => {
                let file = rusqlite::Connection::open(directory.path().join("t.db")).unwrap();
                file.execute_batch(&sql.replace("{s}", "")).unwrap();
            }
            Self::Schema(schema) => schema.execute(&sql.replace("{s}", &format!("{}.", schema.name()))).await,
        }
    }

    /// An id as SQL has it.
    fn id(&self, id: uuid::Uuid) -> String {
        match self {
            Self::File(_) => format!("x'{}'", id.simple()),
            Self::Schema(_) => format!("'{id}'"),
        }
    }

    /// A time long ago as SQL has it.
    fn long_ago(&self) -> &'static str {
        match self {
            Self::File(_) => "1000000",
            Self::Schema(_) => "'2001-02-03T04:05:06Z'",
        }
    }

    /// A worker that has died.
    async fn dead_worker(&self) -> WorkerId {
        let worker = WorkerId::random();
        let id = self.id(worker.0);
        match self {
            Self::File(directory) => {
                let row = "INSERT INTO worker (id, process, started_at) VALUES";
                self.damage(&format!("{row} ({id}, 1, 1)")).await;
                let locks = directory.path().join("t.db-workers");
                std::fs::create_dir_all(&locks).unwrap();
                std::fs::write(locks.join(format!("{worker}.lock")), "").unwrap();
            }
            Self::Schema(_) => {
                let row = "INSERT INTO {s}worker (
                        id, host, process, version, handlers, concurrency, running, lease, started_at, beat_at
                    ) VALUES";
                let times = "interval '1 second', now() - interval '1 hour', now() - interval '1 minute'";
                self.damage(&format!("{row} ({id}, '', 1, '', 0, 0, 0, {times})")).await;
            }
        }
        worker
    }

    /// A task of which `a` is complete, and `b` has failed once and waits for an hour.
    async fn waiting_task(&self) -> TaskId {
        let builder = handlers(on_store(&self.url(), STEPS)).handler_fn("b", |_: StepContext| async {
            StepResult::<()>::Err(
                StepError::retryable("not yet").with_retry_after(Duration::from_secs(3_600)),
            )
        });
        let tasker = builder.build().await.unwrap();
        let mut events = tasker.subscribe();
        let id = tasker.create_task(new_task()).await.unwrap();
        let failed = async { while !format!("{:?}", events.next().await).contains("not yet") {} };
        crate::patience::within("a failed attempt", failed).await;
        tasker.shutdown().await;
        id
    }

    /// A worker for which every step succeeds.
    async fn worker(&self) -> Tasker {
        let builder = handlers(on_store(&self.url(), STEPS));
        builder.handler_fn("b", |_: StepContext| async { StepResult::Ok(2) }).build().await.unwrap()
    }

    async fn doctor(&self, options: DoctorOptions) -> DoctorReport {
        let onlooker = Tasker::builder().only_listed_handlers().without_worker().store_url(self.url());
        let onlooker = onlooker.build().await.unwrap();
        let options = options.complete_tasks().second_look(Duration::from_millis(1));
        let report = onlooker.doctor(&options).await.unwrap();
        onlooker.shutdown().await;
        report
    }
}

fn handlers(builder: Builder) -> Builder {
    builder
        .handler_fn("a", |_: StepContext| async { StepResult::Ok(1) })
        .handler_fn("c", |_: StepContext| async { StepResult::Ok(3) })
}

fn kinds(report: &DoctorReport) -> Vec<FindingKind> {
    report.findings.iter().map(|finding| finding.kind).collect()
}

/// Damages a store that holds a waiting task, and checks what is found. Each is repaired, and then a worker
/// ends the task.
async fn found_and_repaired(damage: &str, expected: &[FindingKind]) {
    for place in Place::both() {
        let id = place.waiting_task().await;
        let before = place.doctor(DoctorOptions::new()).await;
        assert!(before.is_content() && before.findings.is_empty(), "{before:#?}");
        assert_eq!((before.looked_at.tasks, before.looked_at.runs, before.looked_at.attempts), (1, 1, 2));
        place.damage(damage).await;
        let report = place.doctor(DoctorOptions::new()).await;
        assert_eq!(kinds(&report), expected, "{report:#?}");
        assert!(!report.is_content());
        assert!(report.findings.iter().all(|finding| finding.task == Some(id)), "{report:#?}");
        let repaired = place.doctor(DoctorOptions::new().repair()).await;
        assert_eq!(kinds(&repaired), expected, "{repaired:#?}");
        assert!(repaired.findings.iter().all(|finding| finding.repaired), "{repaired:#?}");
        let after = place.doctor(DoctorOptions::new()).await;
        assert!(after.findings.is_empty(), "{after:#?}");
        end(&place, id, true).await;
    }
}

/// A worker ends the task, which says that it was repaired.
async fn end(place: &Place, id: TaskId, is_on_record: bool) {
    let worker = place.worker().await;
    let task = worker.get_task(id).await.unwrap();
    let by_doctor =
        task.actions.iter().filter(|action| (&*action.action, &*action.by) == ("repair", "doctor"));
    assert_eq!(by_doctor.count() > 0, is_on_record, "{task:#?}");
    let operator = Operator::new("test");
    match task.step("b").unwrap().state {
        StepState::WaitingForRetry => drop(worker.retry_now(id, "b", &operator).await.unwrap()),
        // Nothing tells whether a step whose row is lost may be tried again: that is for an operator to say.
        StepState::Error => {
            assert_eq!(task.state, TaskState::BlockedByFailures);
            assert_eq!(task.step("b").unwrap().attempts.len(), 1);
            drop(worker.retry(id, &RetryScope::All, &operator).await.unwrap());
        }
        _ => {}
    }
    let task = crate::patience::within("the end of the task", worker.wait(id)).await.unwrap();
    assert_eq!(task.state, TaskState::Complete);
    let report = worker.doctor(&DoctorOptions::new().complete_tasks()).await.unwrap();
    assert!(report.findings.is_empty(), "{report:#?}");
    worker.shutdown().await;
}

#[tokio::test]
async fn a_step_whose_row_is_gone_is_given_back_as_failed() {
    found_and_repaired("DELETE FROM {s}step", &[FindingKind::RunMissing, FindingKind::NothingMoves]).await;
}

#[tokio::test]
async fn a_run_that_is_in_no_queue_is_queued_again() {
    found_and_repaired("UPDATE {s}step SET rank = NULL", &[FindingKind::RunNotQueued]).await;
}

#[tokio::test]
async fn a_run_that_nobody_has_claimed_is_not_in_progress() {
    let damage = "UPDATE {s}step SET state = 'in_progress', attempts = 2, rank = NULL, due_at = NULL";
    found_and_repaired(damage, &[FindingKind::RunNotQueued]).await;
}

#[tokio::test]
async fn the_state_of_a_task_follows_from_its_runs() {
    let damage = "UPDATE {s}task SET state = 'blocked_by_failures', settled_at = created_at";
    found_and_repaired(damage, &[FindingKind::WrongState]).await;
    let damage = "UPDATE {s}task SET state = 'complete', settled_at = created_at";
    found_and_repaired(damage, &[FindingKind::RunOutOfPlace, FindingKind::WrongState]).await;
}

#[tokio::test]
async fn a_row_of_a_step_that_is_done_is_removed() {
    let expected = [FindingKind::RunMissing, FindingKind::RunOutOfPlace];
    found_and_repaired("UPDATE {s}step SET step = 0", &expected).await;
}

#[tokio::test]
async fn a_counter_of_attempts_follows_from_the_record() {
    found_and_repaired("UPDATE {s}step SET attempts = 0", &[FindingKind::WrongAttempts]).await;
}

/// The claim of a worker that the store does not know is one that no worker takes over.
#[tokio::test]
async fn a_claim_that_no_living_worker_owns_is_ended_as_crashed() {
    for is_known in [false, true] {
        for place in Place::both() {
            let id = place.waiting_task().await;
            let worker = if is_known { place.dead_worker().await } else { WorkerId::random() };
            let (worker_id, claimed_at) = (place.id(worker.0), place.long_ago());
            let claim = format!(
                "UPDATE {{s}}step SET state = 'in_progress', attempts = 2, rank = NULL, due_at = NULL, \
                 worker_id = {worker_id}, claimed_at = {claimed_at}"
            );
            place.damage(&claim).await;
            let kind = if is_known { FindingKind::OrphanedClaim } else { FindingKind::UnknownWorker };
            let report = place.doctor(DoctorOptions::new()).await;
            let is_this = |finding: &Finding| {
                (finding.kind, finding.task, finding.step.as_deref()) == (kind, Some(id), Some("b"))
                    && (finding.worker, finding.since.is_some()) == (Some(worker), true)
            };
            assert!(report.findings.len() == 1 && is_this(&report.findings[0]), "{report:#?}");
            let repaired = place.doctor(DoctorOptions::new().repair()).await;
            assert!(repaired.is_content() && is_this(&repaired.findings[0]), "{repaired:#?}");
            let onlooker = place.worker().await;
            let task = onlooker.get_task(id).await.unwrap();
            let second = &task.step("b").unwrap().attempts[1];
            assert_eq!(second.error.as_ref().and_then(|error| error.code.as_deref()), Some("WORKER_DIED"));
            onlooker.shutdown().await;
            end(&place, id, false).await;
        }
    }
}

/// What a living worker ends in time is no finding.
#[tokio::test]
async fn a_claim_that_a_worker_takes_over_is_no_finding() {
    for place in Place::both() {
        let id = place.waiting_task().await;
        let worker = place.dead_worker().await;
        let (worker_id, claimed_at) = (place.id(worker.0), place.long_ago());
        let living = place.worker().await;
        let claim = format!(
            "UPDATE {{s}}step SET state = 'in_progress', attempts = 2, rank = NULL, due_at = NULL, \
             worker_id = {worker_id}, claimed_at = {claimed_at}"
        );
        place.damage(&claim).await;
        let options = DoctorOptions::new().complete_tasks().second_look(crate::patience::PATIENCE);
        let report = living.doctor(&options).await.unwrap();
        assert!(report.findings.is_empty(), "{report:#?}");
        assert_eq!(
            crate::patience::within("the end", living.wait(id)).await.unwrap().state,
            TaskState::Complete
        );
        living.shutdown().await;
    }
}

/// What is found, and cannot be repaired.
async fn found(damage: &str, expected: FindingKind) -> String {
    let mut told = String::new();
    for place in Place::both() {
        place.waiting_task().await;
        place.damage(damage).await;
        for options in [DoctorOptions::new(), DoctorOptions::new().repair()] {
            let report = place.doctor(options).await;
            assert_eq!(kinds(&report), [expected], "{report:#?}");
            assert!(!report.is_content());
            told = report.findings[0].to_string();
        }
    }
    told
}

#[tokio::test]
async fn an_index_that_is_missing_is_told_with_the_statement_that_makes_it() {
    let told = found("DROP INDEX {s}step_ready", FindingKind::IndexMissing).await;
    assert!(
        told.contains("The index `step_ready` is missing. Create it: `CREATE INDEX step_ready"),
        "{told}"
    );
}

#[tokio::test]
async fn a_template_that_is_missing_or_unreadable_is_told() {
    found("DELETE FROM {s}template", FindingKind::TemplateMissing).await;
    let told = found("UPDATE {s}template SET snapshot = '{}'", FindingKind::TemplateUnreadable).await;
    assert!(told.contains("its text is not the one that its id was made of"), "{told}");
}

#[tokio::test]
async fn records_that_cannot_be_read_are_told() {
    let told = found("UPDATE {s}task SET state = 'odd'", FindingKind::RecordUnreadable).await;
    assert!(told.contains("the state of the task is `odd`"), "{told}");
    let told = found("UPDATE {s}step SET state = 'redy'", FindingKind::RecordUnreadable).await;
    assert!(told.contains("step `b`") && told.contains("redy"), "{told}");
    let told =
        found("UPDATE {s}attempt SET error = '7' WHERE error IS NOT NULL", FindingKind::RecordUnreadable)
            .await;
    assert!(told.contains("the error cannot be read"), "{told}");
    let told = found("UPDATE {s}step SET attempts = -1", FindingKind::RecordUnreadable).await;
    assert!(told.contains("-1"), "{told}");
}

#[tokio::test]
async fn a_value_that_is_never_written_keeps_no_other_task_out_of_a_list() {
    for place in Place::both() {
        place.waiting_task().await;
        place.damage("UPDATE {s}step SET attempts = -1").await;
        // It is the first in the queue, and no other is claimed or recorded the later for it.
        place.damage("UPDATE {s}step SET due_at = NULL, state = 'ready', rank = 1").await;
        let client = handlers(on_store(&place.url(), STEPS)).without_worker().build().await.unwrap();
        let other = client.create_task(new_task()).await.unwrap();
        client.shutdown().await;
        let worker = place.worker().await;
        crate::patience::within("the other task", worker.wait(other)).await.unwrap();
        // Nor does it when somebody has claimed it, dead or alive.
        let dead = place.dead_worker().await;
        let alive = worker.workers().await.unwrap().into_iter().find(|worker| worker.alive).unwrap().id;
        for owner in [alive, dead] {
            let owner = place.id(owner.0);
            let claimed = format!(
                "UPDATE {{s}}step SET state = 'in_progress', rank = NULL, worker_id = {owner}, claimed_at = {}",
                place.long_ago()
            );
            place.damage(&claimed).await;
            let another = worker.create_task(new_task()).await.unwrap();
            crate::patience::within("another task", worker.wait(another)).await.unwrap();
            worker.list(tasker_runtime::TaskFilter::new()).await.unwrap();
            worker.workers().await.unwrap();
        }
        let listed = worker.list(tasker_runtime::TaskFilter::new()).await.unwrap();
        assert_eq!(listed.len(), 4, "{listed:#?}");
        worker.shutdown().await;
    }
}

#[tokio::test]
async fn a_row_that_counts_more_attempts_than_there_are_is_told() {
    let told = found("UPDATE {s}step SET attempts = 2", FindingKind::WrongAttempts).await;
    assert!(told.contains("its row counts 2 attempts, and by the record it is 1"), "{told}");
    assert!(
        told.contains("It cannot be repaired") && told.contains("`task retry` gives it a fresh"),
        "{told}"
    );
}

#[tokio::test]
async fn a_complete_task_without_a_result_of_one_of_its_steps_is_told() {
    for place in Place::both() {
        let worker = place.worker().await;
        let id = worker.create_task(new_task()).await.unwrap();
        crate::patience::within("the task", worker.wait(id)).await.unwrap();
        worker.shutdown().await;
        place.damage("DELETE FROM {s}attempt WHERE step = 0").await;
        let report = place.doctor(DoctorOptions::new().repair()).await;
        assert_eq!(kinds(&report), [FindingKind::WrongAttempts], "{report:#?}");
        let Finding { what, way_out, .. } = &report.findings[0];
        assert!(what.contains("no result of the step is recorded"), "{report:#?}");
        assert!(way_out.contains("harms nothing"), "{report:#?}");
    }
}

/// Without the template, nobody knows whether the step may be tried again.
#[tokio::test]
async fn a_claim_on_a_task_without_a_template_is_left_to_a_worker_that_has_it() {
    for place in Place::both() {
        let id = place.waiting_task().await;
        let dead = place.dead_worker().await;
        place.damage(&format!(
            "UPDATE {{s}}step SET state = 'in_progress', attempts = 2, rank = NULL, due_at = NULL, claimed_at = {}, \
             worker_id = {}",
            place.long_ago(),
            place.id(dead.0),
        ))
        .await;
        place.damage("DELETE FROM {s}template").await;
        let report = place.doctor(DoctorOptions::new().repair()).await;
        assert_eq!(kinds(&report), [FindingKind::TemplateMissing, FindingKind::OrphanedClaim], "{report:#?}");
        assert!(report.findings[1].way_out.contains("A worker that has loaded this version"), "{report:#?}");
        let worker = place.worker().await;
        let task = crate::patience::within("the task", worker.wait(id)).await.unwrap();
        assert_eq!(task.step("b").unwrap().attempts.len(), 3, "{task:#?}");
        worker.shutdown().await;
    }
}

#[tokio::test]
async fn an_attempt_that_is_missing_among_the_others_is_told() {
    let damage = "UPDATE {s}attempt SET attempt = 2 WHERE step = 0";
    let told = found(damage, FindingKind::WrongAttempts).await;
    assert!(told.contains("attempt 1 is not recorded, and later ones are"), "{told}");
}

#[tokio::test]
async fn rows_that_belong_to_nothing_are_deleted() {
    for place in Place::both() {
        place.waiting_task().await;
        place.damage("DELETE FROM {s}task").await;
        let report = place.doctor(DoctorOptions::new()).await;
        assert_eq!(kinds(&report), [FindingKind::LeftOver; 2], "{report:#?}");
        let repaired = place.doctor(DoctorOptions::new().repair()).await;
        assert!(repaired.is_content() && repaired.findings.len() == 2, "{repaired:#?}");
        assert!(place.doctor(DoctorOptions::new()).await.findings.is_empty());
    }
}

#[tokio::test]
async fn permits_that_do_not_count_are_a_note() {
    for place in Place::both() {
        let worker = place.worker().await;
        let scope = LimitScope::Callable("a".to_owned());
        worker.set_limit(FleetLimit::new(scope).concurrency(1)).await.unwrap();
        let (dead, alive) = (place.id(uuid::Uuid::from_u128(9)), worker.describe().worker.unwrap());
        for id in [dead, place.id(alive.0)] {
            let row = "INSERT INTO {s}permit (scope, name, worker_id, held, wanted) VALUES";
            place.damage(&format!("{row} ('callable', 'a', {id}, 5, 5)")).await;
        }
        // Its owner asks for permits meanwhile, and by that gives them back.
        let report = place.doctor(DoctorOptions::new().repair()).await;
        assert!(report.is_content(), "{report:#?}");
        for finding in &report.findings {
            assert!(matches!(finding.kind, FindingKind::DeadPermits | FindingKind::TooManyPermits));
        }
        worker.shutdown().await;
    }
}

#[tokio::test]
async fn the_command_line_tells_and_repairs() {
    for place in Place::both() {
        let id = place.waiting_task().await.to_string();
        let url = place.url();
        let doctor = |more: &[&str]| tasker([&["doctor", "--store", &url], more].concat());
        let output = doctor(&[]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let page = text(&output.stdout);
        let looked = "looked at 1 tasks, 1 open runs, 2 attempts, 0 claims, 1 templates, ";
        assert!(page.contains(looked) && page.ends_with("nothing is wrong\n"), "{page}");
        place.damage("UPDATE {s}step SET rank = NULL").await;
        let output = doctor(&[]);
        assert_eq!(output.status.code(), Some(1));
        let page = text(&output.stdout);
        let line = format!("run_not_queued: task {id}, step `b`, since ");
        assert!(page.contains(&line) && page.contains("`--repair` derives"), "{page}");
        let output = doctor(&["--json"]);
        assert_eq!(output.status.code(), Some(1));
        let report: Value = printed(&output);
        let found = &report["findings"][0];
        assert_eq!((&found["kind"], &found["task"]), (&json!("run_not_queued"), &json!(id)));
        assert_eq!((&found["repaired"], &report["content"]), (&json!(false), &json!(false)));
        let output = doctor(&["--repair"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).ends_with("It has been repaired.\n"), "{}", text(&output.stdout));
        assert_eq!(doctor(&["--complete", "--json"]).status.code(), Some(0));
    }
}

/// What workers are doing at this moment is never taken for a fault.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_found_in_a_store_that_is_busy() {
    for place in Place::both() {
        let handlers = |builder: Builder| {
            handlers(builder).handler_fn("b", |context: StepContext| async move {
                match context.attempt() {
                    1 => StepResult::Err(StepError::retryable("not yet")),
                    _ => StepResult::Ok(2),
                }
            })
        };
        let one = handlers(on_store(&place.url(), STEPS)).build().await.unwrap();
        let other = handlers(on_store(&place.url(), STEPS)).build().await.unwrap();
        let mut tasks = Vec::new();
        for _ in 0..60 {
            tasks.push(one.create_task(new_task()).await.unwrap());
        }
        let looks = async {
            for _ in 0..4 {
                let report = place.doctor(DoctorOptions::new()).await;
                assert!(report.findings.is_empty(), "{report:#?}");
            }
        };
        let ends = async {
            for id in tasks {
                assert_eq!(other.wait(id).await.unwrap().state, TaskState::Complete);
            }
        };
        crate::patience::within("the end of all tasks", async { tokio::join!(looks, ends) }).await;
        one.shutdown().await;
        other.shutdown().await;
    }
}
