//! The order of the steps: the account, billing and preferences side by side, the welcome, the activation.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use validator::Validate as _;

use crate::progress::{Failure, Progress, Retry};
use crate::services::{
    BillingService, CreateUserAccountInput, CreateUserResult, InitPreferencesResult, NotificationService,
    PreferencesService, SendWelcomeResult, SetupBillingResult, UpdateStatusResult, UserService,
};

const THREE_TIMES: Retry = Retry { attempts: 3, longest_delay: Duration::from_secs(30) };
const TWICE: Retry = Retry { attempts: 2, longest_delay: Duration::from_secs(20) };

/// The services, and what is recorded.
#[derive(Debug)]
pub struct Registrations {
    /// What is recorded.
    pub progress: Progress,
    /// Creates and activates accounts.
    pub users: UserService,
    /// Sets up billing profiles.
    pub billing: BillingService,
    /// Keeps preferences.
    pub preferences: PreferencesService,
    /// Sends the welcome.
    pub notifications: NotificationService,
}

impl Registrations {
    /// Registers a user. With the id of a registration that is known, goes on with that one.
    pub async fn register(
        &self,
        id: &str,
        user: &CreateUserAccountInput,
    ) -> Result<UpdateStatusResult, Failure> {
        user.validate()?;
        self.progress.begin(id, serde_json::to_string(user)?).await?;
        self.go_on(id, user).await
    }

    /// Goes on with the registrations that a process before this one did not end, all at once.
    pub async fn recover(self: &Arc<Self>) -> Result<Vec<Result<UpdateStatusResult, Failure>>, Failure> {
        let mut running = JoinSet::new();
        for (id, user) in self.progress.unfinished().await? {
            let all = Arc::clone(self);
            running.spawn(async move { all.go_on(&id, &serde_json::from_str(&user)?).await });
        }
        Ok(running.join_all().await)
    }

    async fn go_on(&self, id: &str, user: &CreateUserAccountInput) -> Result<UpdateStatusResult, Failure> {
        let ended = self.steps(id, user).await;
        // What could not be recorded is tried again at the next start.
        if let Ok(_) | Err(Failure::Step { .. }) = ended {
            self.progress.end(id).await?;
        }
        ended
    }

    async fn steps(&self, id: &str, user: &CreateUserAccountInput) -> Result<UpdateStatusResult, Failure> {
        let account: CreateUserResult = self
            .progress
            .step(id, "create_user_account", THREE_TIMES, |key| async move {
                self.users.create_account(user, &key).await
            })
            .await?;
        let account = &account;
        let billing = self.progress.step(id, "setup_billing_profile", THREE_TIMES, |key| async move {
            self.billing.setup_profile(account, &key).await
        });
        let preferences = self.progress.step(id, "initialize_preferences", THREE_TIMES, |key| async move {
            let marketing_consent = user.marketing_consent.unwrap_or(false);
            self.preferences.initialize(account, marketing_consent, &key).await
        });
        // Not `try_join!`, which would drop one branch when the other fails.
        let (billing, preferences) = tokio::join!(billing, preferences);
        let (billing, preferences): (SetupBillingResult, InitPreferencesResult) = (billing?, preferences?);
        let (billing, preferences) = (&billing, &preferences);
        let welcome: SendWelcomeResult = self
            .progress
            .step(id, "send_welcome_sequence", TWICE, |key| async move {
                self.notifications.send_welcome(account, billing, preferences, &key).await
            })
            .await?;
        let welcome = &welcome;
        self.progress
            .step(id, "update_user_status", TWICE, |_| async move {
                self.users.activate(account, billing, preferences, welcome).await
            })
            .await
    }
}
