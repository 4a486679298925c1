//! What admission knows: the steps, the limits, which step falls under which limit, and which steps are
//! excluded for it.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use tasker_store::{Excluded, IdMap, LimitScope, TemplateId};
use tasker_template::StepIndex;
use tokio::time::Instant;

use crate::build::bind::BoundTemplate;
use crate::engine::admission::fleet_share::FleetShare;
use crate::engine::admission::scope_limit::ScopeLimit;
use crate::engine::settings::WorkerSettings;

/// The steps and limits that this worker knows.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// The namespaces that this worker serves; `None` for all.
    namespaces: Option<BTreeSet<String>>,
    /// The environment of this worker; `None` for none.
    environment: Option<String>,
    templates: HashSet<TemplateId>,
    pub(super) steps: IdMap<(TemplateId, StepIndex), Step>,
    pub(super) limits: Vec<ScopeLimit>,
    /// The steps that this worker does not take at the moment, as the store is told.
    pub(super) excluded: Arc<Excluded>,
    /// Whether a step is no longer excluded, and the dispatcher has not been told so.
    pub(super) has_freed: bool,
}

/// A step of a template.
#[derive(Debug)]
pub(super) struct Step {
    namespace: Arc<str>,
    callable: Arc<str>,
    /// Whether this worker has a handler for it, and serves its namespace and the task's environment.
    pub(super) is_ours: bool,
    /// The limits that it falls under, as indices into [`Table::limits`].
    pub(super) limits: Vec<usize>,
    /// How many attempts of it run here.
    pub(super) running: u32,
}

impl Step {
    fn is_in(&self, scope: &LimitScope) -> bool {
        scope.covers(&self.namespace, &self.callable)
    }

    fn find_limits(&mut self, limits: &[ScopeLimit]) {
        let found = (0..).zip(limits).filter(|(_, limit)| self.is_in(limit.scope()));
        self.limits = found.map(|(index, _)| index).collect();
    }
}

impl Table {
    pub(super) fn new(settings: &WorkerSettings) -> Self {
        let limits = settings.worker_limits.iter().map(|(scope, max)| {
            ScopeLimit::of_worker(scope.clone(), u32::try_from(*max).unwrap_or(u32::MAX))
        });
        let (namespaces, environment) = (settings.namespaces.clone(), settings.environment.clone());
        Self { namespaces, environment, limits: limits.collect(), ..Self::default() }
    }

    /// Whether steps of this namespace run here.
    pub(super) fn serves(&self, namespace: &str) -> bool {
        self.namespaces.as_ref().is_none_or(|served| served.contains(namespace))
    }

    /// Takes note of a template's steps.
    pub(super) fn learn(&mut self, bound: &BoundTemplate) {
        if !self.templates.insert(bound.id) {
            return;
        }
        let is_served =
            self.serves(&bound.template.namespace) && bound.template.runs_in(self.environment.as_deref());
        let namespace: Arc<str> = bound.template.namespace.as_str().into();
        for (index, (declared, own)) in (0..).zip(bound.template.steps.iter().zip(&bound.steps)) {
            let mut step = Step {
                namespace: Arc::clone(&namespace),
                callable: declared.handler.callable.as_str().into(),
                is_ours: own.handler.is_some() && is_served,
                limits: Vec::new(),
                running: 0,
            };
            step.find_limits(&self.limits);
            self.steps.insert((bound.id, index), step);
        }
        self.refresh_excluded(Instant::now());
    }

    /// The limits have changed: finds anew which step falls under which.
    pub(super) fn limits_changed(&mut self, now: Instant) {
        self.steps.values_mut().for_each(|step| step.find_limits(&self.limits));
        self.refresh_excluded(now);
    }

    /// How many attempts of steps in this scope run here.
    pub(super) fn running_in(&self, scope: &LimitScope) -> u32 {
        self.steps.values().filter(|step| step.is_in(scope)).map(|step| step.running).sum()
    }

    /// The steps that fall under any of the limits that are asked for by their index.
    pub(super) fn steps_under(
        &self,
        is_asked_for: impl Fn(usize) -> bool,
    ) -> impl Iterator<Item = (TemplateId, StepIndex)> {
        let steps = self.steps.iter();
        steps
            .filter(move |(_, step)| step.limits.iter().any(|limit| is_asked_for(*limit)))
            .map(|(key, _)| *key)
    }

    /// What this worker holds under each fleet limit, and how many attempts run here under it.
    pub(super) fn fleet_shares(&self) -> impl Iterator<Item = (&FleetShare, u32)> {
        self.limits.iter().filter_map(|limit| Some((limit.fleet_share()?, limit.running())))
    }

    /// Finds anew which steps this worker does not take.
    pub(super) fn refresh_excluded(&mut self, now: Instant) {
        let is_excluded: Vec<bool> = self.limits.iter().map(|limit| limit.is_excluded(now)).collect();
        let others = self.steps.iter().filter(|(_, step)| !step.is_ours).map(|(key, _)| *key);
        let excluded: Excluded = self.steps_under(|limit| is_excluded[limit]).chain(others).collect();
        self.has_freed |= self.excluded.iter().any(|step| !excluded.contains(step));
        self.excluded = Arc::new(excluded);
    }
}
