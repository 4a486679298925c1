//! The four simulated services that a registration coordinates.

pub mod activation;
pub mod billing;
pub mod notification;
pub mod preferences;
pub mod user;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use activation::UpdateStatusResult;
pub use billing::{BillingService, SetupBillingResult};
pub use notification::{NotificationService, SendWelcomeResult};
pub use preferences::{InitPreferencesResult, PreferencesService};
pub use user::{CreateUserAccountInput, CreateUserResult, UserService};

/// Stands for the secret that a real service would mix into its identifiers.
const SERVICE_SECRET: Uuid = Uuid::from_u128(0x6f0c_3d1e_8a57_4b92_9c44_d20b_71e5_a8f3);

const HEX_DIGITS_PER_HASH: usize = 32;

/// Why a service did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// The service refuses this request, so asking again cannot help.
    #[error("{message}")]
    Rejected {
        /// Names the broken rule for programs.
        code: &'static str,
        /// Explains the refusal to people.
        message: String,
    },
    /// The service could not answer now and may succeed later.
    #[error("{service} is unavailable: {message}")]
    Unavailable {
        /// Names the service that was called.
        service: &'static str,
        /// Repeats what the service answered.
        message: String,
    },
}

/// What a customer subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Costs nothing and has no trial.
    Free,
    /// Serves teams.
    Pro,
    /// Serves companies.
    Enterprise,
}

impl Plan {
    /// Reads a plan from its lower-case name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "free" => Some(Self::Free),
            "pro" => Some(Self::Pro),
            "enterprise" => Some(Self::Enterprise),
            _ => None,
        }
    }

    /// Tells whether the plan costs money.
    pub fn is_paid(self) -> bool {
        self != Self::Free
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Enterprise => "enterprise",
        })
    }
}

/// Which calls to a service fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faults {
    /// Every call succeeds.
    None,
    /// The first calls, this many, find the service unavailable.
    Times(u32),
    /// Every call is rejected.
    Permanent,
}

/// The distance between a step and a service: latency and faults.
///
/// Clones share the count of faults still to come.
#[derive(Clone, Debug)]
pub struct Remote {
    service: &'static str,
    latency: Duration,
    faults: Faults,
    calls: Arc<AtomicU32>,
}

impl Remote {
    /// Places a service behind the given latency and faults.
    pub fn new(service: &'static str, latency: Duration, faults: Faults) -> Self {
        Self { service, latency, faults, calls: Arc::default() }
    }

    /// Makes one round trip to the service.
    ///
    /// # Errors
    ///
    /// Fails as the remote's [`Faults`] say.
    pub async fn call(&self) -> Result<(), ServiceError> {
        tokio::time::sleep(self.latency).await;
        let earlier_calls = self.calls.fetch_add(1, Ordering::Relaxed);
        match self.faults {
            Faults::Times(count) if earlier_calls < count => Err(ServiceError::Unavailable {
                service: self.service,
                message: "503 Service Unavailable".to_owned(),
            }),
            Faults::Permanent => Err(ServiceError::Rejected {
                code: "SERVICE_REJECTED",
                message: format!("{} refuses every request", self.service),
            }),
            Faults::None | Faults::Times(_) => Ok(()),
        }
    }
}

/// Derives an identifier of `prefix` and `hex_len` hex digits from an idempotency key.
///
/// The same key gives the same identifier, which is the point: a step that is retried after its
/// answer was lost, even by another process, asks again with the same key and names the same
/// account, subscription or message instead of a second one. `purpose` keeps the identifiers that
/// one request needs apart.
fn id(prefix: &str, key: &str, purpose: &str, hex_len: usize) -> String {
    let mut digits: String = (0..hex_len.div_ceil(HEX_DIGITS_PER_HASH))
        .map(|part| {
            let name = format!("{purpose}/{part}/{key}");
            Uuid::new_v5(&SERVICE_SECRET, name.as_bytes()).simple().to_string()
        })
        .collect();
    digits.truncate(hex_len);
    format!("{prefix}{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLANS: [(Plan, &str, bool); 3] =
        [(Plan::Free, "free", false), (Plan::Pro, "pro", true), (Plan::Enterprise, "enterprise", true)];

    #[test]
    fn a_plan_has_one_name_everywhere() {
        for (plan, name, is_paid) in PLANS {
            assert_eq!(Plan::parse(name), Some(plan));
            assert_eq!(plan.to_string(), name);
            assert_eq!(serde_json::to_value(plan).unwrap(), name);
            assert_eq!(plan.is_paid(), is_paid);
        }
        for name in ["", "Pro", "starter"] {
            assert_eq!(Plan::parse(name), None, "{name}");
        }
    }

    #[tokio::test]
    async fn faults_decide_which_calls_fail() {
        async fn check(faults: Faults, expected: [&str; 4]) {
            let remote = Remote::new("billing_service", Duration::ZERO, faults);
            for (call, expected) in expected.into_iter().enumerate() {
                // Even calls go through a clone, which must share the count.
                let outcome = if call % 2 == 0 { remote.clone().call().await } else { remote.call().await };
                let outcome = match outcome {
                    Ok(()) => "ok",
                    Err(ServiceError::Unavailable { service, .. }) => service,
                    Err(ServiceError::Rejected { code, .. }) => code,
                };
                assert_eq!(outcome, expected, "call {call} with {faults:?}");
            }
        }

        check(Faults::None, ["ok"; 4]).await;
        check(Faults::Times(2), ["billing_service", "billing_service", "ok", "ok"]).await;
        check(Faults::Permanent, ["SERVICE_REJECTED"; 4]).await;
    }

    #[test]
    fn an_error_reads_as_a_sentence() {
        let error = ServiceError::Unavailable {
            service: "billing_service",
            message: "503 Service Unavailable".to_owned(),
        };
        assert_eq!(error.to_string(), "billing_service is unavailable: 503 Service Unavailable");
    }

    #[test]
    fn an_id_depends_on_key_and_purpose_only() {
        let first = id("usr_", "key-1", "user", 24);
        assert_eq!(first, id("usr_", "key-1", "user", 24));
        assert_ne!(first, id("usr_", "key-2", "user", 24));
        assert_ne!(first, id("usr_", "key-1", "token", 24));

        for hex_len in [6, 32, 33, 64] {
            let id = id("", "key-1", "user", hex_len);
            assert_eq!(id.len(), hex_len);
            assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        }
        let long = id("", "key-1", "user", 64);
        assert_ne!(long[..32], long[32..]);
    }
}
