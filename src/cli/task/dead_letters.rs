//! `tasker task dead-letters` and `tasker task investigate`.

use clap::Args;
use console::style;
use tasker_runtime::operate::{DeadLetterFilter, DeadLetterStatus, Operator};
use tasker_runtime::{Error, TaskId, Tasker};

use crate::cli::output::{print, print_json};
use crate::cli::report::first_line;
use crate::cli::task::steer::{By, done};
use crate::cli::time::from_one;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Those with this status instead; may be given several times
    #[arg(long, value_parser = status, value_name = "STATUS")]
    status: Vec<DeadLetterStatus>,
    /// All of them, with any status
    #[arg(long, conflicts_with = "status")]
    all: bool,
    /// Of this namespace
    #[arg(long)]
    namespace: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 20, value_parser = from_one())]
    limit: usize,
}

#[derive(Debug, Args)]
pub(super) struct Investigate {
    /// The task's id
    task: TaskId,
    /// What has become of it: pending, manually_resolved, permanently_failed or cancelled
    #[arg(long, value_parser = status, value_name = "STATUS")]
    status: DeadLetterStatus,
    /// What was found out
    #[arg(long, value_name = "TEXT")]
    notes: String,
    #[command(flatten)]
    by: By,
}

const STATUSES: [DeadLetterStatus; 4] = [
    DeadLetterStatus::Pending,
    DeadLetterStatus::ManuallyResolved,
    DeadLetterStatus::PermanentlyFailed,
    DeadLetterStatus::Cancelled,
];

fn status(text: &str) -> Result<DeadLetterStatus, String> {
    let known = || STATUSES.map(DeadLetterStatus::as_str).join(", ");
    text.parse().map_err(|_| format!("a dead letter is one of: {}", known()))
}

pub(super) async fn list(tasker: &Tasker, options: &Options, json: bool) -> Result<(), Error> {
    let statuses = match (options.all, &options.status[..]) {
        (true, _) => Vec::new(),
        (false, []) => vec![DeadLetterStatus::Pending],
        (false, statuses) => statuses.to_vec(),
    };
    let mut filter = DeadLetterFilter::new().statuses(statuses).limit(options.limit);
    filter.namespace = options.namespace.clone();
    let letters = tasker.dead_letters(filter).await?;
    if json {
        print_json(&letters);
        return Ok(());
    }
    if letters.is_empty() {
        print("no dead letter meets these conditions");
    }
    for letter in &letters {
        let status = format!("{:<18}", letter.status.as_str());
        let status = match letter.status {
            DeadLetterStatus::Pending => style(status).yellow(),
            _ => style(status).dim(),
        };
        let at = letter.at.strftime("%Y-%m-%d %H:%M:%SZ");
        let (namespace, name, version) = (&letter.namespace, &letter.name, &letter.version);
        print(&format!("{}  {status}  {at}  {namespace}/{name} {version}", letter.task));
        let waiting_for = letter.waiting_for.map(|what| format!(" ({})", what.as_str())).unwrap_or_default();
        let was =
            letter.original_state.map(|state| format!(", was {state}{waiting_for}")).unwrap_or_default();
        let text = format!("{} by {}{was}: {}", letter.reason, letter.by, letter.message);
        print(&format!("    {}", first_line(&text)));
        if let Some(notes) = &letter.notes {
            let by = letter.resolved_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
            print(&format!("    noted{by}: {}", first_line(notes)));
        }
    }
    Ok(())
}

pub(super) async fn investigate(tasker: &Tasker, options: &Investigate, json: bool) -> Result<(), Error> {
    let operator = Operator::new(&options.by.by).because(&options.notes);
    let task = tasker.investigate(options.task, options.status, &operator).await?;
    done(&task, &format!("noted as {}", options.status), json);
    Ok(())
}
