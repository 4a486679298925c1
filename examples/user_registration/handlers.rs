//! The five step handlers: each takes what it needs and asks a service.

use serde::Serialize;
use tasker::prelude::*;
use validator::Validate;

use crate::services::{
    BillingService, CreateUserAccountInput, CreateUserResult, InitPreferencesResult, NotificationService,
    PreferencesService, SendWelcomeResult, ServiceError, SetupBillingResult, UpdateStatusResult, UserService,
};

/// What a registration is asked for with.
#[derive(Debug, Serialize, Validate, WorkflowInput)]
pub struct Registration {
    /// What the person tells.
    #[validate(nested)]
    pub user_info: CreateUserAccountInput,
}

tasker::workflow! {
    /// Registers a user with four services.
    pub user_registration(Registration) = "templates/user_registration.yaml" {
        create_user_account,
        setup_billing_profile,
        initialize_preferences,
        send_welcome_sequence,
        update_user_status,
    }
}

/// Creates the account; asked again for the same task, gives the same account.
#[step_handler("Microservices::StepHandlers::CreateUserAccountHandler")]
pub async fn create_user_account(
    #[input("user_info")] user: CreateUserAccountInput,
    State(users): State<UserService>,
    step: StepContext,
) -> Result<CreateUserResult, ServiceError> {
    users.create_account(&user, &step.idempotency_key()).await
}

/// Sets up the billing profile of the account's plan.
#[step_handler("Microservices::StepHandlers::SetupBillingProfileHandler")]
pub async fn setup_billing_profile(
    #[depends_on(create_user_account)] account: CreateUserResult,
    State(billing): State<BillingService>,
    step: StepContext,
) -> Result<SetupBillingResult, ServiceError> {
    billing.setup_profile(&account, &step.idempotency_key()).await
}

/// Gives the account the preferences of its plan.
#[step_handler("Microservices::StepHandlers::InitializePreferencesHandler")]
pub async fn initialize_preferences(
    #[depends_on(create_user_account)] account: CreateUserResult,
    #[input("user_info")] user: CreateUserAccountInput,
    State(preferences): State<PreferencesService>,
    step: StepContext,
) -> Result<InitPreferencesResult, ServiceError> {
    let marketing_consent = user.marketing_consent.unwrap_or(false);
    preferences.initialize(&account, marketing_consent, &step.idempotency_key()).await
}

/// Welcomes the user, once billing and preferences are known.
#[step_handler("Microservices::StepHandlers::SendWelcomeSequenceHandler")]
pub async fn send_welcome_sequence(
    #[depends_on(create_user_account)] account: CreateUserResult,
    #[depends_on(setup_billing_profile)] billing: SetupBillingResult,
    #[depends_on(initialize_preferences)] preferences: InitPreferencesResult,
    State(notifications): State<NotificationService>,
    step: StepContext,
) -> Result<SendWelcomeResult, ServiceError> {
    notifications.send_welcome(&account, &billing, &preferences, &step.idempotency_key()).await
}

/// Activates the account.
#[step_handler("Microservices::StepHandlers::UpdateUserStatusHandler")]
pub async fn update_user_status(
    #[depends_on(create_user_account)] account: CreateUserResult,
    #[depends_on(setup_billing_profile)] billing: SetupBillingResult,
    #[depends_on(initialize_preferences)] preferences: InitPreferencesResult,
    #[depends_on(send_welcome_sequence)] welcome: SendWelcomeResult,
    State(users): State<UserService>,
) -> Result<UpdateStatusResult, ServiceError> {
    users.activate(&account, &billing, &preferences, &welcome).await
}

/// A service that refuses is not asked again; one that is unavailable is.
impl From<ServiceError> for StepError {
    fn from(error: ServiceError) -> Self {
        match &error {
            ServiceError::Rejected { code, .. } => Self::permanent(error.to_string()).with_code(*code),
            ServiceError::Unavailable { .. } => Self::retryable(error),
        }
    }
}
