//! A claim on its way to its attempt: what it brings along, and what is read before the handler is called.

use std::sync::Arc;

use tasker_store::{Claim, StoreError};

use crate::build::bind::{BoundStep, BoundTemplate};
use crate::engine::active_tasks::ActiveTask;
use crate::engine::admission::AdmissionGuard;
use crate::engine::shared::Engine;
use crate::handler::StepInputs;

/// A claim to run, with its task and its admission where those are at hand.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) claim: Claim,
    task: Option<Arc<ActiveTask>>,
    admission: Option<AdmissionGuard>,
}

impl Job {
    /// `known` is a task that need not be read, should the claim be one of its steps.
    pub(super) fn new(
        claim: Claim,
        known: Option<&Arc<ActiveTask>>,
        admission: Option<AdmissionGuard>,
    ) -> Self {
        Self { claim, task: known.filter(|task| task.facts.id == claim.task).cloned(), admission }
    }

    /// The admission that came with the claim; `None` when it has yet to be asked for.
    pub(super) fn into_admission(self) -> Option<AdmissionGuard> {
        self.admission
    }

    /// Reads what running the claim takes and is not at hand. `None` when the task is no longer there.
    pub(super) async fn prepare(&self, engine: &Engine) -> Result<Option<Prepared>, StoreError> {
        let (store, claim) = (&*engine.store, &self.claim);
        let bound = engine.templates.get(claim.template, store).await?;
        engine.admission.learn(&bound);
        let reads = &bound.steps[claim.key.step as usize].facts.reads;
        let task = match &self.task {
            Some(task) => Arc::clone(task),
            None => match engine.tasks.get(claim, reads, store).await? {
                Some(task) => task,
                None => return Ok(None),
            },
        };
        let inputs = task.results(claim.key, reads, store).await?;
        Ok(Some(Prepared { claim: *claim, bound, task, inputs }))
    }
}

/// A claim with all that running it takes.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) claim: Claim,
    pub(super) bound: Arc<BoundTemplate>,
    pub(super) task: Arc<ActiveTask>,
    pub(super) inputs: StepInputs,
}

impl Prepared {
    /// The step with its handler.
    pub(super) fn step(&self) -> &BoundStep {
        &self.bound.steps[self.claim.key.step as usize]
    }

    /// The step as its template declares it.
    pub(super) fn declared(&self) -> &tasker_template::StepTemplate {
        &self.bound.template.steps[self.claim.key.step as usize]
    }
}
