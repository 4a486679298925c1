//! Why a runtime cannot start: all faults at once.

use std::fmt;

use tasker_store::{StoreError, chain};
use tasker_template::{Code, Diagnostics};

/// Why a runtime cannot start: all faults at once.
///
/// Its text is for people, each fault with its causes; `Debug` shows the faults as values. A `main` that
/// returns its errors as a [`Report`](crate::Report) shows the text.
#[derive(Debug)]
pub struct BuildError {
    faults: Vec<BuildFault>,
}

/// One reason why a runtime cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildFault {
    /// Faults of templates, each with its place. A template may also be one that the handlers cannot run.
    #[error("{0}")]
    Templates(Diagnostics),
    /// A directory of templates cannot be read.
    #[error("cannot read the directory of templates {directory}")]
    Directory {
        /// The directory.
        directory: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Two templates have the same namespace, name and version.
    #[error("template `{template}` is there twice: in {first} and in {second}")]
    DuplicateTemplate {
        /// Namespace, name and version.
        template: String,
        /// The first file.
        first: String,
        /// The second file.
        second: String,
    },
    /// Two handlers have the same callable.
    #[error("two handlers are registered as `{callable}`: {first} and {second}")]
    DuplicateHandler {
        /// The callable.
        callable: String,
        /// The first.
        first: String,
        /// The second.
        second: String,
    },
    /// A handler takes a state that the builder was not given.
    #[error("{handler} {}, but the builder was given none: {hint}", wants(state, *is_own))]
    #[non_exhaustive]
    MissingState {
        /// The handler and where it is.
        handler: String,
        /// The type.
        state: &'static str,
        /// Whether the handler is a method of that type.
        is_own: bool,
        /// What to do about it.
        hint: String,
    },
    /// A state was handed to the builder twice.
    #[error("the builder was given two states of type `{0}`, and a handler could not tell which it gets")]
    DuplicateState(&'static str),
    /// The builder was given a namespace that none of its templates is in.
    #[error("no template here is in the namespace `{namespace}`; {hint}")]
    UnknownNamespace {
        /// The namespace.
        namespace: String,
        /// The namespaces that there are, or the one that was probably meant.
        hint: String,
    },
    /// The builder was given an environment that none of its templates has.
    #[error("no template here has the environment `{environment}`; {hint}")]
    #[non_exhaustive]
    UnknownEnvironment {
        /// The environment.
        environment: String,
        /// The environments that there are, or the one that was probably meant.
        hint: String,
    },
    /// A setting of the builder has a value that it cannot have.
    #[error("`{setting}` is {value}, and must be {range}")]
    #[non_exhaustive]
    OutOfRange {
        /// The method of the builder.
        setting: &'static str,
        /// What it was given.
        value: String,
        /// What it can be.
        range: String,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BuildFault {
    /// The kind of fault, with its number; `None` for the faults of templates, which have one each.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let error = tasker::Tasker::builder().store_url("mysql://x").build().await.map(drop).unwrap_err();
    /// assert_eq!(error.faults()[0].code().unwrap().number().to_string(), "TSK412");
    /// # });
    /// ```
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        Some(match self {
            Self::Templates(_) => return None,
            Self::Directory { .. } => Code::Unreadable,
            Self::DuplicateTemplate { .. } => Code::DuplicateTemplate,
            Self::DuplicateHandler { .. } => Code::DuplicateHandler,
            Self::MissingState { .. } => Code::MissingState,
            Self::DuplicateState(_) => Code::DuplicateState,
            Self::UnknownNamespace { .. } => Code::UnknownNamespace,
            Self::UnknownEnvironment { .. } => Code::UnknownEnvironment,
            Self::OutOfRange { .. } => Code::OutOfRange,
            Self::Store(_) => Code::UnusableStore,
        })
    }
}

fn wants(state: &str, is_own: bool) -> String {
    if is_own { format!("is a method of `{state}`") } else { format!("takes `State<{state}>`") }
}

impl BuildError {
    pub(crate) fn new(faults: Vec<BuildFault>) -> Self {
        Self { faults }
    }

    /// Each reason.
    #[must_use]
    pub fn faults(&self) -> &[BuildFault] {
        &self.faults
    }
}

impl From<StoreError> for BuildError {
    fn from(error: StoreError) -> Self {
        Self { faults: vec![error.into()] }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            match fault.code() {
                None => write!(f, "{fault}")?,
                Some(code) => write!(f, "error[{}]: {}", code.number(), chain(fault))?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for BuildError {}
