//! Fleet limits: limits that hold for all workers of a store together.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::rate::Rate;

/// The steps that a limit is on.
///
/// ```
/// use tasker::limits::LimitScope;
/// assert_eq!(LimitScope::Callable("Billing::Charge".to_owned()).to_string(), "callable `Billing::Charge`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "scope", content = "name", rename_all = "snake_case")]
#[non_exhaustive]
pub enum LimitScope {
    /// The steps that this callable runs.
    Callable(String),
    /// The steps of all templates in this namespace.
    Namespace(String),
}

impl LimitScope {
    /// The word for it: `namespace` or `callable`.
    ///
    /// ```
    /// assert_eq!(tasker::limits::LimitScope::Namespace("billing".to_owned()).word(), "namespace");
    /// ```
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Namespace(_) => "namespace",
            Self::Callable(_) => "callable",
        }
    }

    /// The name of the namespace or callable.
    ///
    /// ```
    /// assert_eq!(tasker::limits::LimitScope::Namespace("billing".to_owned()).name(), "billing");
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Namespace(name) | Self::Callable(name) => name,
        }
    }

    /// Whether the scope contains the steps of this namespace that this callable runs.
    ///
    /// ```
    /// let scope = tasker::limits::LimitScope::Namespace("billing".to_owned());
    /// assert!(scope.covers("billing", "Billing::Charge"));
    /// ```
    #[must_use]
    pub fn covers(&self, namespace: &str, callable: &str) -> bool {
        match self {
            Self::Namespace(name) => name == namespace,
            Self::Callable(name) => name == callable,
        }
    }

    /// The scope of this [`word`](Self::word) and [`name`](Self::name); `None` when there is no such word.
    pub fn of(word: &str, name: String) -> Option<Self> {
        match word {
            "namespace" => Some(Self::Namespace(name)),
            "callable" => Some(Self::Callable(name)),
            _ => None,
        }
    }
}

impl fmt::Display for LimitScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.word(), self.name())
    }
}

/// A limit that holds for all workers of a store together. The store keeps it.
///
/// ```
/// use tasker::limits::{FleetLimit, LimitScope};
/// let limit = FleetLimit::new(LimitScope::Callable("Billing::Charge".to_owned()))
///     .concurrency(10)
///     .rate("100/s".parse().unwrap());
/// assert_eq!(limit.concurrency, Some(10));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FleetLimit {
    /// The steps that it is on.
    #[serde(flatten)]
    pub scope: LimitScope,
    /// The largest number of attempts that run at a time; 0 pauses the scope. `None` sets no bound.
    pub concurrency: Option<u32>,
    /// How often attempts may start; `None` sets no bound.
    pub rate: Option<Rate>,
}

impl FleetLimit {
    /// A limit without bounds yet: it needs a concurrency, a rate, or both.
    #[must_use]
    pub fn new(scope: LimitScope) -> Self {
        Self { scope, concurrency: None, rate: None }
    }

    /// Bounds how many attempts run at a time; 0 pauses the scope.
    #[must_use]
    pub fn concurrency(mut self, attempts: u32) -> Self {
        self.concurrency = Some(attempts);
        self
    }

    /// Bounds how often attempts start.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }
}
