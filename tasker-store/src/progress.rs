//! Where the steps of one task are, and what moves them: the rules that every store keeps to.
//!
//! A store applies an operation to a [`Progress`] and writes down what that changed. A step that is
//! still pending is implied by what is done, so that only counters of steps that wait for several
//! others are kept here, and nothing of them anywhere else.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tasker_template::StepIndex;

use crate::action::{ActionDetails, OperatorAction, Refusal};
use crate::attempt::{Dependent, Ending, FinishedAttempt};
use crate::claim::{Claim, ClaimRequest, Claimed};
use crate::id::{TaskId, TemplateId, WorkerId};
use crate::state::{StepState, TaskState};
use crate::waiting::WaitingFor;

/// A point of priority is worth this long a wait: work of low priority is passed over for a while,
/// and never for ever.
const WORTH_OF_A_POINT: i64 = 60_000_000;

/// The steps of one task.
#[derive(Clone, Debug)]
pub struct Progress {
    pub task: TaskId,
    pub template: TemplateId,
    pub state: TaskState,
    pub priority: i32,
    steps: BTreeMap<StepIndex, StepProgress>,
    done: BTreeSet<StepIndex>,
    /// How many of the steps that nobody waits for are not done, once that has been counted.
    ends_left: Option<u32>,
    /// Steps that are ready, in progress, or waiting for a retry.
    moving: usize,
    /// Steps that are in progress.
    claimed: usize,
    /// Steps that have changed and are not written down.
    changed: Vec<StepIndex>,
}

/// A step that is neither done nor untouched.
#[derive(Clone, Debug)]
pub struct StepProgress {
    pub state: StepState,
    /// While it is pending: for how many steps it waits.
    waiting_for: u32,
    /// Attempts made, the running one included.
    pub attempts: u32,
    /// How many of them were made before its budget was last renewed.
    pub attempts_before_reset: u32,
    /// When it becomes due, while it is not.
    pub due_at: Option<Timestamp>,
    /// Its place among those that can run, the smallest first.
    pub rank: Option<i64>,
    pub claim: Option<Claim>,
    /// Whether the claim was made in passing, and is written down with what made it.
    pub in_passing: bool,
    /// Whether it has a row of its own.
    pub has_row: bool,
}

/// What an operation came to.
#[derive(Debug, Default)]
pub struct Moved {
    pub claimed: Claimed,
    /// The state that the task has come into, if it has changed.
    pub state: Option<TaskState>,
    /// Claims that no longer hold.
    pub revoked: Vec<Claim>,
    /// What is to be recorded with an action.
    pub details: ActionDetails,
}

impl Moved {
    /// The steps that were claimed in passing.
    pub fn steps(&self) -> Vec<StepIndex> {
        self.claimed.claims.iter().map(|claim| claim.step).collect()
    }
}

/// What is to be written down of a step.
#[derive(Debug)]
pub enum Change<'a> {
    /// Its row, made or replaced.
    Row(&'a StepProgress),
    /// That it has none any more.
    NoRow,
}

impl StepProgress {
    fn new(state: StepState) -> Self {
        Self {
            state,
            waiting_for: 0,
            attempts: 0,
            attempts_before_reset: 0,
            due_at: None,
            rank: None,
            claim: None,
            in_passing: false,
            has_row: false,
        }
    }

    /// One as it was written down.
    pub fn stored(state: StepState, attempts: u32, attempts_before_reset: u32) -> Self {
        Self { attempts, attempts_before_reset, has_row: true, ..Self::new(state) }
    }

    fn needs_row(&self) -> bool {
        match self.state {
            StepState::Pending => false,
            StepState::InProgress => !self.in_passing,
            _ => true,
        }
    }
}

/// The place of a step in the order of claims.
pub fn rank(at: Timestamp, priority: i32) -> i64 {
    at.as_microsecond().saturating_sub(WORTH_OF_A_POINT.saturating_mul(i64::from(priority)))
}

/// When a step of this place could run for the first time.
pub fn ready_at(rank: i64, priority: i32) -> Option<Timestamp> {
    let worth = WORTH_OF_A_POINT.saturating_mul(i64::from(priority));
    Timestamp::from_microsecond(rank.saturating_add(worth)).ok()
}

impl Progress {
    pub fn new(task: TaskId, template: TemplateId, priority: i32) -> Self {
        Self {
            task,
            template,
            state: TaskState::InProgress,
            priority,
            steps: BTreeMap::new(),
            done: BTreeSet::new(),
            ends_left: None,
            moving: 0,
            claimed: 0,
            changed: Vec::new(),
        }
    }

