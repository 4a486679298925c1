//! The registration of `examples/user_registration` without Tasker, as a careful person writes it with tokio and
//! SQLite: retries, two branches side by side, and progress that survives a crash.
//!
//! It is here to be compared with the other example: `docs/comparison.md` has both, and what this one lacks.
//! `cargo run --example user_registration_by_hand -- --help` says what can be changed.

#![allow(dead_code, reason = "the services are those of the other example, which uses all of them")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "it is a program for a terminal")]

pub mod progress;
pub mod registration;
#[path = "../user_registration/services/mod.rs"]
pub mod services;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;

use progress::{Failure, Progress};
use registration::Registrations;
use services::{
    BillingService, CreateUserAccountInput, Faults, NotificationService, PreferencesService, Remote,
    UpdateStatusResult, UserService,
};

/// Registers a user with four simulated services, after those whose registration was interrupted.
#[derive(Debug, Parser)]
struct Options {
    /// The user's e-mail address; the same address is the same registration
    #[arg(long, default_value = "new.user@example.com")]
    email: String,
    /// The file that the progress is kept in
    #[arg(long, default_value = "user_registration_by_hand.db", value_name = "PATH")]
    db: PathBuf,
    /// How long each call of a service takes
    #[arg(long, default_value_t = 250, value_name = "MS")]
    latency: u64,
}

fn registrations(progress: Progress, latency: Duration, billing: Faults) -> Arc<Registrations> {
    let remote = |service| Remote::new(service, latency, Faults::None);
    Arc::new(Registrations {
        progress,
        users: UserService::new(remote("the user service")),
        billing: BillingService::new(Remote::new("the billing service", latency, billing)),
        preferences: PreferencesService::new(remote("the preferences service")),
        notifications: NotificationService::new(remote("the notification service")),
    })
}

async fn run(options: Options) -> Result<UpdateStatusResult, Failure> {
    let progress = Progress::open(&options.db)?;
    let all = registrations(progress, Duration::from_millis(options.latency), Faults::None);
    for recovered in all.recover().await? {
        match recovered {
            Ok(status) => eprintln!("went on with the registration of {}", status.user_id),
            Err(failure) => eprintln!("a registration that was interrupted: {failure}"),
        }
    }
    let user = CreateUserAccountInput {
        email: options.email.clone(),
        name: "Jane Developer".to_owned(),
        plan: Some("pro".to_owned()),
        referral_code: None,
        marketing_consent: None,
    };
    all.register(&options.email, &user).await
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(status) => {
            println!("{} is {:?}", status.user_id, status.status);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
