//! The billing service: what a plan costs and when it is charged.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::Offset};
use serde::{Deserialize, Serialize};

use crate::services::{CreateUserResult, Plan, Remote, ServiceError, id};

const REFERRAL_DISCOUNT_PERCENT: u32 = 20;
const DAYS_WITHOUT_TRIAL: u32 = 30;

/// The billing profile of a new account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupBillingResult {
    /// Identifies the profile.
    pub billing_id: String,
    /// Identifies the subscription.
    pub subscription_id: String,
    /// Identifies the account that pays.
    pub user_id: String,
    /// The plan that is billed.
    pub plan: Plan,
    /// How often the account is charged.
    pub billing_cycle: String,
    /// The price of a month after discounts.
    pub monthly_price: f64,
    /// The price of a year, which no discount lowers.
    pub annual_price: f64,
    /// The currency of all prices.
    pub currency: String,
    /// What the plan includes.
    pub features: Vec<String>,
    /// How many days are free of charge.
    pub trial_days: u32,
    /// When the trial ends, absent without a trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_end_date: Option<Timestamp>,
    /// Whether the account has to name a means of payment.
    pub payment_method_required: bool,
    /// The day of the first charge.
    pub next_billing_date: Date,
    /// The price of one billing cycle.
    pub price: f64,
    /// Whether the profile is in its trial.
    pub status: BillingStatus,
    /// Repeats `status`.
    pub billing_status: BillingStatus,
    /// When the profile was made.
    pub created_at: Timestamp,
}

/// Whether a billing profile is in its trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BillingStatus {
    /// There is no trial.
    Active,
    /// The trial runs.
    Trial,
}

/// Keeps billing profiles.
#[derive(Clone, Debug)]
pub struct BillingService {
    remote: Remote,
}

impl BillingService {
    /// Reaches the service through `remote`.
    pub fn new(remote: Remote) -> Self {
        Self { remote }
    }

    /// Sets up the billing profile of an account.
    ///
    /// # Errors
    ///
    /// Fails only as the remote does.
    pub async fn setup_profile(
        &self,
        account: &CreateUserResult,
        idempotency_key: &str,
    ) -> Result<SetupBillingResult, ServiceError> {
        self.remote.call().await?;
        Ok(profile(account, idempotency_key, Timestamp::now()))
    }
}

struct Tier {
    monthly_cents: u32,
    annual_cents: u32,
    trial_days: u32,
    features: &'static [&'static str],
}

fn profile(account: &CreateUserResult, key: &str, now: Timestamp) -> SetupBillingResult {
    let plan = account.plan;
    let tier = tier(plan);
    let monthly_price = dollars(monthly_cents(&tier, account.referral_valid));
    let status = if plan.is_paid() { BillingStatus::Trial } else { BillingStatus::Active };
    SetupBillingResult {
        billing_id: id("bill_", key, "billing", 20),
        subscription_id: id("sub_", key, "subscription", 20),
        user_id: account.user_id.clone(),
        plan,
        billing_cycle: "monthly".to_owned(),
        monthly_price,
        annual_price: dollars(tier.annual_cents),
        currency: "USD".to_owned(),
        features: tier.features.iter().copied().map(str::to_owned).collect(),
        trial_days: tier.trial_days,
        trial_end_date: (tier.trial_days > 0).then(|| now + days(tier.trial_days)),
        payment_method_required: plan.is_paid(),
        next_billing_date: next_billing_date(Offset::UTC.to_datetime(now).date(), tier.trial_days),
        price: monthly_price,
        status,
        billing_status: status,
        created_at: now,
    }
}

fn tier(plan: Plan) -> Tier {
    match plan {
        Plan::Free => Tier {
            monthly_cents: 0,
            annual_cents: 0,
            trial_days: 0,
            features: &["basic_access", "community_support", "1gb_storage"],
        },
        Plan::Pro => Tier {
            monthly_cents: 2_999,
            annual_cents: 29_990,
            trial_days: 14,
            features: &["basic_access", "priority_support", "50gb_storage", "api_access", "analytics"],
        },
        Plan::Enterprise => Tier {
            monthly_cents: 29_999,
            annual_cents: 299_990,
            trial_days: 14,
            features: &[
                "basic_access",
                "dedicated_support",
                "unlimited_storage",
                "api_access",
                "analytics",
                "sso",
                "audit_logs",
                "custom_integrations",
            ],
        },
    }
}

