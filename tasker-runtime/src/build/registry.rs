//! All handlers of the process, by callable and method.

use std::any::TypeId;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::build::fault::BuildFault;
use crate::handler::step_error::StepError;
use crate::handler::{
    CodeLocation, ConfigParameter, HandlerSchemas, InputParameter, Registration, StateRequirement,
    StepContext, StepFuture,
};

/// A registered handler.
#[derive(Clone)]
pub(crate) struct Handler {
    /// The name for messages: the function's, or the callable of a closure.
    pub(crate) name: String,
    pub(crate) location: Option<CodeLocation>,
    /// Its type; a closure has none.
    type_id: Option<TypeId>,
    /// The steps whose results it reads; `None` for a closure, which may read those of all ancestors.
    pub(crate) depends_on: Option<&'static [crate::handler::Dependency]>,
    /// What it takes of `handler.initialization`.
    pub(crate) configs: &'static [ConfigParameter],
    /// Whether it may read other values of `handler.initialization`.
    pub(crate) reads_other_configs: bool,
    pub(crate) input_fields: &'static [InputParameter],
    pub(crate) schemas: fn() -> HandlerSchemas,
    pub(crate) requires: Vec<StateRequirement>,
    call: Arc<dyn Fn(StepContext) -> StepFuture + Send + Sync>,
}

impl Handler {
    pub(crate) fn closure(
        callable: &str,
        call: impl Fn(StepContext) -> StepFuture + Send + Sync + 'static,
    ) -> Self {
        let name = callable.to_owned();
        Self {
            name,
            location: None,
            type_id: None,
            depends_on: None,
            configs: &[],
            reads_other_configs: true,
            input_fields: &[],
            schemas: HandlerSchemas::default,
            requires: Vec::new(),
            call: Arc::new(call),
        }
    }

    pub(crate) fn call(&self, context: StepContext) -> StepFuture {
        (self.call)(context)
    }

    /// The same handler with another function to run.
    #[cfg(feature = "testing")]
    pub(crate) fn run_by(self, call: impl Fn(StepContext) -> StepFuture + Send + Sync + 'static) -> Self {
        Self { call: Arc::new(call), ..self }
    }

    /// The handler as messages name it.
    pub(crate) fn described(&self) -> String {
        match self.location {
            Some(location) => format!("handler `{}` ({location})", self.name),
            None => format!("handler `{}`", self.name),
        }
    }
}

/// Wraps a closure in the form that the registry calls.
pub(crate) fn erased<F, T, E>(
    handler: impl Fn(StepContext) -> F + Send + Sync + 'static,
) -> impl Fn(StepContext) -> StepFuture + Send + Sync + 'static
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Serialize,
    E: Into<StepError>,
{
    move |context| context.attempt_with(&handler)
}

impl From<&Registration> for Handler {
    fn from(one: &Registration) -> Self {
        Self {
            name: one.name.to_owned(),
            location: Some(one.location).filter(CodeLocation::is_known),
            type_id: Some((one.type_id)()),
            depends_on: Some(one.depends_on),
            configs: one.configs,
            reads_other_configs: one.reads_other_configs,
            input_fields: one.input_fields,
            schemas: one.schemas,
            requires: (one.requires)(),
            call: Arc::new(one.call),
        }
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.described())
    }
}

/// The callable and the method, by which a template names a handler.
pub(crate) type Key = (String, String);

/// The method of a template's step that names none.
pub(crate) use tasker_template::DEFAULT_METHOD;

#[derive(Debug, Default)]
pub(crate) struct Registry(HashMap<Key, Arc<Handler>>);

impl Registry {
    /// Collects all handlers. Two handlers with the same key are a fault.
    pub(crate) fn collect(
        handlers: impl IntoIterator<Item = (Key, Handler)>,
        faults: &mut Vec<BuildFault>,
    ) -> Self {
        let mut registry = Self::default();
        for (key, handler) in handlers {
            match registry.0.get(&key) {
                None => {
                    registry.0.insert(key, Arc::new(handler));
                }
                // A listed handler may be self-registered as well.
                Some(first) if first.type_id.is_some() && first.type_id == handler.type_id => {}
                Some(first) => faults.push(BuildFault::DuplicateHandler {
                    callable: shown(&key),
                    first: first.described(),
                    second: handler.described(),
                }),
            }
        }
        registry
    }

    pub(crate) fn get(&self, callable: &str, method: Option<&str>) -> Option<&Arc<Handler>> {
        self.0.get(&(callable.to_owned(), method.unwrap_or(DEFAULT_METHOD).to_owned()))
    }

    #[cfg(feature = "testing")]
    pub(crate) fn put(&mut self, key: Key, handler: Handler) {
        self.0.insert(key, Arc::new(handler));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &Handler)> {
        self.0.iter().map(|(key, handler)| (key, &**handler))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn callables(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|(callable, _)| callable.as_str())
    }

    /// All handlers, each with its callable and method, in order of these.
    pub(crate) fn handlers(&self) -> impl Iterator<Item = (&str, &str, &Handler)> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all.into_iter().map(|((callable, method), handler)| (callable.as_str(), method.as_str(), &**handler))
    }

    /// What a worker says of its handlers: their callables, with the method after a dot where one is for a
    /// method.
    pub(crate) fn described(&self) -> Vec<String> {
        let described = |(callable, method): &Key| match method.as_str() {
            DEFAULT_METHOD => callable.clone(),
            method => format!("{callable}.{method}"),
        };
        let mut all: Vec<String> = self.0.keys().map(described).collect();
        all.sort_unstable();
        all
    }

    /// The handlers whose keys are not among these, as messages name them.
    pub(crate) fn unless(&self, used: &HashSet<Key>) -> Vec<String> {
        let unused = self.0.iter().filter(|(key, _)| !used.contains(*key));
        let mut all: Vec<String> = unused
            .map(|(key, handler)| format!("{}, which is registered as `{}`", handler.described(), shown(key)))
            .collect();
        all.sort_unstable();
        all
    }

    pub(crate) fn methods(&self, callable: &str) -> Vec<&str> {
        let mut methods: Vec<_> =
            self.0.keys().filter(|(own, _)| own == callable).map(|(_, method)| method.as_str()).collect();
        methods.sort_unstable();
        methods
    }
}

fn shown((callable, method): &Key) -> String {
    if method == DEFAULT_METHOD { callable.clone() } else { format!("{callable}, method {method}") }
}
