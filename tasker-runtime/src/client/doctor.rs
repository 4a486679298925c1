//! Looks at a store, page by page, whether it keeps its own rules. The rules are those of `tasker_store::doctor`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tasker_store::doctor::{
    Facts, FactsRequest, Finding, FindingKind, Repair, Suspect, TaskFacts, TemplateFacts, WorkerFacts, check,
    claims, suspects,
};
use tasker_store::{
    Acted, ActionRequest, Claim, OperatorAction, StepKey, StoreError, TaskState, TemplateId, chain,
};

use crate::client::doctor_report::{DoctorOptions, DoctorReport};
use crate::client::error::Error;
use crate::client::tasker::Tasker;
use crate::engine::{Engine, end_as_crashed};

/// How many tasks are read at a time.
const PAGE: usize = 100;
/// How often claims of dead workers are looked at again before they are findings.
const LOOKS: u32 = 8;

impl Tasker {
    /// Checks whether the store keeps its own rules: no task is stuck, no claim of a dead worker is left, counters
    /// and states follow from the attempts that are recorded, every record can be read, and the database itself
    /// is in order. Workers may be running meanwhile. Nothing is changed unless the options ask for repairs.
    ///
    /// It reads a page of tasks at a time, each as of one moment. Claims of dead workers are looked at a second
    /// time after a while, which takes a few seconds when there are some.
    ///
    /// # Errors
    ///
    /// When the store fails.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use tasker::doctor::DoctorOptions;
    /// let tasker = tasker::Tasker::builder().store_url("memory:").build().await?;
    /// let report = tasker.doctor(&DoctorOptions::new().complete_tasks()).await?;
    /// assert!(report.is_content(), "{report:#?}");
    /// # tasker.shutdown().await;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn doctor(&self, options: &DoctorOptions) -> Result<DoctorReport, Error> {
        let engine = self.engine();
        let report = DoctorReport::new(engine.store.name());
        let doctor = Doctor { engine, options, report, templates: HashMap::new(), suspects: Vec::new() };
        Ok(doctor.look().await?)
    }
}

/// What to do about that which a repair has not mended.
const NOT_MENDED: &str =
    "`--repair` has not mended it, for the record does not say how: correct the row by hand.";

/// A template that was read, or why it cannot be.
type Known = Result<Arc<TemplateFacts>, (FindingKind, String)>;

struct Doctor<'a> {
    engine: &'a Arc<Engine>,
    options: &'a DoctorOptions,
    report: DoctorReport,
    templates: HashMap<TemplateId, Known>,
    /// Claims to look at a second time, each with the state of its task.
    suspects: Vec<(Suspect, TaskState)>,
}