fn monthly_cents(tier: &Tier, referral_valid: bool) -> u32 {
    if referral_valid {
        // Half a cent rounds up.
        (tier.monthly_cents * (100 - REFERRAL_DISCOUNT_PERCENT) + 50) / 100
    } else {
        tier.monthly_cents
    }
}

fn next_billing_date(today: Date, trial_days: u32) -> Date {
    let wait = if trial_days > 0 { trial_days } else { DAYS_WITHOUT_TRIAL };
    today + days(wait)
}

fn days(count: u32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(count))
}

fn dollars(cents: u32) -> f64 {
    f64::from(cents) / 100.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::civil::date;

    use super::*;
    use crate::services::{Faults, user::tests::account};

    #[test]
    fn a_plan_sets_price_trial_and_features() {
        #[track_caller]
        fn check(plan: Plan, monthly: f64, annual: f64, trial_days: u32, features: &str) {
            let profile = profile(&account(plan), "key", "2026-02-20T23:30:00Z".parse().unwrap());
            assert_eq!(profile.plan, plan);
            assert_eq!(profile.monthly_price, monthly);
            assert_eq!(profile.price, monthly);
            assert_eq!(profile.annual_price, annual);
            assert_eq!(profile.trial_days, trial_days);
            assert_eq!(profile.features.join(" "), features);
            assert_eq!(profile.payment_method_required, trial_days > 0);
            assert_eq!(profile.status, profile.billing_status);
            assert_eq!(profile.billing_id.len(), "bill_".len() + 20);
            assert_eq!(profile.subscription_id.len(), "sub_".len() + 20);
        }

        check(Plan::Free, 0.0, 0.0, 0, "basic_access community_support 1gb_storage");
        check(
            Plan::Pro,
            29.99,
            299.90,
            14,
            "basic_access priority_support 50gb_storage api_access analytics",
        );
        check(
            Plan::Enterprise,
            299.99,
            2999.90,
            14,
            "basic_access dedicated_support unlimited_storage api_access analytics sso audit_logs \
             custom_integrations",
        );
    }

    #[test]
    fn a_valid_referral_lowers_only_the_monthly_price() {
        for (plan, monthly, annual) in
            [(Plan::Free, 0.0, 0.0), (Plan::Pro, 23.99, 299.90), (Plan::Enterprise, 239.99, 2999.90)]
        {
            let mut account = account(plan);
            account.referral_valid = true;
            let profile = profile(&account, "key", Timestamp::UNIX_EPOCH);
            assert_eq!(profile.monthly_price, monthly, "{plan}");
            assert_eq!(profile.price, monthly, "{plan}");
            assert_eq!(profile.annual_price, annual, "{plan}");
        }
    }

    #[test]
    fn the_first_charge_follows_the_trial() {
        #[track_caller]
        fn check(plan: Plan, status: &str, trial_end: Option<&str>, next_billing: &str) {
            let now = "2026-02-20T23:30:00Z".parse().unwrap();
            let json = serde_json::to_value(profile(&account(plan), "key", now)).unwrap();
            assert_eq!(json["status"], status);
            assert_eq!(json.get("trial_end_date").and_then(|end| end.as_str()), trial_end);
            assert_eq!(json["next_billing_date"], next_billing);
            assert_eq!(json["created_at"], "2026-02-20T23:30:00Z");
        }

        let trial_end = Some("2026-03-06T23:30:00Z");
        check(Plan::Free, "active", None, "2026-03-22");
        check(Plan::Pro, "trial", trial_end, "2026-03-06");
        check(Plan::Enterprise, "trial", trial_end, "2026-03-06");

        assert_eq!(next_billing_date(date(2027, 12, 31), 0), date(2028, 1, 30));
    }

    #[tokio::test]
    async fn the_same_key_gives_the_same_ids() {
        let service = BillingService::new(Remote::new("billing", Duration::ZERO, Faults::None));
        let account = account(Plan::Pro);
        let first = service.setup_profile(&account, "key-1").await.unwrap();
        let again = service.setup_profile(&account, "key-1").await.unwrap();
        let other = service.setup_profile(&account, "key-2").await.unwrap();
        assert_eq!(first.billing_id, again.billing_id);
        assert_eq!(first.subscription_id, again.subscription_id);
        assert_ne!(first.billing_id, other.billing_id);
    }
}
