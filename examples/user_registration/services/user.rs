//! The user service: accounts, from what a person tells to their activation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use validator::{Validate, ValidationError};

use crate::services::{
    InitPreferencesResult, Plan, Remote, SendWelcomeResult, ServiceError, SetupBillingResult,
    UpdateStatusResult, activation::activation, id,
};

const BLOCKED_DOMAINS: [&str; 3] = ["tempmail.com", "throwaway.email", "mailinator.com"];

/// What a person tells us when registering.
#[derive(Clone, Debug, Serialize, Deserialize, Validate)]
pub struct CreateUserAccountInput {
    /// The address that receives the welcome.
    #[serde(default)]
    #[validate(custom(function = "check_email"))]
    pub email: String,
    /// The person's name.
    #[serde(default)]
    #[validate(custom(function = "check_present"))]
    pub name: String,
    /// The wanted plan, free when absent.
    pub plan: Option<String>,
    /// The code of the user who referred this one.
    pub referral_code: Option<String>,
    /// Whether the person agrees to marketing.
    pub marketing_consent: Option<bool>,
}

/// A new account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateUserResult {
    /// Identifies the account.
    pub user_id: String,
    /// The name made for signing in.
    pub username: String,
    /// The address in lower case.
    pub email: String,
    /// The person's name as given.
    pub name: String,
    /// The plan of the account.
    pub plan: Plan,
    /// The referral code as given, valid or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral_code: Option<String>,
    /// Whether the referral code earns a discount.
    pub referral_valid: bool,
    /// What happened to the account.
    pub status: String,
    /// Repeats `status`.
    pub account_status: String,
    /// Whether the address is proven.
    pub email_verified: bool,
    /// Proves the address when it comes back.
    pub verification_token: String,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// Keeps accounts.
///
/// Clones share the accounts.
#[derive(Clone, Debug)]
pub struct UserService {
    remote: Remote,
    accounts: Arc<Mutex<HashMap<String, CreateUserResult>>>,
}

impl UserService {
    /// Reaches the service through `remote`.
    pub fn new(remote: Remote) -> Self {
        Self { remote, accounts: Arc::default() }
    }

    /// Creates an account, or answers with the one that the same key created before.
    ///
    /// # Errors
    ///
    /// Rejects throw-away addresses and unknown plans, and fails as the remote does.
    pub async fn create_account(
        &self,
        input: &CreateUserAccountInput,
        idempotency_key: &str,
    ) -> Result<CreateUserResult, ServiceError> {
        self.remote.call().await?;
        let mut accounts = self.accounts.lock().expect("nothing panics while it holds the accounts");
        if let Some(account) = accounts.get(idempotency_key) {
            return Ok(account.clone());
        }
        let account = new_account(input, idempotency_key, Timestamp::now())?;
        accounts.insert(idempotency_key.to_owned(), account.clone());
        Ok(account)
    }

    /// Activates an account, fully when every service has done its part.
    ///
    /// # Errors
    ///
    /// Fails only as the remote does.
    pub async fn activate(
        &self,
        account: &CreateUserResult,
        billing: &SetupBillingResult,
        preferences: &InitPreferencesResult,
        welcome: &SendWelcomeResult,
    ) -> Result<UpdateStatusResult, ServiceError> {
        self.remote.call().await?;
        let now = Timestamp::now();
        Ok(activation(account, billing, preferences, welcome, now))
    }
}

fn check_email(email: &str) -> Result<(), ValidationError> {
    check_present(email)?;
    if is_email(email) {
        Ok(())
    } else {
        Err(ValidationError::new("INVALID_EMAIL").with_message("must have the form name@example.com".into()))
    }
}

fn check_present(value: &str) -> Result<(), ValidationError> {
    if value.trim().is_empty() {
        Err(ValidationError::new("MISSING_FIELDS").with_message("is required".into()))
    } else {
        Ok(())
    }
}

fn is_email(email: &str) -> bool {
    let Some((local, domain)) = email.split_once('@') else {
        return false;
    };
    let has_inner_dot = domain.match_indices('.').any(|(at, _)| at > 0 && at + 1 < domain.len());
    !local.is_empty() && has_inner_dot && !domain.contains('@') && !email.contains(char::is_whitespace)
}

