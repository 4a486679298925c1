//! Which store a command is about.

use clap::{ArgMatches, Args, FromArgMatches};
use tasker_runtime::Builder;

/// The variable that names the store where `--store` does not.
const VARIABLE: &str = "TASKER_STORE_URL";

/// The option `--store`, which all commands share; for a program that has commands of its own.
///
/// What `--store` says comes first, then what the environment says in `TASKER_STORE_URL`, unless that is
/// empty, and then the store that the builder was given. Flattened into an application's parser it holds
/// for the commands below as well, wherever it stands among the arguments.
///
/// ```
/// use clap::Parser;
///
/// #[derive(Debug, Parser)]
/// struct Options {
///     #[command(flatten)]
///     store: tasker::cli::StoreOptions,
/// }
///
/// let options = Options::try_parse_from(["shop", "--store", "memory:"]).unwrap();
/// let builder = options.store.apply(tasker::Tasker::builder().store_url("sqlite://shop.db"));
/// ```
#[derive(Clone, Debug, Default, Args)]
pub struct StoreOptions {
    // The value of the variable is not shown in the help: it may have a password in it.
    /// Where the tasks are kept: sqlite://PATH or postgres://USER@HOST/DATABASE; by default the program's own
    /// store, or sqlite://tasker.db [env: TASKER_STORE_URL]
    #[arg(long, global = true, value_name = "URL")]
    store: Option<String>,
}

impl StoreOptions {
    /// Whether the arguments name a store.
    pub(super) fn is_given(&self) -> bool {
        self.store.is_some()
    }

    /// Gives the builder the store that was asked for, if one was.
    #[must_use]
    pub fn apply(&self, builder: Builder) -> Builder {
        let from_environment = || std::env::var_os(VARIABLE).filter(|url| !url.is_empty());
        match self.store.clone().or_else(|| Some(from_environment()?.to_string_lossy().into_owned())) {
            Some(url) => builder.store_url(url),
            None => builder,
        }
    }
}

/// The `--store` that a parser above this command has, when the application's parser has one: a command
/// that hands its own arguments on would not see it.
#[derive(Debug, Default)]
pub(super) struct StoreAbove(StoreOptions);

impl StoreAbove {
    /// The options of the command itself, or else those above it.
    pub(super) fn unless(&self, own: &StoreOptions) -> StoreOptions {
        if own.store.is_some() { own.clone() } else { self.0.clone() }
    }
}

impl FromArgMatches for StoreAbove {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        // Without such a parser, the command knows no option of this name.
        let store = matches.try_get_one::<String>("store").ok().flatten().cloned();
        Ok(Self(StoreOptions { store }))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for StoreAbove {
    fn augment_args(parser: clap::Command) -> clap::Command {
        parser
    }

    fn augment_args_for_update(parser: clap::Command) -> clap::Command {
        parser
    }
}
