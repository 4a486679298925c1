//! The five-step diamond, submitted and waited for in a closed loop: what a submitter sees.
//!
//! One JSON object a run, on one line. `benches/README.md` says how to read it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tasker::prelude::*;

use crate::measure::{cpu_seconds, fdatasync_ms, max_rss_mb, megabytes, percentile, round, wal_of};
use crate::schema::Schema;
use crate::writer::Writer;

const TEMPLATE: &str = "
name: diamond
namespace_name: bench
version: 1.0.0
steps:
  - {name: create_account, handler: {callable: CreateAccount}}
  - {name: set_up_billing, handler: {callable: SetUpBilling}, dependencies: [create_account]}
  - {name: set_preferences, handler: {callable: SetPreferences}, dependencies: [create_account]}
  - {name: welcome, handler: {callable: Welcome}, dependencies: [set_up_billing, set_preferences]}
  - {name: activate, handler: {callable: Activate}, dependencies: [welcome]}
";

#[derive(Debug, clap::Args)]
pub struct Options {
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    store: Store,
    /// Tasks to measure
    #[arg(long, default_value_t = 2_000)]
    tasks: usize,
    /// Tasks in flight at any time
    #[arg(long, default_value_t = 64)]
    concurrency: usize,
    /// Tasks before the measurement
    #[arg(long, default_value_t = 64)]
    warmup: usize,
    /// A database that exists already, or that is kept afterwards
    #[arg(long)]
    file: Option<PathBuf>,
    /// The PostgreSQL database; the measurement has a schema of its own in it
    #[arg(long, default_value = "postgres://postgres@127.0.0.1:5432/postgres")]
    database: String,
    /// A schema of it that exists already, or that is kept afterwards
    #[arg(long)]
    schema: Option<String>,
    /// Where the database is written; a directory on the disk that is to be measured
    #[arg(long, default_value = "target")]
    directory: PathBuf,
    /// Bytes by which each result is larger
    #[arg(long, default_value_t = 0)]
    padding: usize,
    /// How long the writer was busy with each transaction; costs a little
    #[arg(long)]
    writer: bool,
}

/// What each result carries beside its data.
static PADDING: OnceLock<String> = OnceLock::new();

/// Makes each result larger.
pub fn pad(bytes: usize) {
    PADDING.get_or_init(|| "x".repeat(bytes));
}