fn new_account(
    input: &CreateUserAccountInput,
    key: &str,
    now: Timestamp,
) -> Result<CreateUserResult, ServiceError> {
    check_domain(&input.email)?;
    let plan = choose_plan(input.plan.as_deref())?;
    Ok(CreateUserResult {
        user_id: id("usr_", key, "user", 24),
        username: username(&input.name, key),
        email: input.email.to_lowercase(),
        name: input.name.clone(),
        plan,
        referral_code: input.referral_code.clone(),
        referral_valid: input.referral_code.as_deref().is_some_and(is_referral_code),
        status: "created".to_owned(),
        account_status: "created".to_owned(),
        email_verified: false,
        // A real token is drawn at random and stored; this one has to outlive a restart.
        verification_token: id("", key, "verification", 64),
        created_at: now,
    })
}

fn check_domain(email: &str) -> Result<(), ServiceError> {
    let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain).to_lowercase();
    if BLOCKED_DOMAINS.contains(&domain.as_str()) {
        return Err(ServiceError::Rejected {
            code: "BLOCKED_EMAIL_DOMAIN",
            message: format!("addresses at {domain} are thrown away, please use a lasting one"),
        });
    }
    Ok(())
}

fn choose_plan(name: Option<&str>) -> Result<Plan, ServiceError> {
    let Some(name) = name else {
        return Ok(Plan::Free);
    };
    Plan::parse(name).ok_or_else(|| ServiceError::Rejected {
        code: "INVALID_PLAN",
        message: format!("there is no plan {name:?}, only free, pro and enterprise"),
    })
}

fn username(name: &str, key: &str) -> String {
    let stem: String =
        name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    id(&format!("{stem}_"), key, "username", 6)
}

