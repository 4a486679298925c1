//! Branches that run at the same time: each gets what it declares, and none gets another's.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tasker_runtime::{StepContext, StepResult, TaskState, Tasker};

use crate::postgres::Schema;
use crate::support::{flow, new_task, on_store};

const BRANCHES: usize = 8;
const TASKS: usize = 12;

/// A fork into branches of two steps each, in an order that is another one in the join.
fn fork() -> String {
    let branches = (0..BRANCHES).map(|n| format!("first{n}: start\nsecond{n}: first{n}\n"));
    let seconds: Vec<String> = (0..BRANCHES).rev().map(|n| format!("second{n}")).collect();
    format!("start\n{}join: {}", branches.collect::<String>(), seconds.join(", "))
}

/// Returns its own name and task, with what it was given by the steps that it waits for.
async fn say(context: StepContext) -> StepResult<String> {
    // The branches end in another order each time.
    tokio::time::sleep(Duration::from_micros(fastrand::u64(0..3_000))).await;
    let name = context.step_name();
    let declared = context.template().steps.iter().find(|step| step.name == name).unwrap();
    let mut given = Vec::new();
    for dependency in &declared.dependencies {
        given.push(context.dependency::<String>(dependency)?);
    }
    Ok(format!("{name} of {} [{}]", context.task_id(), given.join("; ")))
}

async fn every_branch_gets_its_own(url: &str, workers: &[usize]) {
    let steps: Vec<String> = fork().lines().map(|line| line.split(':').next().unwrap().to_owned()).collect();
    let mut taskers = Vec::new();
    for concurrency in workers {
        let mut builder = on_store(url, &fork()).concurrency(*concurrency);
        for step in &steps {
            builder = builder.handler_fn(step, say);
        }
        taskers.push(builder.build().await.unwrap());
    }
    let mut ids = Vec::new();
    for number in 0..TASKS {
        let tasker: &Tasker = &taskers[number % taskers.len()];
        ids.push(tasker.create_task(new_task()).await.unwrap());
    }
    for id in ids {
        let task = taskers[0].wait(id).await.unwrap();
        assert_eq!(task.state, TaskState::Complete);
        let start = format!("start of {id} []");
        let first = |n: usize| format!("first{n} of {id} [{start}]");
        let second = |n: usize| format!("second{n} of {id} [{}]", first(n));
        for n in 0..BRANCHES {
            assert_eq!(task.step_output::<String>(&format!("first{n}")).unwrap(), first(n));
            assert_eq!(task.step_output::<String>(&format!("second{n}")).unwrap(), second(n));
        }
        let all: Vec<String> = (0..BRANCHES).rev().map(second).collect();
        assert_eq!(task.step_output::<String>("join").unwrap(), format!("join of {id} [{}]", all.join("; ")));
    }
    for tasker in taskers {
        tasker.shutdown().await;
    }
}

#[tokio::test]
async fn every_branch_gets_what_it_declares_from_workers_on_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("t.db").display());
    for workers in [&[1][..], &[64], &[1, 2, 3]] {
        every_branch_gets_its_own(&url, workers).await;
    }
}

#[tokio::test]
async fn every_branch_gets_what_it_declares_from_workers_on_one_database() {
    let schema = Schema::new();
    for workers in [&[1][..], &[64], &[1, 2, 3]] {
        every_branch_gets_its_own(&schema.url(), workers).await;
    }
}

/// Results are kept by step, and nothing is merged.
#[test]
fn branches_that_return_the_same_keys_keep_both() {
    #[derive(Deserialize, Serialize)]
    struct Total {
        total: u32,
        by: String,
    }
    let total = |total: u32| {
        move |context: StepContext| async move {
            StepResult::Ok(Total { total, by: context.step_name().to_owned() })
        }
    };
    let run = flow("left\nright\nboth: left, right")
        .replace("left", total(1))
        .replace("right", total(2))
        .replace("both", |context: StepContext| async move {
            let mut totals = BTreeMap::new();
            for step in ["left", "right"] {
                let Total { total, by } = context.dependency(step)?;
                totals.insert(by, total);
            }
            StepResult::Ok(totals)
        })
        .run_blocking(json!({ "total": 9, "by": "the context" }));
    run.assert_complete();
    let both: BTreeMap<String, u32> = run.step_output("both");
    assert_eq!(both, BTreeMap::from([("left".to_owned(), 1), ("right".to_owned(), 2)]));
}
