//! The workers in memory, and the programs that they ran in.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use crate::doctor::WorkerFacts;
use crate::id::{TaskId, WorkerId};
use crate::worker::{ProgramRecord, WorkerInfo, WorkerRecord};

#[derive(Debug, Default)]
pub(super) struct Workers {
    known: BTreeMap<WorkerId, Worker>,
    programs: HashMap<WorkerId, Program>,
}

#[derive(Debug)]
struct Worker {
    info: WorkerInfo,
    started_at: Timestamp,
    /// A dead worker is kept for as long as it has claims.
    alive: bool,
}

#[derive(Debug)]
struct Program {
    record: ProgramRecord,
    /// The newest task when its worker was first found to be forgotten.
    last_task: Option<TaskId>,
}

impl Workers {
    pub(super) fn register(&mut self, worker: WorkerId, info: WorkerInfo, started_at: Timestamp) {
        let record = ProgramRecord::new(worker, &info, started_at);
        self.programs.insert(worker, Program { record, last_task: None });
        self.known.insert(worker, Worker { info, started_at, alive: true });
    }

    pub(super) fn program_of(&self, worker: WorkerId) -> Option<ProgramRecord> {
        self.programs.get(&worker).map(|program| program.record.clone())
    }

    pub(super) fn is_alive(&self, worker: WorkerId) -> bool {
        self.known.get(&worker).is_some_and(|worker| worker.alive)
    }

    pub(super) fn set_dead(&mut self, worker: WorkerId) {
        if let Some(worker) = self.known.get_mut(&worker) {
            worker.alive = false;
        }
    }

    /// Whether the worker is known, and dead.
    pub(super) fn is_dead(&self, worker: WorkerId) -> bool {
        self.known.get(&worker).is_some_and(|worker| !worker.alive)
    }

    pub(super) fn has_dead(&self) -> bool {
        self.known.values().any(|worker| !worker.alive)
    }

    pub(super) fn forget_dead(&mut self) {
        self.known.retain(|_, worker| worker.alive);
    }

    /// The workers that are alive, and dead ones that have claims; `running` is how many each has.
    pub(super) fn records(&self, running: &HashMap<WorkerId, u32>) -> Vec<WorkerRecord> {
        let known = self.known.iter().filter(|(id, worker)| worker.alive || running.contains_key(id));
        let record = |(id, worker): (&WorkerId, &Worker)| {
            WorkerRecord::new(*id, worker.info.clone(), worker.started_at)
                .running(running.get(id).copied().unwrap_or_default())
                .alive(worker.alive)
        };
        known.map(record).collect()
    }

    pub(super) fn facts(&self) -> Vec<WorkerFacts> {
        let facts = |(id, worker): (&WorkerId, &Worker)| WorkerFacts {
            id: *id,
            alive: worker.alive,
            last_beat: None,
        };
        self.known.iter().map(facts).collect()
    }

    /// Deletes the programs of forgotten workers of which no attempt can be left, in a store with these tasks:
    /// the oldest and the newest.
    pub(super) fn prune_programs(&mut self, tasks: Option<(TaskId, TaskId)>) {
        let Self { known, programs } = self;
        programs.retain(|worker, program| {
            let is_over = program.last_task.is_some_and(|last| tasks.is_none_or(|(oldest, _)| last < oldest));
            known.contains_key(worker) || !is_over
        });
        let newest = tasks.map_or(TaskId(uuid::Uuid::nil()), |(_, newest)| newest);
        for (worker, program) in programs.iter_mut() {
            if !known.contains_key(worker) {
                program.last_task.get_or_insert(newest);
            }
        }
    }
}
