//! The notification service: how a new user is welcomed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::services::{
    CreateUserResult, InitPreferencesResult, Plan, Remote, ServiceError, SetupBillingResult, id,
};

/// The day of the trial on which the user is reminded of its end.
const TRIAL_REMINDER_DAY: u32 = 10;

/// What the welcome sequence sent and scheduled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SendWelcomeResult {
    /// Identifies the user who is welcomed.
    pub user_id: String,
    /// The user's plan.
    pub plan: Plan,
    /// The channels that carried a message, in order of first use.
    pub channels_used: Vec<String>,
    /// How many messages were sent.
    pub messages_sent: u32,
    /// Identifies the welcome.
    pub welcome_sequence_id: String,
    /// Whether the sequence was sent.
    pub status: String,
    /// When the messages were sent.
    pub sent_at: Timestamp,
    /// Identifies the sequence of messages.
    pub sequence_id: String,
    /// The user's address.
    pub email: String,
    /// The messages themselves.
    pub notifications_sent: Vec<Notification>,
    /// Repeats `messages_sent`.
    pub total_notifications: u32,
    /// Whether every message went out.
    pub all_delivered: bool,
    /// The e-mails that follow on later days.
    pub drip_campaign: DripCampaign,
    /// When the sequence was finished.
    pub welcome_sequence_completed_at: Timestamp,
}

/// One message that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The occasion of the message.
    #[serde(rename = "type")]
    pub kind: String,
    /// Identifies the message.
    pub message_id: String,
    /// The channel and what it carried.
    #[serde(flatten)]
    pub message: Message,
    /// How far the message came.
    pub status: DeliveryStatus,
    /// When the message was sent.
    pub sent_at: Timestamp,
}

/// A message in the form of its channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "channel", rename_all = "snake_case")]
pub enum Message {
    /// Goes to a mailbox.
    Email {
        /// The address.
        recipient: String,
        /// The subject line.
        subject: String,
        /// Names the template of the text.
        template: String,
    },
    /// Goes to the user's devices.
    Push {
        /// The headline.
        title: String,
        /// The text.
        body: String,
    },
    /// Goes to a Slack channel of the team.
    Slack {
        /// The Slack channel.
        channel_name: String,
        /// The text.
        message: String,
    },
    /// Waits in the application.
    InApp {
        /// The headline.
        title: String,
        /// The text.
        body: String,
        /// The page it leads to.
        action_url: String,
    },
}

impl Message {
    fn channel(&self) -> &'static str {
        match self {
            Self::Email { .. } => "email",
            Self::Push { .. } => "push",
            Self::Slack { .. } => "slack",
            Self::InApp { .. } => "in_app",
        }
    }
}

/// How far a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// A mail server took it.
    Sent,
    /// The receiver has it.
    Delivered,
    /// It waits for the user.
    Created,
    /// It did not go out.
    Failed,
}

/// The e-mails that follow a welcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DripCampaign {
    /// Identifies the campaign.
    pub campaign_id: String,
    /// How many e-mails are scheduled.
    pub emails_scheduled: u32,
    /// The e-mails by day.
    pub schedule: Vec<DripEmail>,
}

/// One e-mail of a drip campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DripEmail {
    /// The day after the welcome.
    pub day: u32,
    /// Names the template of the text.
    pub template: String,
    /// The subject line.
    pub subject: String,
}

/// Sends messages to users.
#[derive(Clone, Debug)]
pub struct NotificationService {
    remote: Remote,
}

impl NotificationService {
    /// Reaches the service through `remote`.
    pub fn new(remote: Remote) -> Self {
        Self { remote }
    }

    /// Sends the welcome messages and schedules the e-mails that follow.
    ///
    /// # Errors
    ///
    /// Fails only as the remote does.
    pub async fn send_welcome(
        &self,
        account: &CreateUserResult,
        billing: &SetupBillingResult,
        preferences: &InitPreferencesResult,
        idempotency_key: &str,
    ) -> Result<SendWelcomeResult, ServiceError> {
        self.remote.call().await?;
        let now = Timestamp::now();
        Ok(welcome(account, billing, preferences, idempotency_key, now))
    }
}

fn welcome(
    account: &CreateUserResult,
    billing: &SetupBillingResult,
    preferences: &InitPreferencesResult,
    key: &str,
    now: Timestamp,
) -> SendWelcomeResult {
    let notifications = notifications(account, billing, preferences, key, now);
    let messages_sent = count(&notifications);
    let schedule = drip_schedule(billing.trial_days);
    SendWelcomeResult {
        user_id: account.user_id.clone(),
        plan: account.plan,
        channels_used: channels(&notifications),
        messages_sent,
        welcome_sequence_id: id("welcome_", key, "welcome", 12),
        status: "sent".to_owned(),
        sent_at: now,
        sequence_id: id("seq_", key, "sequence", 16),
        email: account.email.clone(),
        total_notifications: messages_sent,
        all_delivered: all_delivered(&notifications),
        notifications_sent: notifications,
        drip_campaign: DripCampaign {
            campaign_id: id("drip_", key, "drip", 16),
            emails_scheduled: count(&schedule),
            schedule,
        },
        welcome_sequence_completed_at: now,
    }
}

