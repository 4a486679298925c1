//! Registers a user with four services: the account first, billing and preferences side by side,
//! the welcome once both are done, and last the activation.
//!
//! `cargo run examples/user_registration` runs it; `-- --help` after it says what can be changed.

pub mod handlers;
pub mod services;

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use tasker::Builder;
use tasker::cli::{self, Display};
use tasker::prelude::*;

use handlers::{Registration, user_registration};
use services::{
    BillingService, CreateUserAccountInput, Faults, NotificationService, PreferencesService, Remote,
    UserService,
};

/// Registers a user with four simulated services, durably.
///
/// Kill it and run it again: it goes on where it was. `worker` instead runs the steps of registrations that
/// other processes ask for, and `task` steers them. Exit codes: 0 the user is registered, 1 a step failed for
/// good, 2 wrong arguments, 3 it cannot start, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "user_registration", version)]
struct Options {
    #[command(subcommand)]
    command: Option<cli::Commands>,
    /// The user's e-mail address
    #[arg(long, default_value = "new.user@example.com")]
    email: String,
    /// The user's name
    #[arg(long, default_value = "Jane Developer")]
    name: String,
    /// free, pro or enterprise
    #[arg(long, default_value = "pro")]
    plan: String,
    /// REF- and eight capitals or digits take 20 % off
    #[arg(long)]
    referral_code: Option<String>,
    /// Make a service fail: `billing=2` for its first two calls, `billing=permanent` for all; the last one
    /// for a service counts
    #[arg(long, global = true, value_name = "SERVICE=TIMES|permanent")]
    fail: Vec<Fault>,
    /// How long each call of a service takes
    #[arg(long, global = true, default_value_t = 250, value_name = "MS")]
    latency: u64,
    /// Multiplies the delays between attempts: 0.1 makes 2 s into 200 ms
    #[arg(long, global = true, default_value_t = 1.0, value_parser = cli::factor, value_name = "FACTOR")]
    time_scale: f64,
    /// The file that the task is kept in, unless a store is named
    #[arg(long, default_value = "user_registration.db", conflicts_with = "store", value_name = "PATH")]
    db: PathBuf,
    #[command(flatten)]
    store: cli::StoreOptions,
    /// A template file in place of the one that the program was checked with
    #[arg(long, global = true, value_name = "PATH")]
    template: Option<PathBuf>,
    /// Print the task as JSON instead
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Service {
    User,
    Billing,
    Preferences,
    Notification,
}

#[derive(Clone, Copy, Debug)]
struct Fault {
    service: Service,
    faults: Faults,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (service, faults) = text.split_once('=').ok_or("write SERVICE=TIMES or SERVICE=permanent")?;
        let service = Service::from_str(service, false)
            .map_err(|_| format!("`{service}` is no service: user, billing, preferences or notification"))?;
        let faults = match faults {
            "permanent" => Faults::Permanent,
            times => {
                Faults::Times(times.parse().map_err(|_| format!("`{times}` is no number, nor `permanent`"))?)
            }
        };
        Ok(Self { service, faults })
    }
}

impl Options {
    fn remote(&self, service: Service, name: &'static str) -> Remote {
        let fault = self.fail.iter().rfind(|fault| fault.service == service);
        let faults = fault.map_or(Faults::None, |fault| fault.faults);
        Remote::new(name, Duration::from_millis(self.latency), faults)
    }

    /// The runtime: the template, the store, and the services that the handlers take.
    fn builder(&self) -> Builder {
        let builder = match &self.template {
            Some(path) => Tasker::builder().template_file(path),
            None => Tasker::builder().workflow(user_registration),
        };
        builder
            .store_url(format!("sqlite://{}", self.db.display()))
            .state(UserService::new(self.remote(Service::User, "the user service")))
            .state(BillingService::new(self.remote(Service::Billing, "the billing service")))
            .state(PreferencesService::new(self.remote(Service::Preferences, "the preferences service")))
            .state(NotificationService::new(self.remote(Service::Notification, "the notification service")))
            .backoff_scale(self.time_scale)
    }

    fn registration(self) -> Registration {
        let Self { email, name, plan, referral_code, .. } = self;
        let marketing_consent = None;
        Registration {
            user_info: CreateUserAccountInput {
                email,
                name,
                plan: Some(plan),
                referral_code,
                marketing_consent,
            },
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let (builder, display) = (options.builder(), Display::new(options.json));
    if let Some(commands) = options.command {
        return cli::App::new(builder).version(env!("CARGO_PKG_VERSION")).run(commands).await;
    }
    cli::log_to_stderr();
    match options.store.apply(builder).build().await {
        Ok(tasker) => {
            cli::run_workflow(user_registration::create(&tasker, options.registration()), display).await
        }
        Err(error) => cli::cannot_start(&error),
    }
}
