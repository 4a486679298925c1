//! Runs one task to its end, and shows it meanwhile.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use console::{Term, style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde_json::Value;
use tasker_runtime::error::chain;
use tasker_runtime::events::{Event, Events};
use tasker_runtime::json::Json;
use tasker_runtime::task::{AttemptOutcome, Step};
use tasker_runtime::workflow::{Create, Workflow};
use tasker_runtime::{Error, NewTask, StepState, Task, TaskId, TaskState, Tasker};
use tasker_template::rails;

use crate::cli::new_task::refused;
use crate::cli::output::{CANNOT_START, Display, FAILED, INTERRUPTED, fail, print, say};
use crate::cli::program::Program;
use crate::cli::report::{first_line, millis, report_by};
use crate::cli::requested::RequestedTask;
use crate::cli::stop::{StopSignals, leave_behind_what_blocks};

/// Runs a task of a template to its end, shows it meanwhile, and reports it.
///
/// Tasks of the template that an earlier run left unfinished are run to their end as well, unless they are
/// to begin at a time that has not come, or are of another environment; one with the very same context is
/// taken for the task that was asked for, and none is created. Shuts the runtime down. Ctrl-C ends the run
/// in order, and the next one goes on from there.
pub async fn run_task(
    tasker: &Tasker,
    namespace: &str,
    name: &str,
    context: &Value,
    display: Display,
) -> ExitCode {
    let context = match Json::from_value(context) {
        Ok(context) => context,
        Err(error) => {
            tasker.shutdown().await;
            return fail(FAILED, format!("the context cannot be used: {error}"));
        }
    };
    let task = NewTask::new(namespace, name, &context);
    run(tasker, RequestedTask { task, another: ANOTHER }, display, &Program::started()).await
}

/// Runs a task of a workflow to its end, as [`run_task`] does, with the options that were set; also with its own
/// check of the input.
///
/// A task of `create_in` is refused, for it begins only when the caller has committed the transaction.
///
/// ```no_run
/// # use tasker::prelude::*;
/// # async fn example<W: tasker::workflow::Workflow>(create: tasker::workflow::Create<'_, W>) {
/// // `user_registration::create(&tasker, registration)`
/// let create = create.idempotency_key("registration-7").tag("web");
/// let code = tasker::cli::run_workflow(create, tasker::cli::Display::new(false)).await;
/// # }
/// ```
pub async fn run_workflow<W: Workflow>(create: Create<'_, W>, display: Display) -> ExitCode {
    let tasker = create.tasker();
    if create.is_in_transaction() {
        tasker.shutdown().await;
        return fail(FAILED, IN_TRANSACTION);
    }
    match create.into_task() {
        Ok(task) => run(tasker, RequestedTask { task, another: ANOTHER }, display, &Program::started()).await,
        Err(error) => {
            tasker.shutdown().await;
            refused(&error, display == Display::Json)
        }
    }
}

const IN_TRANSACTION: &str = "a task of `create_in` begins when its transaction is committed, and cannot be run \
    to its end before: await it, commit, and `wait` for its handle; or run one of `create`";

/// How code asks for a task besides one with the same context.
const ANOTHER: &str = "`.identity(IdentityStrategy::AlwaysUnique)`";