fn notifications(
    account: &CreateUserResult,
    billing: &SetupBillingResult,
    preferences: &InitPreferencesResult,
    key: &str,
    now: Timestamp,
) -> Vec<Notification> {
    let CreateUserResult { email, name, plan, .. } = account;
    let allowed = preferences.preferences.notifications;
    let mut sent = Vec::new();
    let mut send = |kind: &str, status, message: Message| {
        let purpose = format!("{}/{kind}", message.channel());
        sent.push(Notification {
            kind: kind.to_owned(),
            message_id: id("msg_", key, &purpose, 24),
            message,
            status,
            sent_at: now,
        });
    };

    if allowed.email {
        let message = Message::Email {
            recipient: email.clone(),
            subject: format!("Welcome to Tasker, {name}!"),
            template: "welcome_email".to_owned(),
        };
        send("welcome", DeliveryStatus::Sent, message);
    }
    // A trial is a matter of the contract, so this goes out to users without e-mail messages too.
    if billing.trial_days > 0 {
        let message = Message::Email {
            recipient: email.clone(),
            subject: format!("Your {} trial has started", title(*plan)),
            template: "trial_started".to_owned(),
        };
        send("trial_started", DeliveryStatus::Sent, message);
    }
    if allowed.push {
        let message = Message::Push {
            title: "Glad you are here".to_owned(),
            body: format!("You can start using your {plan} account now."),
        };
        send("welcome", DeliveryStatus::Delivered, message);
    }
    if allowed.slack {
        let message = Message::Slack {
            channel_name: "#onboarding".to_owned(),
            message: format!("{name} has joined on the {plan} plan"),
        };
        send("welcome", DeliveryStatus::Delivered, message);
    }
    let message = Message::InApp {
        title: "Complete your setup".to_owned(),
        body: "A few steps are left before your first project.".to_owned(),
        action_url: "/onboarding".to_owned(),
    };
    send("onboarding", DeliveryStatus::Created, message);
    sent
}

fn title(plan: Plan) -> &'static str {
    match plan {
        Plan::Free => "Free",
        Plan::Pro => "Pro",
        Plan::Enterprise => "Enterprise",
    }
}

fn channels(notifications: &[Notification]) -> Vec<String> {
    let mut channels = Vec::new();
    for notification in notifications {
        let channel = notification.message.channel().to_owned();
        if !channels.contains(&channel) {
            channels.push(channel);
        }
    }
    channels
}

fn all_delivered(notifications: &[Notification]) -> bool {
    notifications.iter().all(|notification| notification.status != DeliveryStatus::Failed)
}

fn drip_schedule(trial_days: u32) -> Vec<DripEmail> {
    let email =
        |day, template: &str, subject: String| DripEmail { day, template: template.to_owned(), subject };
    let mut schedule = vec![
        email(1, "getting_started", "Your first steps".to_owned()),
        email(3, "first_workflow", "Build a first workflow".to_owned()),
        email(7, "tips_tricks", "Tips for every day".to_owned()),
    ];
    if trial_days > 0 {
        let days_left = trial_days.saturating_sub(TRIAL_REMINDER_DAY);
        schedule.push(email(
            TRIAL_REMINDER_DAY,
            "trial_reminder",
            format!("Your trial ends in {days_left} days"),
        ));
    }
    schedule
}

