//! Real processes, really killed: nothing that was recorded is lost, changed, or done again.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;
use tasker_runtime::doctor::{DoctorOptions, Finding, FindingKind};
use tasker_runtime::{StepState, Task, TaskFilter, TaskState, Tasker};
use tempfile::TempDir;

use crate::patience::{PATIENCE, output_of};
use crate::program::{example, json};

const ROUNDS: usize = 50;
/// Rounds at a time; they mostly wait for the services.
const AT_A_TIME: usize = 8;
/// What one of the four stages takes.
const LATENCY_MS: u64 = 60;

/// All tasks of a store, as an onlooker sees them. `doctor` finds nothing wrong with it.
fn tasks(path: &Path, is_over: bool) -> Vec<Task> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let onlooker = Tasker::builder()
            .only_listed_handlers()
            .without_worker()
            .store_url(format!("sqlite://{}", path.display()))
            .build()
            .await
            .unwrap();
        let mut tasks = Vec::new();
        for head in onlooker.list(TaskFilter::new().limit(100)).await.unwrap() {
            tasks.push(onlooker.get_task(head.id).await.unwrap());
        }
        let report = onlooker.doctor(&DoctorOptions::new().complete_tasks()).await.unwrap();
        let is_fault = |finding: &Finding| {
            // The claims of a worker that was killed are left for the next one to end.
            finding.is_fault() && (is_over || finding.kind != FindingKind::OrphanedClaim)
        };
        assert!(!report.findings.iter().any(is_fault), "{report:#?}");
        tasks
    })
}

/// Each recorded attempt of each step, with its result.
fn recorded(task: &Task) -> BTreeMap<(String, u32), String> {
    let attempts = task.steps.iter().flat_map(|step| {
        step.attempts.iter().map(|attempt| {
            let result = (step.state == StepState::Complete).then(|| step.result.as_ref().unwrap().get());
            ((step.name.clone(), attempt.attempt), format!("{attempt:?} {result:?}"))
        })
    });
    attempts.collect()
}

fn run(path: &Path) -> std::process::Command {
    let mut command = example();
    command.args(["--latency", &LATENCY_MS.to_string(), "--time-scale", "0.01", "--db"]).arg(path);
    command
}

/// Where a run is killed: so long after so many lines of its progress.
#[derive(Clone, Copy, Debug)]
struct Moment {
    lines: usize,
    delay: Duration,
}

impl Moment {
    /// Any moment of the run. A run prints ten lines: a begin and an end of each step.
    fn random() -> Self {
        Self {
            lines: fastrand::usize(0..10),
            delay: Duration::from_micros(fastrand::u64(0..LATENCY_MS * 1_000)),
        }
    }
}

/// Starts the example, kills it, and starts it again. Whether it had begun.
fn round(path: &Path, moment: Moment) -> bool {
    let mut first = run(path).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let progress = BufReader::new(first.stdout.take().unwrap());
    let (sender, told) = channel();
    std::thread::spawn(move || {
        progress.lines().take(moment.lines).for_each(|line| {
            line.unwrap();
            sender.send(()).unwrap();
        });
    });
    loop {
        match told.recv_timeout(PATIENCE) {
            Ok(()) => {}
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("a run neither goes on nor ends"),
        }
    }
    // The moment of the kill is the input of this test, not something that it waits for.
    std::thread::park_timeout(moment.delay);
    first.kill().unwrap();
    first.wait().unwrap();
    let before = if path.exists() { tasks(path, false) } else { Vec::new() };

    let output = output_of(run(path).arg("--json"));
    let last: Value = json(&output);
    assert_eq!((output.status.code(), last["state"].as_str()), (Some(0), Some("complete")), "{last}");

    let after = tasks(path, true);
    for task in &after {
        assert_eq!(task.state, TaskState::Complete, "{task:?}");
        for step in &task.steps {
            assert_eq!(step.state, StepState::Complete);
            assert!(step.attempts.len() <= step.max_attempts as usize, "{step:?}");
            let completed = step.attempts.iter().filter(|attempt| attempt.error.is_none()).count();
            assert_eq!(completed, 1, "{step:?}");
        }
    }
    for task in &before {
        let now = after.iter().find(|one| one.id == task.id).expect("a task that was there is there");
        let (then, now) = (recorded(task), recorded(now));
        let unchanged = then.iter().all(|(key, value)| now.get(key) == Some(value));
        assert!(unchanged, "{then:#?} became {now:#?}");
        // A step that had its result has had no further attempt.
        for step in task.steps.iter().filter(|step| step.state == StepState::Complete) {
            let attempts = now.keys().filter(|(name, _)| *name == step.name).count();
            assert_eq!(attempts, step.attempts.len(), "{}", step.name);
        }
    }
    before.iter().any(|task| task.state == TaskState::InProgress)
}

#[test]
fn killed_at_any_moment_each_task_completes_and_no_recorded_result_changes() {
    drop(example());
    let directory = TempDir::new().unwrap();
    let (next, interrupted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= ROUNDS {
                        return;
                    }
                    let path = directory.path().join(format!("{number}.db"));
                    if round(&path, Moment::random()) {
                        interrupted.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    // Most moments lie inside the run; a test that always misses it shows nothing.
    assert!(
        interrupted.load(Ordering::SeqCst) >= ROUNDS / 5,
        "{interrupted:?} of {ROUNDS} runs were interrupted"
    );
}
