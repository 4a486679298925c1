//! The registration of `examples/user_registration`, without `#[step_handler]`: closures, each with
//! its callable, what it captures, what it reads, and what its errors mean, written out by hand.
//!
//! It is here to be compared with `user_registration/handlers.rs`. Closures are for handlers that
//! are only known when the program runs; a dependency's type is not checked before then.

#![allow(dead_code, reason = "the services are those of the other example, which uses all of them")]

#[path = "user_registration/services/mod.rs"]
pub mod services;

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use tasker::cli::{self, Display};
use tasker::prelude::*;
use validator::Validate as _;

use services::{
    BillingService, CreateUserAccountInput, CreateUserResult, Faults, InitPreferencesResult,
    NotificationService, PreferencesService, Remote, SendWelcomeResult, ServiceError, SetupBillingResult,
    UserService,
};

fn remote(service: &'static str) -> Remote {
    Remote::new(service, Duration::from_millis(250), Faults::None)
}

#[tokio::main]
async fn main() -> ExitCode {
    let built = register(Tasker::builder())
        .template_file(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/user_registration.yaml"))
        .only_listed_handlers()
        .store_url("memory:")
        .build()
        .await;
    let context =
        json!({ "user_info": { "email": "new.user@example.com", "name": "Jane Developer", "plan": "pro" } });
    match built {
        Ok(tasker) => {
            cli::run_task(&tasker, "microservices", "user_registration", &context, Display::new(false)).await
        }
        Err(error) => cli::cannot_start(&error),
    }
}

// From here on it is what `user_registration/handlers.rs` is there.

fn register(builder: tasker::Builder) -> tasker::Builder {
    let users = UserService::new(remote("the user service"));
    let activating_users = users.clone();
    let billing = BillingService::new(remote("the billing service"));
    let preferences = PreferencesService::new(remote("the preferences service"));
    let notifications = NotificationService::new(remote("the notification service"));
    builder
        .handler_fn("Microservices::StepHandlers::CreateUserAccountHandler", move |step: StepContext| {
            let users = users.clone();
            async move {
                let user = user_info(&step)?;
                users.create_account(&user, &step.idempotency_key()).await.map_err(step_error)
            }
        })
        .handler_fn("Microservices::StepHandlers::SetupBillingProfileHandler", move |step: StepContext| {
            let billing = billing.clone();
            async move {
                let account: CreateUserResult = step.dependency("create_user_account")?;
                billing.setup_profile(&account, &step.idempotency_key()).await.map_err(step_error)
            }
        })
        .handler_fn("Microservices::StepHandlers::InitializePreferencesHandler", move |step: StepContext| {
            let preferences = preferences.clone();
            async move {
                let account: CreateUserResult = step.dependency("create_user_account")?;
                let marketing_consent = user_info(&step)?.marketing_consent.unwrap_or(false);
                let key = step.idempotency_key();
                preferences.initialize(&account, marketing_consent, &key).await.map_err(step_error)
            }
        })
        .handler_fn("Microservices::StepHandlers::SendWelcomeSequenceHandler", move |step: StepContext| {
            let notifications = notifications.clone();
            async move {
                let account: CreateUserResult = step.dependency("create_user_account")?;
                let billing: SetupBillingResult = step.dependency("setup_billing_profile")?;
                let preferences: InitPreferencesResult = step.dependency("initialize_preferences")?;
                let key = step.idempotency_key();
                notifications.send_welcome(&account, &billing, &preferences, &key).await.map_err(step_error)
            }
        })
        .handler_fn("Microservices::StepHandlers::UpdateUserStatusHandler", move |step: StepContext| {
            let users = activating_users.clone();
            async move {
                let account: CreateUserResult = step.dependency("create_user_account")?;
                let billing: SetupBillingResult = step.dependency("setup_billing_profile")?;
                let preferences: InitPreferencesResult = step.dependency("initialize_preferences")?;
                let welcome: SendWelcomeResult = step.dependency("send_welcome_sequence")?;
                users.activate(&account, &billing, &preferences, &welcome).await.map_err(step_error)
            }
        })
}

fn user_info(step: &StepContext) -> StepResult<CreateUserAccountInput> {
    let user: CreateUserAccountInput = step.input_field("user_info")?;
    user.validate().map_err(|errors| StepError::permanent(errors).with_code("INVALID_INPUT"))?;
    Ok(user)
}

fn step_error(error: ServiceError) -> StepError {
    match &error {
        ServiceError::Rejected { code, .. } => StepError::permanent(error.to_string()).with_code(*code),
        ServiceError::Unavailable { .. } => StepError::retryable(error),
    }
}