fn count<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).expect("a welcome consists of a handful of messages")
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::services::{
        BillingService, Faults, PreferencesService, preferences::Notifications, user::tests::account,
    };

    fn remote() -> Remote {
        Remote::new("test", Duration::ZERO, Faults::None)
    }

    pub(in crate::services) async fn prepared(
        plan: Plan,
    ) -> (CreateUserResult, SetupBillingResult, InitPreferencesResult) {
        let account = account(plan);
        let billing = BillingService::new(remote()).setup_profile(&account, "key-2").await.unwrap();
        let preferences =
            PreferencesService::new(remote()).initialize(&account, false, "key-3").await.unwrap();
        (account, billing, preferences)
    }

    async fn welcomed(
        plan: Plan,
        adjust: impl FnOnce(&mut SetupBillingResult, &mut Notifications),
    ) -> SendWelcomeResult {
        let (account, mut billing, mut preferences) = prepared(plan).await;
        adjust(&mut billing, &mut preferences.preferences.notifications);
        NotificationService::new(remote())
            .send_welcome(&account, &billing, &preferences, "key-4")
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_plan_decides_messages_and_channels() {
        async fn check(plan: Plan, messages: &[&str], channels: &[&str], drip_emails: u32) {
            let result = welcomed(plan, |_, _| {}).await;
            assert_eq!(labels(&result), messages);
            assert_eq!(result.channels_used, channels);
            assert_eq!(result.messages_sent as usize, messages.len());
            assert_eq!(result.total_notifications, result.messages_sent);
            assert_eq!(result.drip_campaign.emails_scheduled, drip_emails);
            assert!(result.all_delivered);
        }

        let paid = [
            "email/welcome/Sent",
            "email/trial_started/Sent",
            "push/welcome/Delivered",
            "slack/welcome/Delivered",
            "in_app/onboarding/Created",
        ];
        let paid_channels = ["email", "push", "slack", "in_app"];
        check(Plan::Free, &["email/welcome/Sent", "in_app/onboarding/Created"], &["email", "in_app"], 3)
            .await;
        check(Plan::Pro, &paid, &paid_channels, 4).await;
        check(Plan::Enterprise, &paid, &paid_channels, 4).await;
    }

    #[tokio::test]
    async fn the_trial_message_ignores_the_email_preference() {
        let result = welcomed(Plan::Pro, |_, allowed| {
            *allowed = Notifications { email: false, push: false, sms: true, slack: false };
        })
        .await;
        assert_eq!(labels(&result), ["email/trial_started/Sent", "in_app/onboarding/Created"]);
    }

    #[tokio::test]
    async fn without_a_trial_nothing_is_said_about_it() {
        let result = welcomed(Plan::Pro, |billing, _| billing.trial_days = 0).await;
        assert!(!labels(&result).contains(&"email/trial_started/Sent".to_owned()));
        assert_eq!(result.drip_campaign.emails_scheduled, 3);
    }

    #[tokio::test]
    async fn messages_carry_the_texts_of_their_channel() {
        let result = welcomed(Plan::Enterprise, |_, _| {}).await;
        let json = serde_json::to_value(&result).unwrap();
        let sent = &json["notifications_sent"];
        assert_eq!(sent[0]["channel"], "email");
        assert_eq!(sent[0]["type"], "welcome");
        assert_eq!(sent[0]["status"], "sent");
        assert_eq!(sent[0]["recipient"], "ada@example.com");
        assert_eq!(sent[0]["subject"], "Welcome to Tasker, Ada Lovelace!");
        assert_eq!(sent[0]["template"], "welcome_email");
        assert_eq!(sent[1]["subject"], "Your Enterprise trial has started");
        assert_eq!(sent[3]["channel_name"], "#onboarding");
        assert_eq!(sent[4]["title"], "Complete your setup");
        assert_eq!(sent[4]["action_url"], "/onboarding");
        assert_eq!(serde_json::from_value::<SendWelcomeResult>(json).unwrap(), result);
    }

    #[test]
    fn the_drip_schedule_reminds_of_a_trial() {
        let days = |trial_days| -> Vec<(u32, String)> {
            drip_schedule(trial_days).into_iter().map(|email| (email.day, email.template)).collect()
        };
        let mut expected = vec![
            (1, "getting_started".to_owned()),
            (3, "first_workflow".to_owned()),
            (7, "tips_tricks".to_owned()),
        ];
        assert_eq!(days(0), expected);
        expected.push((10, "trial_reminder".to_owned()));
        assert_eq!(days(14), expected);
        assert_eq!(drip_schedule(14)[3].subject, "Your trial ends in 4 days");
    }

    #[tokio::test]
    async fn one_failed_message_spoils_the_delivery() {
        let mut sent = welcomed(Plan::Free, |_, _| {}).await.notifications_sent;
        assert!(all_delivered(&sent));
        sent[1].status = DeliveryStatus::Failed;
        assert!(!all_delivered(&sent));
    }

    #[tokio::test]
    async fn the_same_key_gives_the_same_ids() {
        let ids = |result: SendWelcomeResult| {
            let mut ids =
                vec![result.welcome_sequence_id, result.sequence_id, result.drip_campaign.campaign_id];
            ids.extend(result.notifications_sent.into_iter().map(|sent| sent.message_id));
            ids
        };
        let first = ids(welcomed(Plan::Pro, |_, _| {}).await);
        assert_eq!(first, ids(welcomed(Plan::Pro, |_, _| {}).await));
        assert_eq!(first[0].len(), "welcome_".len() + 12);
        assert_eq!(first[1].len(), "seq_".len() + 16);

        let mut distinct = first.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), first.len());
    }

    fn labels(result: &SendWelcomeResult) -> Vec<String> {
        let label =
            |sent: &Notification| format!("{}/{}/{:?}", sent.message.channel(), sent.kind, sent.status);
        result.notifications_sent.iter().map(label).collect()
    }
}
