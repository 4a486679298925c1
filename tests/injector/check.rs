//! What must hold when a trial is over: what the store says, against what the handlers wrote down.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use tasker_runtime::task::{Attempt, AttemptOutcome};
use tasker_runtime::{StepState, Task, TaskState};
use tokio_postgres::NoTls;

use crate::operations::{Held, Trial};
use crate::place::{Entry, Place};
use crate::postgres::server;

/// What is to have come of the tasks of a trial.
pub struct Expected {
    /// How many there are.
    pub tasks: RangeInclusive<usize>,
    pub state: TaskState,
    /// How many attempts there are of the step `a`; the others have one.
    pub attempts: usize,
    /// How many of them have ended with their workers.
    pub crashed: usize,
    /// How often each step that is complete has written into the application's table.
    pub effects: i64,
    /// Whether an attempt that was handed back while it ran may begin again under its number.
    pub begins_again: bool,
    /// Whether no worker may be taken for dead, whatever the fault.
    pub keeps_its_claims: bool,
}

impl Default for Expected {
    fn default() -> Self {
        Self {
            tasks: 1..=1,
            state: TaskState::Complete,
            attempts: 1,
            crashed: 0,
            effects: 0,
            begins_again: false,
            keeps_its_claims: false,
        }
    }
}

macro_rules! hold {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(format!($($words)+));
        }
    };
}

pub async fn check(trial: &Trial<'_>, expected: &Expected) -> Held {
    let place = trial.place;
    let ids: Vec<_> = trial.tasks().await.map_err(|error| error.to_string())?;
    hold!(expected.tasks.contains(&ids.len()), "there are {} tasks, not {:?}", ids.len(), expected.tasks);
    let ledger = place.shared.ledger.lock().unwrap().clone();
    for (id, _) in ids {
        let task = place.onlooker.get_task(id).await.map_err(|error| error.to_string())?;
        hold!(task.state == expected.state, "the task is {}: {task:#?}", task.state);
        let entries: Vec<&Entry> = ledger.iter().filter(|entry| entry.task == id).collect();
        let is_calm = trial.fault.is_none() || expected.keeps_its_claims;
        check_task(&task, &entries, expected, is_calm)
            .map_err(|why| format!("{why}: {entries:#?} {task:#?}"))?;
        if expected.effects > 0 {
            let effects = effects(place, &id.to_string()).await;
            let right: BTreeMap<String, i64> =
                task.steps.iter().map(|step| (step.name.clone(), expected.effects)).collect();
            hold!(effects == right, "the application's table has {effects:?}");
        }
    }
    Ok(())
}

/// With `is_calm`, no worker was taken for dead.
fn check_task(task: &Task, entries: &[&Entry], expected: &Expected, is_calm: bool) -> Held {
    for step in &task.steps {
        let name = &step.name;
        let own = |entry: &&&Entry| entry.step == *name;
        let mut begun: BTreeMap<u32, usize> = BTreeMap::new();
        for entry in entries.iter().filter(own).filter(|entry| entry.returned.is_none()) {
            *begun.entry(entry.attempt).or_default() += 1;
        }
        let by_workers: Vec<_> = step.attempts.iter().filter(|one| !one.outcome.is_manual()).collect();
        for (attempt, times) in &begun {
            hold!(
                *times == 1 || expected.begins_again && *times == 2,
                "{name}#{attempt} began {times} times"
            );
            let is_recorded = by_workers.iter().any(|one| one.attempt == *attempt);
            hold!(is_recorded, "there is no record of {name}#{attempt}");
        }
        // Exactly so many attempts, and one more for each that a worker lost which was taken for dead.
        let crashed = by_workers.iter().filter(|one| one.outcome == AttemptOutcome::Crashed).count();
        let (attempts, crashes) = match name.as_str() {
            "a" => (expected.attempts, expected.crashed),
            _ => (usize::from(step.state == StepState::Complete), 0),
        };
        let lost = crashed.checked_sub(crashes).filter(|lost| *lost == 0 || !is_calm);
        let Some(lost) = lost else { return Err(format!("{crashed} attempts of {name} crashed")) };
        // A handler's statement that fails ends its attempt.
        let is_refused = |one: &&&Attempt| {
            one.error.as_ref().is_some_and(|error| error.code.as_deref() == Some("TRANSACTION"))
        };
        let refused = by_workers.iter().filter(is_refused).count();
        hold!(refused == 0 || expected.effects > 0 && !is_calm, "{refused} attempts of {name} were refused");
        let (recorded, begun) = (by_workers.len(), begun.len());
        let is_right = recorded == attempts + lost + refused && (attempts..=recorded).contains(&begun);
        hold!(is_right, "{name} has {recorded} attempts of which {begun} began, not {attempts}");
        let Some(last) = by_workers.iter().find(|one| one.outcome == AttemptOutcome::Complete) else {
            continue;
        };
        let of_last = entries.iter().filter(own).filter(|entry| entry.attempt == last.attempt);
        let returned: Vec<String> =
            of_last.filter_map(|entry| entry.returned.as_ref()).map(|value| format!("\"{value}\"")).collect();
        let result = step.result.as_ref().map(|result| result.get().to_owned());
        let is_so = result.as_ref().is_some_and(|result| returned.contains(result));
        hold!(is_so, "{name} returned {returned:?}, and its result is {result:?}");
    }
    Ok(())
}

/// How often each step has written into the application's table.
async fn effects(place: &Place, task: &str) -> BTreeMap<String, i64> {
    let sql = format!("SELECT step, count(*) FROM {} WHERE task = $1 GROUP BY step", place.shared.table);
    if place.schema.is_none() {
        let connection = rusqlite::Connection::open(place.directory.path().join("t.db")).unwrap();
        let mut statement = connection.prepare(&sql.replace("$1", "?1")).unwrap();
        let rows = statement.query_map([task], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        return rows.collect::<Result<_, _>>().unwrap();
    }
    let (client, driver) = tokio_postgres::connect(server(), NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    let rows = client.query(&sql, &[&task]).await.unwrap();
    drop(client);
    driver.await.unwrap().unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}
