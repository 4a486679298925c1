//! What a worker prints: who it is, each task that has settled, each attempt that failed.

use jiff::Timestamp;
use serde_json::json;
use tasker_runtime::events::{Event, Events};
use tasker_runtime::task::AttemptOutcome;
use tasker_runtime::worker::{Description, WorkerInfo};

use crate::cli::output::{print, say};
use crate::cli::program::Program;
use crate::cli::report::{first_line, millis};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    Json,
    Lines,
}

impl Shown {
    pub(super) fn new(json: bool, quiet: bool) -> Self {
        match (quiet, json) {
            (true, _) => Self::Nothing,
            (false, true) => Self::Json,
            (false, false) => Self::Lines,
        }
    }

    pub(super) fn begin(self, program: &Program, description: &Description) {
        match self {
            Self::Nothing => {}
            Self::Json => {
                let mut line = json!(description);
                line["event"] = json!("worker_started");
                line["program"] = json!({ "name": program.name, "version": program.version });
                print(&line.to_string());
            }
            Self::Lines => print(&began(program, description)),
        }
    }

    /// Shows what happens, for ever.
    pub(super) async fn follow(self, events: &mut Events) {
        while let Some(event) = events.next().await {
            match events.take_missed() {
                0 => {}
                missed => self.say(&format!("{missed} events came too fast to be shown")),
            }
            self.show(&event);
        }
        std::future::pending().await
    }

    pub(super) fn show(self, event: &Event) {
        let line = match event {
            Event::TaskSettled { task, state, .. } => format!("task {task} is {state}"),
            Event::StepFinished { task, step, attempt, outcome, error, retry_at, at, .. }
                if *outcome != AttemptOutcome::Complete =>
            {
                let error = error.as_deref().map(|error| format!(": {}", first_line(error)));
                let next = match retry_at {
                    Some(retry_at) => format!("next in {}", millis(*at, *retry_at)),
                    None => "that was the last".to_owned(),
                };
                format!(
                    "task {task}, {step}: attempt {attempt} {outcome}{}; {next}",
                    error.unwrap_or_default()
                )
            }
            _ => return,
        };
        match self {
            Self::Nothing => {}
            Self::Json => print(&json!(event).to_string()),
            Self::Lines => {
                let now = Timestamp::now().strftime("%Y-%m-%d %H:%M:%SZ");
                print(&format!("{now}  {line}"));
            }
        }
    }

    /// To standard error.
    pub(super) fn say(self, text: &str) {
        if self != Self::Nothing {
            say(text);
        }
    }
}

fn began(program: &Program, description: &Description) -> String {
    let Description { worker, store, templates, info, .. } = description;
    let WorkerInfo { namespaces, handlers, concurrency, .. } = info;
    let worker = worker.map(|worker| worker.to_string()).unwrap_or_default();
    let namespaces = match namespaces {
        Some(namespaces) => format!("namespaces {}", namespaces.join(", ")),
        None => "all namespaces".to_owned(),
    };
    format!(
        "{}: worker {worker} on {store}; {namespaces}; handlers: {handlers}, templates: {templates}, \
         steps at a time: {concurrency}",
        program.title()
    )
}
