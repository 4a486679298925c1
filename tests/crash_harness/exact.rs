//! Exact counts: a process that runs one diamond is killed just before and just after each of its commits,
//! and another goes on. The ledger then has one effect of each step whose result was committed by the time of
//! the kill, or that had not begun, and two of the one in between; never another number.

use std::collections::BTreeSet;
use std::process::Stdio;

use crate::patience::{PATIENCE, end_of};
use crate::processes::check::Snapshot;
use crate::processes::ledger::Ledger;
use crate::processes::work::DIAMOND;
use crate::{Place, REST, Store, spawn};

/// The task's creation has a commit, and each step; now and then there is another, by which the worker looks
/// for more to do.
const COMMITS: usize = 1 + DIAMOND.len() + 2;
/// How often each of them may be missed.
const PASSES: usize = 10;

/// What there was at the moment of a kill.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    has_task: bool,
    complete: BTreeSet<String>,
    /// The steps that had begun and were not complete.
    in_between: BTreeSet<String>,
}

/// The moments before each commit, or after.
fn right_moments(is_after: bool) -> BTreeSet<Moment> {
    let steps = |count: usize| DIAMOND.iter().take(count).map(|(step, _)| (*step).to_owned()).collect();
    (0..=DIAMOND.len())
        .map(|commit| match (commit.checked_sub(1), is_after) {
            (step, true) => Moment {
                has_task: true,
                complete: steps(step.map_or(0, |step| step + 1)),
                in_between: BTreeSet::new(),
            },
            (None, false) => Moment { has_task: false, complete: steps(0), in_between: BTreeSet::new() },
            (Some(step), false) => Moment {
                has_task: true,
                complete: steps(step),
                in_between: BTreeSet::from([DIAMOND[step].0.to_owned()]),
            },
        })
        .collect()
}

pub fn run(store: Store) {
    let mut kills = 0;
    for (failpoint, is_after) in store.around_commit().into_iter().zip([false, true]) {
        let mut left = right_moments(is_after);
        for _ in 0..PASSES {
            let moments: Vec<Moment> = std::thread::scope(|scope| {
                // At the same time: on PostgreSQL most of it goes by until a lease ends.
                let kill = |count| scope.spawn(move || kill(store, &format!("{failpoint}:{count}")));
                let killed: Vec<_> = (1..=COMMITS).map(kill).collect();
                killed.into_iter().filter_map(|killed| killed.join().unwrap()).collect()
            });
            kills += moments.len();
            left.retain(|moment| !moments.contains(moment));
            if left.is_empty() {
                break;
            }
        }
        assert!(left.is_empty(), "no process was killed at {left:#?}");
    }
    println!("exact counts on {}: {kills} kills", store.name());
}

/// Kills a process there, and has another go on. `None` when it was done before.
fn kill(store: Store, failpoint: &str) -> Option<Moment> {
    let directory = tempfile::tempdir().unwrap();
    let (place, ledger) = (Place::new(store, directory.path()), directory.path().join("ledger"));
    let url = place.url();
    let mut first = spawn("diamond", &url, &ledger, failpoint).stdout(Stdio::null()).spawn().unwrap();
    if end_of(&mut first, "a process that is to be killed", PATIENCE).success() {
        return None;
    }
    let begun: BTreeSet<String> = Ledger::read(&ledger).begun.into_keys().map(|(_, step)| step).collect();
    let at_kill = Snapshot::take(&url, &Ledger::read(&ledger));
    let complete: BTreeSet<String> = at_kill.complete_steps().map(|(_, step)| step.clone()).collect();
    for step in &begun {
        let (_, waits_for) = DIAMOND.iter().find(|(name, _)| name == step).unwrap();
        let early = waits_for.split(", ").find(|one| !one.is_empty() && !complete.contains(*one));
        assert!(early.is_none(), "{step} began before the commit of {early:?}");
    }
    let in_between: BTreeSet<String> = begun.difference(&complete).cloned().collect();
    let moment = Moment { has_task: at_kill.has_tasks(), complete, in_between };
    assert!(moment.in_between.len() <= 1, "one step at a time: {moment:?}");

    let mut next = spawn("worker", &url, &ledger, "0").stdout(Stdio::null()).spawn().unwrap();
    assert!(end_of(&mut next, "the process that goes on", REST).success());
    let effects = Ledger::read(&ledger);
    let end = Snapshot::take(&url, &effects);
    at_kill.still_holds_in(&end);
    end.account(&effects);
    for (step, _) in DIAMOND {
        let right = match moment.in_between.contains(step) {
            _ if !moment.has_task => 0,
            false => 1,
            true => 2,
        };
        let own = effects.begun.keys().filter(|key| key.1 == step);
        let times: usize = own.map(|key| effects.begins(key)).sum();
        assert_eq!(times, right, "effects of {step}, killed at {failpoint}, {moment:?}");
    }
    Some(moment)
}
