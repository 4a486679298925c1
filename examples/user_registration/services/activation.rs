//! The end of a registration: what every service has done, and whether the account is fully active.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::services::preferences::Quotas;
use crate::services::{CreateUserResult, InitPreferencesResult, Plan, SendWelcomeResult, SetupBillingResult};

const SERVICES: [&str; 4] =
    ["user_service", "billing_service", "preferences_service", "notification_service"];
const SCORE_PER_STEP: u32 = 25;

/// The end of a registration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpdateStatusResult {
    /// Identifies the account.
    pub user_id: String,
    /// Whether the account is fully active.
    pub status: RegistrationStatus,
    /// The plan of the account.
    pub plan: Plan,
    /// What all services know about the user.
    pub registration_summary: ProfileSummary,
    /// When the account was activated.
    pub activation_timestamp: Timestamp,
    /// Whether every service has done its part.
    pub all_services_coordinated: bool,
    /// The services that took part.
    pub services_completed: Vec<String>,
    /// Whether nothing is left to do.
    pub registration_complete: bool,
    /// What each service has done.
    pub registration_steps: RegistrationSteps,
    /// The share of done parts in percent.
    pub onboarding_score: u32,
    /// Repeats `registration_summary`.
    pub profile_summary: ProfileSummary,
    /// What to do next.
    pub next_steps: Vec<String>,
    /// Repeats `activation_timestamp`.
    pub activated_at: Timestamp,
}

/// Whether an account is fully active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationStatus {
    /// Every service has done its part.
    Active,
    /// Some part is missing.
    PartiallyActive,
}

/// What each service has done for a registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationSteps {
    /// Whether the account exists.
    pub account_created: bool,
    /// Whether a billing profile exists.
    pub billing_configured: bool,
    /// Whether preferences exist.
    pub preferences_initialized: bool,
    /// Whether every welcome message went out.
    pub welcome_sequence_sent: bool,
    /// How many messages were sent.
    pub notifications_sent: u32,
}

impl RegistrationSteps {
    fn are_complete(&self) -> bool {
        self.parts().into_iter().all(|is_done| is_done) && self.notifications_sent > 0
    }

    fn score(&self) -> u32 {
        let score_of = |is_done: bool| SCORE_PER_STEP * u32::from(is_done);
        self.parts().into_iter().map(score_of).sum()
    }

    fn parts(&self) -> [bool; 4] {
        [
            self.account_created,
            self.billing_configured,
            self.preferences_initialized,
            self.welcome_sequence_sent,
        ]
    }
}

/// What all services know about a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileSummary {
    /// Identifies the account.
    pub user_id: String,
    /// The name for signing in.
    pub username: String,
    /// The user's address.
    pub email: String,
    /// The user's name.
    pub name: String,
    /// The user's plan.
    pub plan: Plan,
    /// Identifies the billing profile.
    pub billing_id: String,
    /// Identifies the subscription.
    pub subscription_id: String,
    /// Identifies the preferences.
    pub preferences_id: String,
    /// The price of a month.
    pub monthly_price: f64,
    /// When the trial ends.
    pub trial_end_date: Option<Timestamp>,
    /// What the plan includes.
    pub features: Vec<String>,
    /// The limits of the plan.
    pub quotas: Quotas,
}

/// Activates an account, fully when every service has done its part.
pub(super) fn activation(
    account: &CreateUserResult,
    billing: &SetupBillingResult,
    preferences: &InitPreferencesResult,
    welcome: &SendWelcomeResult,
    now: Timestamp,
) -> UpdateStatusResult {
    let steps = RegistrationSteps {
        account_created: true,
        billing_configured: !billing.billing_id.is_empty(),
        preferences_initialized: !preferences.preferences_id.is_empty(),
        welcome_sequence_sent: welcome.all_delivered,
        notifications_sent: welcome.total_notifications,
    };
    let is_complete = steps.are_complete();
    let (status, next_steps): (_, &[&str]) = if is_complete {
        (RegistrationStatus::Active, &["complete_onboarding_checklist", "create_first_project"])
    } else {
        (RegistrationStatus::PartiallyActive, &["review_incomplete_steps"])
    };
    let summary = ProfileSummary {
        user_id: account.user_id.clone(),
        username: account.username.clone(),
        email: account.email.clone(),
        name: account.name.clone(),
        plan: account.plan,
        billing_id: billing.billing_id.clone(),
        subscription_id: billing.subscription_id.clone(),
        preferences_id: preferences.preferences_id.clone(),
        monthly_price: billing.monthly_price,
        trial_end_date: billing.trial_end_date,
        features: billing.features.clone(),
        quotas: preferences.quotas,
    };
    UpdateStatusResult {
        user_id: account.user_id.clone(),
        status,
        plan: account.plan,
        registration_summary: summary.clone(),
        activation_timestamp: now,
        all_services_coordinated: is_complete,
        services_completed: owned(&SERVICES),
        registration_complete: is_complete,
        onboarding_score: steps.score(),
        registration_steps: steps,
        profile_summary: summary,
        next_steps: owned(next_steps),
        activated_at: now,
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().copied().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::services::{
        Faults, NotificationService, Remote, notification::tests::prepared, user::tests::service,
    };

    #[tokio::test]
    async fn an_account_is_active_when_every_service_has_done_its_part() {
        type Adjust = fn(&mut SetupBillingResult, &mut InitPreferencesResult, &mut SendWelcomeResult);

        async fn check(adjust: Adjust, is_complete: bool, score: u32) {
            let (account, mut billing, mut preferences) = prepared(Plan::Pro).await;
            let mut welcome = NotificationService::new(Remote::new("test", Duration::ZERO, Faults::None))
                .send_welcome(&account, &billing, &preferences, "key-4")
                .await
                .unwrap();
            adjust(&mut billing, &mut preferences, &mut welcome);

            let result =
                service(Faults::None).activate(&account, &billing, &preferences, &welcome).await.unwrap();
            let (status, next_steps): (_, &[&str]) = if is_complete {
                ("active", &["complete_onboarding_checklist", "create_first_project"])
            } else {
                ("partially_active", &["review_incomplete_steps"])
            };
            assert_eq!(serde_json::to_value(result.status).unwrap(), status);
            assert_eq!(result.next_steps, next_steps);
            assert_eq!(result.registration_complete, is_complete);
            assert_eq!(result.all_services_coordinated, is_complete);
            assert_eq!(result.onboarding_score, score);
            assert_eq!(result.services_completed.len(), 4);
            assert_eq!(result.activated_at, result.activation_timestamp);
            assert_eq!(result.profile_summary, result.registration_summary);
            assert_eq!(result.profile_summary.billing_id, billing.billing_id);
            assert_eq!(result.profile_summary.quotas, preferences.quotas);
        }

        check(|_, _, _| {}, true, 100).await;
        check(|billing, _, _| billing.billing_id.clear(), false, 75).await;
        check(|_, preferences, _| preferences.preferences_id.clear(), false, 75).await;
        check(|_, _, welcome| welcome.all_delivered = false, false, 75).await;
        check(|_, _, welcome| welcome.total_notifications = 0, false, 100).await;
        check(
            |billing, preferences, welcome| {
                billing.billing_id.clear();
                preferences.preferences_id.clear();
                welcome.all_delivered = false;
            },
            false,
            25,
        )
        .await;
    }
}