    /// Puts a step where it was when it was written down.
    pub fn restore(&mut self, step: StepIndex, progress: StepProgress) {
        self.moving += usize::from(is_moving(progress.state));
        self.claimed += usize::from(progress.claim.is_some());
        self.steps.insert(step, progress);
    }

    /// A claim that was made in passing, unless something later is known of the step.
    pub fn restore_claim(&mut self, claim: Claim) {
        if !self.steps.contains_key(&claim.step) && !self.done.contains(&claim.step) {
            let (attempts, in_progress) = (claim.attempt, StepProgress::new(StepState::InProgress));
            let progress = StepProgress { attempts, claim: Some(claim), in_passing: true, ..in_progress };
            self.restore(claim.step, progress);
        }
    }

    pub fn restore_done(&mut self, step: StepIndex) {
        self.done.insert(step);
    }

    /// Whether a worker has claimed something.
    pub fn is_claimed(&self) -> bool {
        self.claimed > 0
    }

    /// The steps that are neither done nor untouched.
    pub fn steps(&self) -> impl Iterator<Item = (StepIndex, &StepProgress)> {
        self.steps.iter().map(|(step, progress)| (*step, progress))
    }

    /// The claims that hold.
    pub fn claims(&self) -> impl Iterator<Item = Claim> {
        self.steps.values().filter_map(|step| step.claim)
    }

    pub fn holds(&self, claim: &Claim) -> bool {
        self.steps.get(&claim.step).is_some_and(|step| step.claim == Some(*claim))
    }