/// As [`run_task`]; the report names commands of this program.
pub(super) async fn run(
    tasker: &Tasker,
    requested: RequestedTask,
    display: Display,
    program: &Program,
) -> ExitCode {
    let mut signals = match StopSignals::new("stopped at once; run it again with the same store to go on") {
        Ok(signals) => signals,
        Err(error) => return fail(CANNOT_START, format!("signals cannot be waited for: {error}")),
    };
    signals.set_grace_of(tasker);
    let mut events = tasker.subscribe();
    let tasks = match requested.begin(tasker, display).await {
        Ok(tasks) => tasks,
        Err(error) => {
            tasker.shutdown().await;
            return refused(&error, display == Display::Json);
        }
    };
    let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
    let all = async {
        let mut ended = Vec::new();
        for id in &ids {
            match tasker.wait(*id).await {
                Ok(task) => ended.push(task),
                Err(Error::Failed(failure)) => ended.push(failure.into_task()),
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    };
    let shown = match display {
        Display::Json => Shown::Nothing,
        Display::Person if Term::stderr().is_term() => Shown::Live(Live::new(&tasks)),
        Display::Person => Shown::Lines(Timestamp::now()),
    };
    let ended = tokio::select! {
        ended = all => Some(ended),
        () = shown.follow(&mut events, &ids) => None,
        () = signals.first() => None,
    };
    // The last of them may have arrived together with the end.
    while let Some(event) = events.try_next() {
        shown.show(&event, &ids);
    }
    shown.clear();
    match ended {
        None => {
            say("stopping: running steps may end first; ctrl-C again stops at once");
            tasker.shutdown().await;
            say("stopped; run it again with the same store to go on");
            leave_behind_what_blocks(tasker, INTERRUPTED);
            ExitCode::from(INTERRUPTED)
        }
        Some(Err(error)) => {
            tasker.shutdown().await;
            fail(FAILED, chain(&error))
        }
        Some(Ok(ended)) => {
            tasker.shutdown().await;
            for task in &ended {
                match display {
                    Display::Json => {
                        print(&serde_json::to_string(task).unwrap_or_else(|error| error.to_string()))
                    }
                    Display::Person => print(&report_by(task, program)),
                }
            }
            let complete = ended.iter().all(|task| task.state == TaskState::Complete);
            let code = if complete { 0 } else { FAILED };
            leave_behind_what_blocks(tasker, code);
            ExitCode::from(code)
        }
    }
}

enum Shown {
    Nothing,
    /// Lines, with the time since this.
    Lines(Timestamp),
    Live(Live),
}

impl Shown {
    /// Shows what happens to these tasks, for ever.
    async fn follow(&self, events: &mut Events, tasks: &[TaskId]) {
        while let Some(event) = events.next().await {
            self.show(&event, tasks);
        }
        std::future::pending().await
    }

    fn show(&self, event: &Event, tasks: &[TaskId]) {
        match self {
            Self::Nothing => {}
            Self::Lines(begun) => line(event, *begun, tasks),
            Self::Live(live) => live.show(event),
        }
    }

    fn clear(&self) {
        if let Self::Live(live) = self {
            // A bar that ticks would draw itself again.
            live.steps.values().for_each(|line| line.bar.disable_steady_tick());
            // A terminal that has gone away need not be cleared.
            let _ = live.lines.clear();
        }
    }
}

fn line(event: &Event, begun: Timestamp, tasks: &[TaskId]) {
    let (task, at, text) = match event {
        Event::StepStarted { task, step, attempt, at, .. } => {
            (task, at, format!("{step}: attempt {attempt} begins"))
        }
        Event::StepFinished { task, step, attempt, outcome, error, retry_at, at, .. } => {
            let reason = error.as_deref().map(|error| format!(": {}", first_line(error))).unwrap_or_default();
            let next =
                retry_at.map(|retry_at| format!("; next in {}", millis(*at, retry_at))).unwrap_or_default();
            (task, at, format!("{step}: attempt {attempt} {outcome}{reason}{next}"))
        }
        _ => return,
    };
    // The worker may run tasks of other programs as well.
    let Some(number) = tasks.iter().position(|id| id == task) else { return };
    let number = Some(number)
        .filter(|_| tasks.len() > 1)
        .map(|number| format!("task {} ", number + 1))
        .unwrap_or_default();
    print(&format!("{:>9}  {number}{text}", millis(begun, *at)));
}

/// A line for each step, drawn in place.
struct Live {
    lines: MultiProgress,
    steps: BTreeMap<(TaskId, String), StepLine>,
}

struct StepLine {
    bar: ProgressBar,
    max_attempts: u32,
}

impl Live {
    fn new(tasks: &[Task]) -> Self {
        let lines = MultiProgress::new();
        let mut steps = BTreeMap::new();
        for task in tasks {
            let title = lines.add(ProgressBar::new_spinner().with_style(plain("{msg}")));
            title.set_message(format!("{} {}", style(&task.name).bold(), style(task.id).dim()));
            title.tick();
            let widest = task.steps.iter().map(|step| step.name.chars().count()).max().unwrap_or_default();
            for (rail, step) in rails(&task.layers()) {
                let bar = lines.add(ProgressBar::new_spinner());
                bar.set_prefix(format!("{rail} {:widest$}", step.name));
                let line = StepLine { bar, max_attempts: step.max_attempts };
                line.begin(step);
                steps.insert((task.id, step.name.clone()), line);
            }
        }
        Self { lines, steps }
    }

    fn show(&self, event: &Event) {
        match event {
            Event::StepStarted { task, step, attempt, .. } => {
                if let Some(line) = self.steps.get(&(*task, step.clone())) {
                    line.running(*attempt);
                }
            }
            Event::StepFinished { task, step, attempt, outcome, error, retry_at, at, .. } => {
                let Some(line) = self.steps.get(&(*task, step.clone())) else { return };
                let error = first_line(error.as_deref().unwrap_or_default());
                match (outcome, retry_at) {
                    (AttemptOutcome::Complete, _) => line.still(&style("complete").green().to_string()),
                    (_, Some(retry_at)) => {
                        let wait = millis(*at, *retry_at);
                        let text = format!("attempt {attempt} {outcome}: {error}; next in {wait}");
                        line.still(&style(text).yellow().to_string());
                    }
                    _ => line.still(&style(format!("{outcome}: {error}")).red().to_string()),
                }
            }
            _ => {}
        }
    }
}

impl StepLine {
    fn begin(&self, step: &Step) {
        match step.state {
            StepState::Complete => self.still(&style("complete, by an earlier run").green().to_string()),
            StepState::Pending if step.dependencies.is_empty() => self.still(""),
            StepState::Pending => {
                self.still(&style(format!("after {}", step.dependencies.join(", "))).dim().to_string());
            }
            other => self.still(&style(other).dim().to_string()),
        }
    }

    fn running(&self, attempt: u32) {
        let text = match attempt {
            1 => "running".to_owned(),
            attempt => format!("running, attempt {attempt} of {}", self.max_attempts),
        };
        self.bar.set_style(plain("{prefix} {spinner:.cyan} {msg} {elapsed:.dim}"));
        self.bar.reset_elapsed();
        self.bar.set_message(text);
        self.bar.enable_steady_tick(Duration::from_millis(80));
    }

    fn still(&self, text: &str) {
        self.bar.disable_steady_tick();
        self.bar.set_style(plain("{prefix}   {wide_msg}"));
        self.bar.set_message(text.to_owned());
        self.bar.tick();
    }
}

fn plain(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