fn padding() -> String {
    PADDING.get().cloned().unwrap_or_default()
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Store {
    Memory,
    Sqlite,
    Postgres,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Account {
    user_id: String,
    email: String,
    name: String,
    plan: String,
    state: String,
    created_at: String,
    verify_url: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    padding: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Billing {
    billing_id: String,
    user_id: String,
    plan: String,
    currency: String,
    monthly_cents: u32,
    invoice_email: String,
    next_invoice: String,
    provider_ref: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    padding: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Preferences {
    preferences_id: String,
    user_id: String,
    locale: String,
    timezone: String,
    theme: String,
    newsletter: bool,
    digest: String,
    channels: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    padding: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sequence {
    sequence_id: String,
    user_id: String,
    billing_id: String,
    preferences_id: String,
    to: String,
    template: String,
    messages: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    padding: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Status {
    user_id: String,
    email: String,
    state: String,
    sequence_id: String,
    billing_id: String,
    preferences_id: String,
    updated_at: String,
    note: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    padding: String,
}

#[step_handler("CreateAccount")]
async fn create_account(
    #[input("email")] email: String,
    #[input("name")] name: String,
    #[input("plan")] plan: String,
) -> Account {
    Account {
        user_id: format!("usr_{}", email.split('@').next().unwrap_or_default()),
        verify_url: format!("https://example.com/verify?u={email}"),
        email,
        name,
        plan,
        state: "created".into(),
        created_at: "2026-01-01T00:00:00Z".into(),
        padding: padding(),
    }
}

#[step_handler("SetUpBilling")]
async fn set_up_billing(#[depends_on(create_account)] account: Account) -> Billing {
    Billing {
        billing_id: format!("bil_{}", account.user_id),
        provider_ref: format!("pay_{}", account.user_id),
        monthly_cents: if account.plan == "pro" { 2_900 } else { 0 },
        user_id: account.user_id,
        plan: account.plan,
        currency: "EUR".into(),
        invoice_email: account.email,
        next_invoice: "2026-02-01".into(),
        padding: padding(),
    }
}

#[step_handler("SetPreferences")]
async fn set_preferences(#[depends_on(create_account)] account: Account) -> Preferences {
    Preferences {
        preferences_id: format!("prf_{}", account.user_id),
        newsletter: account.plan == "pro",
        user_id: account.user_id,
        locale: "en_GB".into(),
        timezone: "Europe/Brussels".into(),
        theme: "dark".into(),
        digest: "weekly".into(),
        channels: vec!["email".into(), "push".into()],
        padding: padding(),
    }
}

#[step_handler("Welcome")]
async fn welcome(
    #[depends_on(create_account)] account: Account,
    #[depends_on(set_up_billing)] billing: Billing,
    #[depends_on(set_preferences)] preferences: Preferences,
) -> Sequence {
    Sequence {
        sequence_id: format!("seq_{}", account.user_id),
        user_id: account.user_id,
        billing_id: billing.billing_id,
        preferences_id: preferences.preferences_id,
        to: account.email,
        template: format!("welcome-{}", billing.plan),
        messages: vec!["hello".into(), "getting-started".into()],
        padding: padding(),
    }
}

#[step_handler("Activate")]
async fn activate(#[depends_on(welcome)] sequence: Sequence) -> Status {
    Status {
        user_id: sequence.user_id,
        email: sequence.to,
        state: "active".into(),
        sequence_id: sequence.sequence_id,
        billing_id: sequence.billing_id,
        preferences_id: sequence.preferences_id,
        updated_at: "2026-01-01T00:00:01Z".into(),
        note: "registration completed".into(),
        padding: padding(),
    }
}

/// One task from submission to its checked result.
pub async fn one(tasker: &Tasker, number: usize) {
    let plan = if number.is_multiple_of(2) { "pro" } else { "free" };
    let context = json!({
        "email": format!("user{number:07}@example.com"),
        "name": format!("User Number {number:07}"),
        "plan": plan,
    });
    let id = tasker.create_task(NewTask::new("bench", "diamond", &context)).await.unwrap();
    let status = tasker.wait(id).await.unwrap().output::<activate>().unwrap();
    let user = format!("usr_user{number:07}");
    assert!(status.user_id == user && status.state == "active", "task {number}: {status:?}");
    assert!(status.billing_id == format!("bil_{user}") && status.preferences_id == format!("prf_{user}"));
}

/// A worker with room for this many diamonds at a time.
pub fn builder(url: &str, concurrency: usize) -> tasker::Builder {
    Tasker::builder()
        .template_str("diamond.yaml", TEMPLATE)
        .store_url(url)
        .concurrency(4 * concurrency.max(16))
        .grace_period(Duration::from_secs(1))
}

/// Runs `count` tasks, `concurrency` at a time; the latencies in milliseconds, and the time of all.
async fn closed_loop(tasker: &Tasker, first: usize, count: usize, concurrency: usize) -> (Vec<f64>, f64) {
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let callers: Vec<_> = (0..concurrency.max(1))
        .map(|_| {
            let (tasker, next) = (tasker.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return latencies;
                    }
                    let begun = Instant::now();
                    one(&tasker, first + number).await;
                    latencies.push(begun.elapsed().as_secs_f64() * 1e3);
                }
            })
        })
        .collect();
    let mut latencies = Vec::with_capacity(count);
    for caller in callers {
        latencies.extend(caller.await.unwrap());
    }
    (latencies, begun.elapsed().as_secs_f64())
}

/// Measures, and prints a JSON object.
#[tokio::main]
pub async fn run(options: &Options) {
    let directory = tempfile::tempdir_in(&options.directory).unwrap();
    let file = options.file.clone().unwrap_or_else(|| directory.path().join("bench.db"));
    let schema = match &options.schema {
        Some(name) => Schema::named(&options.database, name),
        None => Schema::new(&options.database),
    };
    let (url, store) = match options.store {
        Store::Memory => ("memory:".to_owned(), "memory"),
        Store::Sqlite => (format!("sqlite://{}", file.display()), "SQLite file (WAL, synchronous=FULL)"),
        Store::Postgres => (schema.url(), "PostgreSQL"),
    };
    pad(options.padding);
    let writer = options.writer.then(Writer::watch);
    let tasker = builder(&url, options.concurrency).build().await.unwrap();
    closed_loop(&tasker, 0, options.warmup, options.concurrency).await;
    writer.iter().for_each(Writer::forget);
    let sync_before = fdatasync_ms(directory.path());
    let cpu_before = cpu_seconds();
    let (mut latencies, wall) =
        closed_loop(&tasker, options.warmup, options.tasks, options.concurrency).await;
    let cpu = cpu_seconds() - cpu_before;
    latencies.sort_by(f64::total_cmp);
    let rate = latencies.len() as f64 / wall;
    println!(
        "{}",
        json!({
            "engine": "tasker",
            "version": env!("CARGO_PKG_VERSION"),
            "store": store,
            "mode": "",
            "tasks": latencies.len(),
            "concurrency": options.concurrency,
            "wall_s": round(wall),
            "tasks_per_s": round(rate),
            "steps_per_s": round(rate * 5.0),
            "p50_ms": percentile(&latencies, 0.50),
            "p95_ms": percentile(&latencies, 0.95),
            "p99_ms": percentile(&latencies, 0.99),
            "p999_ms": percentile(&latencies, 0.999),
            "max_ms": percentile(&latencies, 1.0),
            "writer": writer.map(|writer| writer.figures()),
            "file_mb": megabytes(&file),
            "wal_mb": megabytes(&wal_of(&file)),
            "max_rss_mb": round(max_rss_mb()),
            "cpu_s": round(cpu),
            "fdatasync_ms": [round(sync_before), round(fdatasync_ms(directory.path()))],
        })
    );
    tasker.shutdown().await;
    if matches!(options.store, Store::Postgres) {
        schema.remove().await;
    }
}