fn is_referral_code(code: &str) -> bool {
    code.strip_prefix("REF-").is_some_and(|digits| {
        digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::services::Faults;

    pub(in crate::services) fn account(plan: Plan) -> CreateUserResult {
        let mut input = input();
        input.plan = Some(plan.to_string());
        new_account(&input, "key-1", Timestamp::UNIX_EPOCH).unwrap()
    }

    fn input() -> CreateUserAccountInput {
        serde_json::from_value(json!({"email": "Ada@Example.com", "name": "Ada Lovelace"})).unwrap()
    }

    pub(in crate::services) fn service(faults: Faults) -> UserService {
        UserService::new(Remote::new("user_service", Duration::ZERO, faults))
    }

    #[test]
    fn all_faults_of_an_input_are_reported_together() {
        #[track_caller]
        fn check(input: Value, expected: &[(&str, &str, &str)]) {
            let input: CreateUserAccountInput = serde_json::from_value(input).unwrap();
            let errors = input.validate().err().unwrap_or_default();
            let mut faults = Vec::new();
            for (field, errors) in errors.field_errors() {
                for error in errors {
                    let message = error.message.clone().unwrap();
                    faults.push((field.clone(), error.code.clone(), message));
                }
            }
            faults.sort();
            let expected: Vec<_> = expected
                .iter()
                .map(|&(field, code, message)| (field.into(), code.into(), message.into()))
                .collect();
            assert_eq!(faults, expected);
        }

        let no_email = ("email", "MISSING_FIELDS", "is required");
        let no_name = ("name", "MISSING_FIELDS", "is required");
        let bad_email = ("email", "INVALID_EMAIL", "must have the form name@example.com");
        check(json!({}), &[no_email, no_name]);
        check(json!({"email": " ", "name": "\t"}), &[no_email, no_name]);
        check(json!({"email": "ada"}), &[bad_email, no_name]);
        check(json!({"name": "Ada"}), &[no_email]);
        check(json!({"email": "ada@example.com", "name": "Ada", "source": "web"}), &[]);
    }

    #[test]
    fn an_email_has_one_at_sign_and_a_dotted_domain() {
        for email in ["a@b.c", "a.b+c@sub.example.com", "a@.b.c", "a@b..c"] {
            assert!(is_email(email), "{email}");
        }
        for email in [
            "a", "a@b", "@b.c", "a@", "a@.c", "a@b.", "a@b@c.d", "a b@c.d", "a@b .c", " a@b.c", "a@b.c\n",
            "a.b@c",
        ] {
            assert!(!is_email(email), "{email:?}");
        }
    }

    #[test]
    fn throw_away_domains_are_blocked_in_any_case() {
        for domain in ["tempmail.com", "throwaway.email", "mailinator.com", "Mailinator.COM"] {
            let mut input = input();
            input.email = format!("ada@{domain}");
            // The domain is checked before the plan.
            input.plan = Some("gold".to_owned());
            assert_rejected(&input, "BLOCKED_EMAIL_DOMAIN");
        }
        for domain in ["mail.tempmail.com", "notmailinator.com"] {
            assert_eq!(check_domain(&format!("ada@{domain}")), Ok(()), "{domain}");
        }
    }

    #[test]
    fn a_plan_is_known_or_free() {
        assert_eq!(choose_plan(None), Ok(Plan::Free));
        assert_eq!(choose_plan(Some("free")), Ok(Plan::Free));
        assert_eq!(choose_plan(Some("pro")), Ok(Plan::Pro));
        assert_eq!(choose_plan(Some("enterprise")), Ok(Plan::Enterprise));
        for plan in ["gold", "Pro", ""] {
            let mut input = input();
            input.plan = Some(plan.to_owned());
            assert_rejected(&input, "INVALID_PLAN");
        }
    }

    #[track_caller]
    fn assert_rejected(input: &CreateUserAccountInput, expected: &str) {
        match new_account(input, "key-1", Timestamp::UNIX_EPOCH) {
            Err(ServiceError::Rejected { code, .. }) => assert_eq!(code, expected),
            other => panic!("expected {expected}, got {other:?}"),
        }
    }

    #[test]
    fn a_referral_code_has_eight_capitals_or_digits() {
        for code in ["REF-ABCD1234", "REF-00000000"] {
            assert!(is_referral_code(code), "{code}");
        }
        for code in
            ["", "REF-", "REF-ABCD123", "REF-ABCD12345", "REF-abcd1234", "ref-ABCD1234", "XREF-ABCD1234"]
        {
            assert!(!is_referral_code(code), "{code}");
        }
        let mut input = input();
        input.referral_code = Some("nonsense".to_owned());
        let account = new_account(&input, "key-1", Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(account.referral_code.as_deref(), Some("nonsense"));
        assert!(!account.referral_valid);
    }

    #[test]
    fn an_account_is_made_from_its_input() {
        let account = account(Plan::Pro);
        assert_eq!(account.user_id.len(), "usr_".len() + 24);
        assert_eq!(account.verification_token.len(), 64);
        assert_eq!(account.email, "ada@example.com");
        assert_eq!(account.name, "Ada Lovelace");
        let suffix = account.username.strip_prefix("ada_lovelace_").unwrap();
        assert_eq!(suffix.len(), 6);
        assert!(username("Zoë O'Hara", "key").starts_with("zo__o_hara_"));

        let json = serde_json::to_value(&account).unwrap();
        assert_eq!(json["plan"], "pro");
        assert_eq!(json["status"], "created");
        assert_eq!(json["account_status"], "created");
        assert_eq!(json["email_verified"], false);
        assert_eq!(json["created_at"], "1970-01-01T00:00:00Z");
        assert_eq!(json.get("referral_code"), None);
    }

    #[tokio::test]
    async fn the_same_key_gives_the_same_account() {
        let service = service(Faults::Times(1));
        service.create_account(&input(), "key-1").await.unwrap_err();
        let first = service.create_account(&input(), "key-1").await.unwrap();
        let again = service.clone().create_account(&input(), "key-1").await;
        assert_eq!(again, Ok(first.clone()));

        let other = service.create_account(&input(), "key-2").await.unwrap();
        assert_ne!(first.user_id, other.user_id);
        assert_ne!(first.username, other.username);

        let restarted = self::service(Faults::None);
        let after = restarted.create_account(&input(), "key-1").await.unwrap();
        assert_eq!(first.user_id, after.user_id);
        assert_eq!(first.username, after.username);
        assert_eq!(first.verification_token, after.verification_token);
    }
}