    /// What is to be written down since this was last asked.
    pub fn write_down<E>(
        &mut self,
        mut write: impl FnMut(StepIndex, Change<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for step in std::mem::take(&mut self.changed) {
            match self.steps.get_mut(&step) {
                Some(progress) if progress.needs_row() => {
                    write(step, Change::Row(progress))?;
                    progress.has_row = true;
                }
                Some(progress) if !progress.has_row => {}
                // One that is done had a row only if it was marked as changed with one.
                Some(progress) => {
                    progress.has_row = false;
                    write(step, Change::NoRow)?;
                }
                None => write(step, Change::NoRow)?,
            }
        }
        Ok(())
    }

    /// Makes the first steps ready; `due_at` when they are not to run at once.
    pub fn start(
        &mut self,
        starts: &[StepIndex],
        due_at: Option<Timestamp>,
        now: Timestamp,
        request: &ClaimRequest,
    ) -> Moved {
        let mut moved = Moved::default();
        for step in starts {
            match due_at {
                None => self.make_ready(*step, now, Some(request), &mut moved.claimed),
                Some(due_at) => self.wait(*step, StepState::Ready, due_at),
            }
        }
        moved
    }

    /// Ends an attempt; `None` when its claim does not hold.
    pub fn finish(&mut self, attempt: &FinishedAttempt, request: &ClaimRequest) -> Option<Moved> {
        if !self.holds(&attempt.claim) {
            return None;
        }
        let step = attempt.claim.step;
        let mut moved = Moved::default();
        // What is claimed in passing is written down in the name of the attempt's own worker.
        let taker = Some(request).filter(|request| request.worker == attempt.claim.worker);
        match &attempt.ending {
            Ending::Complete { dependents, ends, .. } => {
                self.end_step(step, dependents, ends.as_deref(), attempt.finished_at, taker, &mut moved);
            }
            Ending::Failed { retry_at, .. } => {
                self.let_go(step);
                match retry_at {
                    Some(retry_at) => self.wait(step, StepState::WaitingForRetry, *retry_at),
                    None => self.set(step, StepState::Error),
                }
            }
        }
        self.settle(&mut moved);
        Some(moved)
    }

    /// Hands a claim back; whether it held.
    pub fn release(&mut self, claim: &Claim, due_at: Option<Timestamp>, now: Timestamp) -> bool {
        if !self.holds(claim) {
            return false;
        }
        self.let_go(claim.step);
        if let Some(progress) = self.steps.get_mut(&claim.step) {
            progress.attempts -= 1;
        }
        match due_at {
            Some(due_at) => self.wait(claim.step, StepState::Ready, due_at),
            None => self.queue(claim.step, now),
        }
        true
    }

    /// Claims a step that can run.
    pub fn claim(&mut self, step: StepIndex, worker: WorkerId, claimed_at: Timestamp) -> Claim {
        let (task, template) = (self.task, self.template);
        let progress = self.steps.entry(step).or_insert_with(|| StepProgress::new(StepState::Pending));
        progress.attempts += 1;
        let (attempt, attempts_before_reset) = (progress.attempts, progress.attempts_before_reset);
        let claim = Claim { task, template, step, attempt, attempts_before_reset, worker, claimed_at };
        progress.claim = Some(claim);
        self.claimed += 1;
        self.set(step, StepState::InProgress);
        claim
    }

    /// A step that waited has become due. Nothing is to be written down: whoever finds it due does that.
    pub fn due(&mut self, step: StepIndex) {
        if let Some(progress) = self.steps.get_mut(&step) {
            progress.due_at = None;
        }
    }

    /// Applies what an operator asks for. What becomes ready is left to whoever claims it.
    pub fn act(&mut self, action: &OperatorAction, now: Timestamp) -> Result<Moved, Refusal> {
        let mut moved = Moved::default();
        let may = match action {
            OperatorAction::Retry { .. } => self.state != TaskState::Complete,
            OperatorAction::Investigate { .. } => self.state == TaskState::Error,
            _ => !self.state.is_over(),
        };
        if !may {
            return Err(Refusal { step: None, state: self.state.as_str() });
        }
        match action {
            OperatorAction::Cancel | OperatorAction::GiveUp { .. } => {
                if let OperatorAction::GiveUp { reason } = action {
                    moved.details.dead_letter = Some(*reason);
                    moved.details.original_state = Some(self.state);
                    moved.details.waiting_for = self.waiting_for(now);
                }
                moved.revoked = self.claims().collect();
                let steps: Vec<_> = self.steps.iter().map(|(step, own)| (*step, own.has_row)).collect();
                self.changed =
                    steps.into_iter().filter(|(_, has_row)| *has_row).map(|(step, _)| step).collect();
                self.steps.clear();
                (self.moving, self.claimed) = (0, 0);
                let state =
                    if *action == OperatorAction::Cancel { TaskState::Cancelled } else { TaskState::Error };
                self.state = state;
                moved.state = Some(state);
                return Ok(moved);
            }
            OperatorAction::Investigate { status } => {
                moved.details.status = Some(*status);
                return Ok(moved);
            }
            OperatorAction::Retry { steps } => {
                let refused = steps.iter().find_map(|(step, _)| {
                    let state = self.state_of(*step);
                    let may = state == StepState::Error || self.is_reopened(*step);
                    (!may).then_some(Refusal { step: Some(*step), state: state.as_str() })
                });
                if let Some(refusal) = refused {
                    return Err(refusal);
                }
                for (step, attempts) in steps {
                    let progress =
                        self.steps.entry(*step).or_insert_with(|| StepProgress::new(StepState::Pending));
                    // A task that was given up keeps no rows: its attempts tell how many there were.
                    progress.attempts = progress.attempts.max(*attempts);
                    progress.attempts_before_reset = progress.attempts;
                    self.queue(*step, now);
                }
            }
            OperatorAction::RetryNow { step } => match self.state_of(*step) {
                StepState::WaitingForRetry => self.queue(*step, now),
                StepState::Ready => self.queue(*step, now),
                state => return Err(Refusal { step: Some(*step), state: state.as_str() }),
            },
            OperatorAction::Complete { step, dependents, ends, .. }
            | OperatorAction::Resolve { step, dependents, ends } => {
                let state = self.state_of(*step);
                if matches!(state, StepState::Complete | StepState::ResolvedManually | StepState::Pending) {
                    return Err(Refusal { step: Some(*step), state: state.as_str() });
                }
                moved.revoked =
                    self.steps.get(step).and_then(|progress| progress.claim).into_iter().collect();
                self.end_step(*step, dependents, ends.as_deref(), now, None, &mut moved);
            }
        }
        self.settle(&mut moved);
        Ok(moved)
    }

    fn waiting_for(&self, now: Timestamp) -> Option<WaitingFor> {
        let steps = self.steps.values();
        WaitingFor::of(steps.map(|step| (step.state, step.due_at.is_none_or(|due_at| due_at <= now))))
    }

    /// Whether the task is over, so that none of its unfinished steps has anything left to lose.
    fn is_reopened(&self, step: StepIndex) -> bool {
        matches!(self.state, TaskState::Cancelled | TaskState::Error) && !self.done.contains(&step)
    }

    fn state_of(&self, step: StepIndex) -> StepState {
        match self.steps.get(&step) {
            Some(progress) => progress.state,
            None if self.done.contains(&step) => StepState::Complete,
            None => StepState::Pending,
        }
    }

    /// A step is done: what waited for it counts it, and what waits for nothing else can run.
    fn end_step(
        &mut self,
        step: StepIndex,
        dependents: &[Dependent],
        ends: Option<&[StepIndex]>,
        now: Timestamp,
        request: Option<&ClaimRequest>,
        moved: &mut Moved,
    ) {
        self.let_go(step);
        if let Some(progress) = self.steps.remove(&step) {
            self.moving -= usize::from(is_moving(progress.state));
            if progress.has_row {
                self.changed.push(step);
            }
        }
        self.done.insert(step);
        for dependent in dependents {
            if self.satisfy(dependent) {
                self.make_ready(dependent.step, now, request, &mut moved.claimed);
            }
        }
        if let Some(ends) = ends {
            let left = match self.ends_left {
                Some(left) => left - 1,
                None => self.undone(ends),
            };
            self.ends_left = Some(left);
            if left == 0 {
                self.state = TaskState::Complete;
                moved.state = Some(TaskState::Complete);
            }
        }
    }

    /// One more dependency of `dependent` is done: whether that was the last.
    fn satisfy(&mut self, dependent: &Dependent) -> bool {
        if dependent.parents.len() <= 1 {
            return true;
        }
        match self.steps.get_mut(&dependent.step) {
            Some(progress) if progress.state == StepState::Pending => {
                progress.waiting_for -= 1;
                progress.waiting_for == 0
            }
            // It was claimed from the queue, and what else is known here is older than that: it waits for
            // nobody any more.
            Some(_) => false,
            None => {
                let waiting_for = self.undone(&dependent.parents);
                if waiting_for > 0 {
                    let pending = StepProgress { waiting_for, ..StepProgress::new(StepState::Pending) };
                    self.steps.insert(dependent.step, pending);
                }
                waiting_for == 0
            }
        }
    }

    fn undone(&self, steps: &[StepIndex]) -> u32 {
        let undone = steps.iter().filter(|step| !self.done.contains(step)).count();
        u32::try_from(undone).unwrap_or(u32::MAX)
    }

    /// The step can run: it is claimed in passing, or waits in the queue.
    fn make_ready(
        &mut self,
        step: StepIndex,
        now: Timestamp,
        request: Option<&ClaimRequest>,
        claimed: &mut Claimed,
    ) {
        let wanted = request.filter(|request| request.takes(self.template, step));
        match wanted.filter(|request| claimed.claims.len() < request.limit) {
            Some(request) => {
                claimed.claims.push(self.claim(step, request.worker, now));
                if let Some(progress) = self.steps.get_mut(&step) {
                    progress.in_passing = true;
                }
            }
            None => {
                self.queue(step, now);
                claimed.more |= wanted.is_some();
            }
        }
    }

    /// The step can run now.
    fn queue(&mut self, step: StepIndex, now: Timestamp) {
        let rank = rank(now, self.priority);
        self.steps.entry(step).or_insert_with(|| StepProgress::new(StepState::Pending)).rank = Some(rank);
        self.set(step, StepState::Ready);
    }

    /// The step can run when `due_at` has come.
    fn wait(&mut self, step: StepIndex, state: StepState, due_at: Timestamp) {
        self.steps.entry(step).or_insert_with(|| StepProgress::new(StepState::Pending));
        self.set(step, state);
        if let Some(progress) = self.steps.get_mut(&step) {
            progress.due_at = Some(due_at);
            progress.rank = Some(rank(due_at, self.priority));
        }
    }

    /// The step's claim ends.
    fn let_go(&mut self, step: StepIndex) {
        if let Some(progress) = self.steps.get_mut(&step)
            && progress.claim.take().is_some()
        {
            self.claimed -= 1;
            progress.in_passing = false;
        }
    }

    fn set(&mut self, step: StepIndex, state: StepState) {
        if let Some(progress) = self.steps.get_mut(&step) {
            self.moving -= usize::from(is_moving(progress.state));
            self.moving += usize::from(is_moving(state));
            progress.state = state;
            progress.due_at = None;
            if state != StepState::Ready {
                progress.rank = None;
            }
            self.changed.push(step);
        }
    }

    /// What the task comes to when nothing of it moves, or something does again.
    fn settle(&mut self, moved: &mut Moved) {
        let state = match self.state {
            TaskState::Complete => return,
            _ if self.moving > 0 => TaskState::InProgress,
            _ => TaskState::BlockedByFailures,
        };
        if state != self.state {
            self.state = state;
            moved.state = Some(state);
        }
    }
}

fn is_moving(state: StepState) -> bool {
    matches!(state, StepState::Ready | StepState::InProgress | StepState::WaitingForRetry)
}
