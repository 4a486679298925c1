//! The preferences service: what a new account may do and how it starts out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::services::{CreateUserResult, Plan, Remote, ServiceError, id};

/// How many settings depend on the plan.
const PLAN_DEFAULTS: u32 = 8;

/// The preferences of a new account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InitPreferencesResult {
    /// Identifies the preferences.
    pub preferences_id: String,
    /// Identifies the account they belong to.
    pub user_id: String,
    /// The plan that decided the defaults.
    pub plan: Plan,
    /// The settings themselves.
    pub preferences: Preferences,
    /// How many settings the plan decided.
    pub defaults_applied: u32,
    /// How many settings the caller decided.
    pub customizations: u32,
    /// Whether the preferences are in force.
    pub status: String,
    /// When the preferences were made.
    pub created_at: Timestamp,
    /// When the preferences last changed.
    pub updated_at: Timestamp,
    /// The features that are switched on.
    pub feature_flags: FeatureFlags,
    /// The limits of the plan.
    pub quotas: Quotas,
    /// When the defaults were written.
    pub initialized_at: Timestamp,
}

/// The settings of an account; a limit of zero means unlimited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    /// The colours of the interface.
    pub theme: String,
    /// The channels that may reach the user.
    pub notifications: Notifications,
    /// The arrangement of the dashboard.
    pub dashboard_layout: String,
    /// How many days data is kept.
    pub data_retention_days: u32,
    /// How many API calls are allowed.
    pub api_rate_limit: u32,
    /// How many projects are allowed.
    pub max_projects: u32,
    /// How many team members are allowed.
    pub max_team_members: u32,
    /// The formats that data can be exported to.
    pub export_formats: Vec<String>,
    /// The time zone of displayed times.
    pub timezone: String,
    /// The language and region of the interface.
    pub locale: String,
    /// Whether the user agreed to marketing.
    pub marketing_consent: bool,
    /// Whether the user finished the onboarding.
    pub onboarding_completed: bool,
    /// Whether signing in takes a second factor.
    pub two_factor_enabled: bool,
    /// How many idle minutes end a session.
    pub session_timeout_minutes: u32,
}

/// The channels that may reach a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notifications {
    /// Whether e-mail is allowed.
    pub email: bool,
    /// Whether push messages are allowed.
    pub push: bool,
    /// Whether text messages are allowed.
    pub sms: bool,
    /// Whether Slack messages are allowed.
    pub slack: bool,
}

/// The features that a plan switches on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureFlags {
    /// Whether unfinished features are shown.
    pub beta_features: bool,
    /// Whether detailed analytics are shown.
    pub advanced_analytics: bool,
    /// Whether the interface can carry a brand.
    pub custom_branding: bool,
    /// Whether single sign-on is offered.
    pub sso_enabled: bool,
    /// Whether an audit log is kept.
    pub audit_logging: bool,
}

/// The limits of a plan; zero means unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quotas {
    /// How many projects are allowed.
    pub max_projects: u32,
    /// How many team members are allowed.
    pub max_team_members: u32,
    /// How many API calls are allowed.
    pub api_rate_limit: u32,
    /// How many days data is kept.
    pub data_retention_days: u32,
}

/// Keeps the preferences of accounts.
#[derive(Clone, Debug)]
pub struct PreferencesService {
    remote: Remote,
}

impl PreferencesService {
    /// Reaches the service through `remote`.
    pub fn new(remote: Remote) -> Self {
        Self { remote }
    }

    /// Writes the first preferences of an account.
    ///
    /// # Errors
    ///
    /// Fails only as the remote does.
    pub async fn initialize(
        &self,
        account: &CreateUserResult,
        marketing_consent: bool,
        idempotency_key: &str,
    ) -> Result<InitPreferencesResult, ServiceError> {
        self.remote.call().await?;
        let now = Timestamp::now();
        Ok(initial(account, marketing_consent, idempotency_key, now))
    }
}

fn initial(
    account: &CreateUserResult,
    marketing_consent: bool,
    key: &str,
    now: Timestamp,
) -> InitPreferencesResult {
    let plan = account.plan;
    let preferences = defaults(plan, marketing_consent);
    InitPreferencesResult {
        preferences_id: id("pref_", key, "preferences", 20),
        user_id: account.user_id.clone(),
        plan,
        defaults_applied: PLAN_DEFAULTS,
        customizations: 0,
        status: "active".to_owned(),
        created_at: now,
        updated_at: now,
        feature_flags: feature_flags(plan),
        quotas: Quotas {
            max_projects: preferences.max_projects,
            max_team_members: preferences.max_team_members,
            api_rate_limit: preferences.api_rate_limit,
            data_retention_days: preferences.data_retention_days,
        },
        preferences,
        initialized_at: now,
    }
}