impl Doctor<'_> {
    async fn look(mut self) -> Result<DoctorReport, StoreError> {
        let store = &self.engine.store;
        for finding in store.inspect(self.options.repair).await? {
            self.report.add(finding);
        }
        if self.report.findings.iter().any(|finding| finding.kind == FindingKind::Damaged) {
            return Ok(self.report);
        }
        self.limits().await?;
        let mut workers = Vec::new();
        let states = TaskState::ALL.iter().copied();
        for state in states.filter(|state| self.options.complete_tasks || *state != TaskState::Complete) {
            let mut request = FactsRequest { state, after: None, limit: PAGE };
            loop {
                let facts = self.engine.store.facts(request).await?;
                for task in &facts.tasks {
                    self.task(task, &facts.workers).await?;
                }
                workers = facts.workers;
                request.after = facts.last;
                if facts.last.is_none() {
                    break;
                }
            }
        }
        self.report.looked_at.workers = workers.len() as u64;
        self.claims(workers.iter().any(|worker| worker.alive)).await?;
        self.report.looked_at.templates = self.templates.len() as u64;
        Ok(self.report)
    }

    async fn limits(&mut self) -> Result<(), StoreError> {
        for record in self.engine.store.limits().await? {
            self.report.looked_at.limits += 1;
            let Some(max) = record.limit.concurrency.filter(|max| record.held > *max) else { continue };
            let what = format!(
                "{} permits are held under the limit on {}, which is {max}.",
                record.held, record.limit.scope
            );
            let way_out = "Where it was lowered, they are given back as attempts end.";
            self.report.add(Finding::new(FindingKind::TooManyPermits, what, way_out));
        }
        Ok(())
    }

    async fn task(&mut self, facts: &TaskFacts, workers: &[WorkerFacts]) -> Result<(), StoreError> {
        let mut claims = claims(facts);
        self.report.looked_at.add(facts, claims.len());
        self.claims_of_no_step(facts, &mut claims).await?;
        let state = facts.row.state;
        self.suspects.extend(suspects(claims, workers).into_iter().map(|suspect| (suspect, state)));
        self.unreadable(facts).await?;
        let template = match self.template(facts.row.template).await? {
            Ok(template) => template,
            Err(_) if !facts.is_whole => return Ok(()),
            Err((kind, reason)) => {
                let what = format!("the task's template {} {reason}.", facts.row.template);
                let way_out = "Workers that have loaded this version of the template run its steps, and others fail \
                               them for good: stop those and start one that has it, or cancel the task.";
                let (task, since) = (Some(facts.row.task), Some(facts.row.created_at));
                let finding = Finding::new(kind, what, way_out);
                self.report.add(finding.about(task, None).since(since));
                return Ok(());
            }
        };
        let mut findings = check(facts, &template);
        if self.options.repair && findings.iter().any(|finding| finding.repair() == Repair::Task) {
            let remaining = self.repair(facts, &template).await?;
            findings = findings
                .into_iter()
                .map(|finding| {
                    let remains =
                        remaining.iter().any(|one| (one.kind, &one.step) == (finding.kind, &finding.step));
                    match remains && finding.is_derived_anew() {
                        true => finding.instead(NOT_MENDED),
                        false => finding.with_repaired(!remains),
                    }
                })
                .collect();
        }
        findings.into_iter().for_each(|finding| self.report.add(finding));
        Ok(())
    }

    /// Takes out claims of steps that the template does not have: what names them is no record of a claim.
    async fn claims_of_no_step(
        &mut self,
        facts: &TaskFacts,
        claims: &mut Vec<Claim>,
    ) -> Result<(), StoreError> {
        let Ok(template) = self.template(facts.row.template).await? else { return Ok(()) };
        let is_known = |claim: &&Claim| (claim.key.step as usize) < template.graph.len();
        if let Some(claim) = claims.iter().find(|claim| !is_known(claim)) {
            let what =
                format!("step #{} is recorded as claimed, and the template has no such step.", claim.key);
            let way_out = "Correct the record by hand: the column `claimed` of the task or of its attempts.";
            let finding = Finding::new(FindingKind::RecordUnreadable, what, way_out);
            self.report.add(finding.about(Some(facts.row.task), None));
        }
        claims.retain(|claim| is_known(&claim));
        Ok(())
    }

    /// Records of the task that cannot be read.
    async fn unreadable(&mut self, facts: &TaskFacts) -> Result<(), StoreError> {
        for unreadable in &facts.unreadable {
            let step = match unreadable.run {
                Some(run) => Some(self.name_of(facts.row.template, run).await?),
                None => None,
            };
            let what = format!("a record cannot be read: {}.", unreadable.error);
            let way_out = "Correct the record by hand. Without it the task can be neither run nor steered, if \
                           `task show` cannot read it either; create it again then.";
            let finding = Finding::new(FindingKind::RecordUnreadable, what, way_out);
            self.report.add(finding.about(Some(facts.row.task), step));
        }
        Ok(())
    }

    /// Repairs a task. Returns what is wrong with it afterwards.
    async fn repair(&self, facts: &TaskFacts, template: &TemplateFacts) -> Result<Vec<Finding>, StoreError> {
        let (engine, task) = (self.engine, facts.row.task);
        let recorded = facts.recorded().into_iter().collect();
        let action = OperatorAction::Repair { graph: Arc::clone(&template.graph), recorded };
        let (by, reason) = ("doctor".to_owned(), "its rows contradicted its attempts".to_owned());
        let acted = engine.act(ActionRequest { task, action, by, reason, at: engine.clock.now() }).await?;
        let state = match acted {
            Acted::Done { state, .. } => state,
            _ => facts.row.state,
        };
        let facts = engine.store.facts(FactsRequest::only(task, state)).await?;
        let same = facts.tasks.iter().find(|one| one.row.task == task);
        Ok(same.map(|facts| check(facts, template)).unwrap_or_default())
    }

    /// Claims of workers that are dead, or not known. Living workers are about to end the former: only those
    /// are findings that are still there once these have had the time.
    async fn claims(&mut self, is_anybody_alive: bool) -> Result<(), StoreError> {
        let mut left = std::mem::take(&mut self.suspects);
        let mut looks = if is_anybody_alive { LOOKS } else { 1 };
        while looks > 0 && !left.is_empty() {
            let before = left.len();
            if is_anybody_alive {
                tokio::time::sleep(self.second_look() / LOOKS).await;
            }
            left = self.still_there(left).await?;
            // As long as there are fewer each time, somebody is at it.
            looks = if left.len() < before { LOOKS } else { looks - 1 };
        }
        for (suspect, state) in left {
            let step = self.name_of(suspect.claim.template, suspect.claim.key).await?;
            let mut finding = suspect.finding(step, is_anybody_alive);
            if self.template(suspect.claim.template).await?.is_err() {
                // It would be ended for good, for nobody knows whether it may be tried again.
                finding = finding.instead(
                    "A worker that has loaded this version of the template ends it as crashed, and any other as \
                     failed for good: stop those and start one that has it.",
                );
            } else if self.options.repair {
                let ended = end_as_crashed(self.engine, suspect.claim).await;
                if let Err(error) = &ended {
                    let error = chain(error);
                    tracing::warn!(task = %suspect.claim.task, %error, "a claim could not be ended");
                }
                let left = self.still_there(vec![(suspect, state)]).await?;
                finding = finding.with_repaired(left.is_empty());
            }
            self.report.add(finding);
        }
        Ok(())
    }

    fn second_look(&self) -> Duration {
        let reap_interval = self.engine.settings.reap_interval;
        self.options.second_look.unwrap_or(reap_interval + reap_interval / 4)
    }

    /// Those of the claims that hold, and whose owners are dead or unknown.
    async fn still_there(
        &self,
        suspected: Vec<(Suspect, TaskState)>,
    ) -> Result<Vec<(Suspect, TaskState)>, StoreError> {
        let mut left = Vec::new();
        for (suspect, state) in suspected {
            let task = suspect.claim.task;
            let Facts { tasks, workers, .. } =
                self.engine.store.facts(FactsRequest::only(task, state)).await?;
            let Some(facts) = tasks.iter().find(|facts| facts.row.task == task) else { continue };
            let now = suspects(claims(facts), &workers);
            left.extend(now.into_iter().find(|one| one.claim == suspect.claim).map(|one| (one, state)));
        }
        Ok(left)
    }

    async fn name_of(&mut self, template: TemplateId, run: StepKey) -> Result<String, StoreError> {
        Ok(match self.template(template).await? {
            Ok(template) => template.name_of(run),
            Err(_) => format!("#{run}"),
        })
    }

    async fn template(&mut self, id: TemplateId) -> Result<Known, StoreError> {
        if let Some(known) = self.templates.get(&id) {
            return Ok(known.clone());
        }
        let known = match self.engine.store.template(id).await? {
            Some(record) => TemplateFacts::read(&record)
                .map(Arc::new)
                .map_err(|error| (FindingKind::TemplateUnreadable, format!("cannot be read: {error}"))),
            None => Err((FindingKind::TemplateMissing, "is not in the store".to_owned())),
        };
        self.templates.insert(id, known.clone());
        Ok(known)
    }
}
