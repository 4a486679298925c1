//! The rules of the graph: when a node opens, when it is done, and when the task is complete.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use tasker_template::{Graph, StepIndex};

use crate::attempt::{AttemptRecord, Spawned};
use crate::claim::ClaimRequest;
use crate::key::StepKey;
use crate::progress::node::Node;
use crate::progress::run::RunProgress;
use crate::progress::task::{Moved, Progress};
use crate::state::{StepState, TaskState};
use crate::twin;

impl Progress {
    /// Opens the roots: their runs are ready at once, or wait until `due_at`.
    pub fn start(
        &mut self,
        graph: &Graph,
        due_at: Option<Timestamp>,
        now: Timestamp,
        request: &ClaimRequest,
    ) -> Moved {
        let mut moved = Moved::default();
        for root in graph.roots() {
            match due_at {
                None => self.make_ready((*root).into(), now, Some(request), &mut moved),
                Some(due_at) => self.wait((*root).into(), StepState::Ready, due_at),
            }
        }
        moved
    }

    /// Gives a node several runs, or none at all. They wait until the node opens.
    pub(super) fn spawn(&mut self, spawned: &Spawned) {
        let inputs = &spawned.inputs;
        let runs_left = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
        self.nodes.entry(spawned.step).or_default().runs_left = runs_left;
        for (instance, input) in (1..).zip(inputs.iter()) {
            self.keep(StepKey::instance(spawned.step, instance)).input = Some(input.clone());
        }
        if inputs.is_empty() {
            // A pending row marks the node as one without runs, until it opens.
            self.keep(spawned.step.into());
        }
    }

    /// Adds a run that waits for its node, with a row of its own.
    fn keep(&mut self, key: StepKey) -> &mut RunProgress {
        self.changed.insert(key);
        let run = self.run(key);
        run.is_kept = true;
        run
    }

    /// A run is done. The last run of a node completes the node.
    pub(super) fn end_run(
        &mut self,
        key: StepKey,
        graph: &Graph,
        now: Timestamp,
        request: Option<&ClaimRequest>,
        moved: &mut Moved,
    ) {
        self.remove_run(key);
        if !key.is_only() {
            self.done_runs.insert(key);
            let node = self.nodes.entry(key.step).or_default();
            node.runs_left = node.runs_left.saturating_sub(1);
            if node.runs_left > 0 {
                return;
            }
        }
        self.end_node(key.step, graph, now, request, moved);
    }

    /// A node is done: its dependents count it, and open when it was the last that they waited for. A
    /// dependent without runs is done as soon as it opens.
    pub(super) fn end_node(
        &mut self,
        step: StepIndex,
        graph: &Graph,
        now: Timestamp,
        request: Option<&ClaimRequest>,
        moved: &mut Moved,
    ) {
        // One at a time, so that a node which waits for several of them counts each once.
        let mut ended = vec![step];
        while let Some(step) = ended.pop() {
            self.nodes.remove(&step);
            self.done.insert(step);
            let dependents = graph.dependents(step);
            for dependent in dependents {
                if self.satisfy(*dependent, graph) && !self.open(*dependent, now, request, moved) {
                    moved.records.push(AttemptRecord::without_runs(*dependent, now));
                    ended.push(*dependent);
                }
            }
            if dependents.is_empty() {
                self.end_sink(graph, moved);
            }
        }
    }

    /// One more sink is done; the last completes the task.
    fn end_sink(&mut self, graph: &Graph, moved: &mut Moved) {
        let left = match self.sinks_left {
            Some(left) => left.saturating_sub(1),
            None => self.undone(graph.sinks()),
        };
        self.sinks_left = Some(left);
        if left == 0 {
            self.state = TaskState::Complete;
            moved.state = Some(TaskState::Complete);
        }
    }

    /// One more parent of the node is done. Returns whether it was the last, so that the node is to open.
    fn satisfy(&mut self, step: StepIndex, graph: &Graph) -> bool {
        // It may be open already: its claim from the queue is newer than the other things known here.
        if self.done.contains(&step) || self.is_open(step) {
            return false;
        }
        let parents = graph.parents(step);
        if parents.len() <= 1 {
            return true;
        }
        let left = match self.nodes.get(&step).and_then(|node| node.waiting_for) {
            Some(waiting_for) => waiting_for.saturating_sub(1),
            None if twin::is("no-decrement") => self.undone(parents) + 1,
            None => self.undone(parents),
        };
        if left > 0 {
            self.nodes.entry(step).or_default().waiting_for = Some(left);
        }
        left == 0
    }

    /// Opens a node whose parents are all done: makes its runs ready. Returns `false` when it has no runs.
    pub(super) fn open(
        &mut self,
        step: StepIndex,
        now: Timestamp,
        request: Option<&ClaimRequest>,
        moved: &mut Moved,
    ) -> bool {
        let node = self.nodes.remove(&step).unwrap_or_default();
        let only = StepKey::from(step);
        if node.runs_left > 0 {
            self.nodes.insert(step, Node { waiting_for: None, ..node });
            let waiting = self.runs.range(instances(step));
            let waiting = waiting.filter(|(_, run)| run.state == StepState::Pending);
            let keys: Vec<StepKey> = waiting.map(|(key, _)| *key).collect();
            keys.into_iter().for_each(|key| self.make_ready(key, now, request, moved));
        } else if self.runs.get(&only).is_some_and(|run| run.is_kept) {
            self.remove_run(only);
            return false;
        } else {
            self.make_ready(only, now, request, moved);
        }
        true
    }

    /// Whether the node has been opened: one of its runs is no longer pending.
    fn is_open(&self, step: StepIndex) -> bool {
        let only = self.runs.get(&step.into());
        let first = || self.runs.range(instances(step)).next().map(|(_, run)| run);
        let has_several = self.nodes.get(&step).is_some_and(|node| node.runs_left > 0);
        only.or_else(|| first().filter(|_| has_several)).is_some_and(|run| run.state != StepState::Pending)
    }

    pub(super) fn undone(&self, steps: &[StepIndex]) -> u32 {
        let undone = steps.iter().filter(|step| !self.done.contains(step)).count();
        u32::try_from(undone).unwrap_or(u32::MAX)
    }
}

/// The keys of a node's several runs.
pub(super) fn instances(step: StepIndex) -> RangeInclusive<StepKey> {
    StepKey::instance(step, 1)..=StepKey::instance(step, u32::MAX)
}