fn defaults(plan: Plan, marketing_consent: bool) -> Preferences {
    let free = Preferences {
        theme: "light".to_owned(),
        notifications: Notifications { email: true, push: false, sms: false, slack: false },
        dashboard_layout: "basic".to_owned(),
        data_retention_days: 30,
        api_rate_limit: 100,
        max_projects: 3,
        max_team_members: 1,
        export_formats: formats(&["csv"]),
        timezone: "UTC".to_owned(),
        locale: "en-US".to_owned(),
        marketing_consent,
        onboarding_completed: false,
        two_factor_enabled: false,
        session_timeout_minutes: 60,
    };
    match plan {
        Plan::Free => free,
        Plan::Pro => Preferences {
            theme: "system".to_owned(),
            notifications: Notifications { email: true, push: true, sms: false, slack: true },
            dashboard_layout: "advanced".to_owned(),
            data_retention_days: 365,
            api_rate_limit: 5_000,
            max_projects: 25,
            max_team_members: 10,
            export_formats: formats(&["csv", "json", "xlsx", "pdf"]),
            ..free
        },
        Plan::Enterprise => Preferences {
            theme: "system".to_owned(),
            notifications: Notifications { email: true, push: true, sms: true, slack: true },
            dashboard_layout: "custom".to_owned(),
            data_retention_days: 0,
            api_rate_limit: 50_000,
            max_projects: 0,
            max_team_members: 0,
            export_formats: formats(&["csv", "json", "xlsx", "pdf", "xml"]),
            two_factor_enabled: true,
            session_timeout_minutes: 30,
            ..free
        },
    }
}

fn formats(names: &[&str]) -> Vec<String> {
    names.iter().copied().map(str::to_owned).collect()
}

fn feature_flags(plan: Plan) -> FeatureFlags {
    let is_enterprise = plan == Plan::Enterprise;
    FeatureFlags {
        beta_features: plan.is_paid(),
        advanced_analytics: plan.is_paid(),
        custom_branding: is_enterprise,
        sso_enabled: is_enterprise,
        audit_logging: is_enterprise,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::services::{Faults, user::tests::account};

    fn initial_json(plan: Plan, marketing_consent: bool) -> Value {
        let now = "2026-02-20T23:30:00Z".parse().unwrap();
        serde_json::to_value(initial(&account(plan), marketing_consent, "key", now)).unwrap()
    }

    #[test]
    fn a_plan_decides_eight_settings() {
        #[track_caller]
        fn check(plan: Plan, mut settings: Value, two_factor: bool, timeout: u32) {
            let json = initial_json(plan, false);
            assert_eq!(json["defaults_applied"], settings.as_object().unwrap().len());
            assert_eq!(json["customizations"], 0);
            for quota in ["max_projects", "max_team_members", "api_rate_limit", "data_retention_days"] {
                assert_eq!(json["quotas"][quota], settings[quota], "{quota}");
            }

            settings["timezone"] = json!("UTC");
            settings["locale"] = json!("en-US");
            settings["marketing_consent"] = json!(false);
            settings["onboarding_completed"] = json!(false);
            settings["two_factor_enabled"] = json!(two_factor);
            settings["session_timeout_minutes"] = json!(timeout);
            assert_eq!(json["preferences"], settings);
        }

        check(
            Plan::Free,
            json!({
                "theme": "light",
                "notifications": {"email": true, "push": false, "sms": false, "slack": false},
                "dashboard_layout": "basic",
                "data_retention_days": 30,
                "api_rate_limit": 100,
                "max_projects": 3,
                "max_team_members": 1,
                "export_formats": ["csv"],
            }),
            false,
            60,
        );
        check(
            Plan::Pro,
            json!({
                "theme": "system",
                "notifications": {"email": true, "push": true, "sms": false, "slack": true},
                "dashboard_layout": "advanced",
                "data_retention_days": 365,
                "api_rate_limit": 5000,
                "max_projects": 25,
                "max_team_members": 10,
                "export_formats": ["csv", "json", "xlsx", "pdf"],
            }),
            false,
            60,
        );
        check(
            Plan::Enterprise,
            json!({
                "theme": "system",
                "notifications": {"email": true, "push": true, "sms": true, "slack": true},
                "dashboard_layout": "custom",
                "data_retention_days": 0,
                "api_rate_limit": 50000,
                "max_projects": 0,
                "max_team_members": 0,
                "export_formats": ["csv", "json", "xlsx", "pdf", "xml"],
            }),
            true,
            30,
        );
    }

    #[test]
    fn a_plan_switches_features_on() {
        #[track_caller]
        fn check(plan: Plan, paid: bool, enterprise: bool) {
            assert_eq!(
                initial_json(plan, false)["feature_flags"],
                json!({
                    "beta_features": paid,
                    "advanced_analytics": paid,
                    "custom_branding": enterprise,
                    "sso_enabled": enterprise,
                    "audit_logging": enterprise,
                })
            );
        }

        check(Plan::Free, false, false);
        check(Plan::Pro, true, false);
        check(Plan::Enterprise, true, true);
    }

    #[test]
    fn consent_is_kept() {
        let json = initial_json(Plan::Free, true);
        assert_eq!(json["preferences"]["marketing_consent"], true);
        assert_eq!(json["initialized_at"], "2026-02-20T23:30:00Z");
    }

    #[tokio::test]
    async fn the_same_key_gives_the_same_id() {
        let remote = Remote::new("preferences", Duration::ZERO, Faults::None);
        let service = PreferencesService::new(remote);
        let account = account(Plan::Pro);
        let first = service.initialize(&account, false, "key-1").await.unwrap();
        let again = service.initialize(&account, false, "key-1").await.unwrap();
        let other = service.initialize(&account, false, "key-2").await.unwrap();
        assert_eq!(first.preferences_id.len(), "pref_".len() + 20);
        assert_eq!(first.preferences_id, again.preferences_id);
        assert_ne!(first.preferences_id, other.preferences_id);
    }
}
