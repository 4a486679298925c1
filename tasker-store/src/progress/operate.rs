//! The actions of operators on a task, and the records of them.

use jiff::Timestamp;
use tasker_template::StepIndex;

use crate::action::{ActionRequest, OperatorAction, Refusal};
use crate::attempt::AttemptRecord;
use crate::key::StepKey;
use crate::progress::nodes::instances;
use crate::progress::task::{Moved, Progress};
use crate::state::{StepState, TaskState};
use crate::waiting::WaitingFor;

impl Progress {
    /// Does what an operator asks for. Runs that become ready are queued, not claimed in passing.
    ///
    /// # Errors
    ///
    /// When the action is not possible in the state of the task or of a run. Nothing has changed then.
    pub fn act(&mut self, request: &ActionRequest) -> Result<Moved, Refusal> {
        let (action, now) = (&request.action, request.at);
        let may = match action {
            // Before a task is reopened, its context can be corrected.
            OperatorAction::Retry { .. } | OperatorAction::Amend { .. } => self.state != TaskState::Complete,
            OperatorAction::Investigate { .. } => self.state == TaskState::Error,
            OperatorAction::Repair { .. } => true,
            _ => !self.state.is_over(),
        };
        if !may {
            return Err(Refusal { run: None, state: self.state.as_str() });
        }
        let mut moved = Moved::default();
        match action {
            OperatorAction::Cancel => self.end_task(TaskState::Cancelled, &mut moved),
            OperatorAction::GiveUp { reason } => {
                moved.details.dead_letter = Some(*reason);
                moved.details.original_state = Some(self.state);
                moved.details.waiting_for = self.waiting_for(now);
                self.end_task(TaskState::Error, &mut moved);
            }
            OperatorAction::Investigate { status } => moved.details.status = Some(*status),
            OperatorAction::Retry { runs } => self.retry(runs, now)?,
            OperatorAction::RetryNow { run } => match self.state_of(*run) {
                StepState::WaitingForRetry | StepState::Ready => self.queue(*run, now),
                state => return Err(Refusal { run: Some(*run), state: state.as_str() }),
            },
            OperatorAction::Repair { graph, recorded } => self.repair(graph, recorded, now, &mut moved),
            OperatorAction::GiveResult { run, readers, .. } => {
                self.check_given_result(*run, readers)?;
                self.resolved.remove(run);
                moved.replaced = AttemptRecord::by_hand(request).map(Box::new);
            }
            OperatorAction::Amend { .. } => {
                // An attempt that runs goes on with the context that it began with, and workers keep the context
                // for as long as they run a step of the task.
                if let Some(claim) = self.claims().next() {
                    let state = StepState::InProgress.as_str();
                    return Err(Refusal { run: Some(claim.key), state });
                }
            }
            OperatorAction::Complete { run, graph, .. } | OperatorAction::Resolve { run, graph } => {
                let state = self.state_of(*run);
                if matches!(state, StepState::Complete | StepState::ResolvedManually | StepState::Pending) {
                    return Err(Refusal { run: Some(*run), state: state.as_str() });
                }
                moved.revoked = self.runs.get(run).and_then(|run| run.claim).into_iter().collect();
                self.end_run(*run, graph, now, None, &mut moved);
                if matches!(action, OperatorAction::Resolve { .. }) {
                    self.resolved.insert(*run);
                }
            }
        }
        if !self.state.is_over() {
            self.settle(&mut moved);
        }
        if matches!(action, OperatorAction::Repair { .. }) && !self.is_repaired(&moved) {
            return Err(Refusal { run: None, state: self.state.as_str() });
        }
        let revoked = moved.revoked.iter().map(|claim| AttemptRecord::ended_by(claim, request));
        let by_hand = AttemptRecord::by_hand(request).filter(|_| moved.replaced.is_none());
        let records = revoked.chain(by_hand).collect::<Vec<_>>();
        moved.records.splice(..0, records);
        Ok(moved)
    }

    /// Whether a run that was resolved can still be given its result: nothing that reads it has begun. A reader
    /// that has failed, or was resolved itself, may read it yet or never will.
    fn check_given_result(&self, run: StepKey, readers: &[StepIndex]) -> Result<(), Refusal> {
        if !self.resolved.contains(&run) {
            return Err(Refusal { run: Some(run), state: self.state_of(run).as_str() });
        }
        for reader in readers {
            let only = StepKey::from(*reader);
            let several = instances(*reader);
            let runs = std::iter::once(only).chain(self.runs.range(several.clone()).map(|(key, _)| *key));
            if let Some(key) = runs.into_iter().find(|key| self.state_of(*key) == StepState::InProgress) {
                return Err(Refusal { run: Some(key), state: StepState::InProgress.as_str() });
            }
            let is_done = self.done.contains(reader) || self.done_runs.range(several).next().is_some();
            if is_done && !self.resolved.contains(&only) {
                return Err(Refusal { run: Some(only), state: StepState::Complete.as_str() });
            }
        }
        Ok(())
    }

    /// Ends the task: its claims are revoked, and none of its runs is ready or waits for a retry.
    fn end_task(&mut self, state: TaskState, moved: &mut Moved) {
        moved.revoked = self.claims().collect();
        let keys: Vec<StepKey> = self.runs.keys().copied().collect();
        for key in keys {
            match self.runs.get(&key) {
                // Its row has the input of the run, which is needed should the task be reopened.
                Some(run) if run.is_kept && run.state != StepState::Pending => {
                    self.let_go(key);
                    self.set(key, StepState::Cancelled);
                }
                Some(run) if run.is_kept => {}
                _ => self.remove_run(key),
            }
        }
        self.nodes.retain(|_, node| node.runs_left > 0);
        self.state = state;
        moved.state = Some(state);
    }

    /// Makes runs ready with a fresh budget of attempts.
    fn retry(&mut self, runs: &[(StepKey, u32)], now: Timestamp) -> Result<(), Refusal> {
        if runs.is_empty() {
            return Err(Refusal { run: None, state: self.state.as_str() });
        }
        if let Some((key, _)) = runs.iter().find(|(key, _)| !self.can_retry(*key)) {
            return Err(Refusal { run: Some(*key), state: self.state_of(*key).as_str() });
        }
        if self.state.is_over() {
            self.state = TaskState::BlockedByFailures;
        }
        for (key, attempts) in runs {
            let run = self.run(*key);
            // A task that was ended has no rows of ordinary steps: the caller has counted the attempts.
            run.attempts = run.attempts.max(*attempts);
            run.attempts_before_reset = run.attempts;
            self.queue(*key, now);
        }
        Ok(())
    }

    fn waiting_for(&self, now: Timestamp) -> Option<WaitingFor> {
        let runs = self.runs.values();
        WaitingFor::of(runs.map(|run| (run.state, run.due_at.is_none_or(|due_at| due_at <= now))))
    }

    /// Whether the run has failed, or was cancelled; in a task that was ended also an ordinary step that is
    /// not done, of which no row was kept.
    fn can_retry(&self, key: StepKey) -> bool {
        match self.runs.get(&key) {
            Some(run) => matches!(run.state, StepState::Error | StepState::Cancelled),
            None => {
                matches!(self.state, TaskState::Cancelled | TaskState::Error)
                    && key.is_only()
                    && self.nodes.get(&key.step).is_none_or(|node| node.runs_left == 0)
                    && self.state_of(key) != StepState::Complete
            }
        }
    }
}
