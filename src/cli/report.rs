//! A task that has ended, on a page: the graph with its timeline, what each step returned, and what
//! went wrong.

use std::fmt::Write as _;
use std::time::Duration;

use console::{Term, style, truncate_str};
use jiff::Timestamp;
use tasker_runtime::task::{Action, AttemptOutcome, Step, WaitingOn};
use tasker_runtime::{StepState, Task, TaskState};
use tasker_template::rails;

use crate::cli::program::Program;

/// Cells of the timeline.
const TIMELINE: usize = 32;

/// A task on a page, in colours where standard output is a terminal.
#[must_use]
pub fn report(task: &Task) -> String {
    report_by(task, &Program::started())
}

/// As [`report`], with commands of this program to go on with.
pub(super) fn report_by(task: &Task, program: &Program) -> String {
    let width = Term::stdout().size_checked().map_or(120, |(_, columns)| usize::from(columns));
    let mut page = String::new();
    let environment = task.environment.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
    let title = format!("{}/{} {}{environment}", task.namespace, task.name, task.version);
    let state = match task.state {
        TaskState::Complete => style(task.state).green(),
        TaskState::InProgress => style(task.state).cyan(),
        _ => style(task.state).red(),
    };
    let end = task.settled_at.unwrap_or(task.created_at);
    let _ = writeln!(page, "\n{}  {}", style(title).bold(), style(task.id).dim());
    let after = if task.settled_at.is_some() {
        format!(" after {}", millis(task.created_at, end))
    } else {
        String::new()
    };
    let _ = writeln!(page, "{}{after}\n", state.bold());
    waits(task, &mut page);
    timeline(task, &mut page);
    parallel(task, &mut page);
    results(task, width, &mut page);
    failures(task, program, &mut page);
    actions(task, &mut page);
    page.truncate(page.trim_end().len());
    page
}

/// What the task waits for, a line each.
fn waits(task: &Task, page: &mut String) {
    for line in told_waits(&task.waiting_on, 20) {
        let _ = writeln!(page, "  {line}");
    }
    if !task.waiting_on.is_empty() {
        page.push('\n');
    }
}

/// What is waited for as sentences, at most so many, and how many more there are.
pub(super) fn told_waits(waiting_on: &[WaitingOn], most: usize) -> Vec<String> {
    let mut lines: Vec<String> =
        waiting_on.iter().take(most).map(|waits| first_line(&waits.to_string())).collect();
    if let Some(more) = waiting_on.len().checked_sub(most).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn timeline(task: &Task, page: &mut String) {
    let attempts = || task.steps.iter().flat_map(|step| &step.attempts);
    let start = attempts().map(|attempt| attempt.started_at).min().unwrap_or(task.created_at);
    let end = attempts().map(|attempt| attempt.finished_at).max().unwrap_or(start);
    let total = between(start, end).as_secs_f64().max(1e-6);
    let cell = |time: Timestamp| {
        let share = between(start, time).as_secs_f64() / total;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share from 0 to 1")]
        let cell = (share * TIMELINE as f64) as usize;
        cell.min(TIMELINE - 1)
    };
    let widest = task.steps.iter().map(|step| step.name.chars().count()).max().unwrap_or_default();
    for (rail, step) in rails(&task.layers()) {
        let mut cells = [' '; TIMELINE];
        for attempt in &step.attempts {
            let mark = if attempt.outcome == AttemptOutcome::Complete { '█' } else { '░' };
            // The clock may have been set back in between.
            let from = cell(attempt.started_at);
            cells[from..=cell(attempt.finished_at).max(from)].fill(mark);
        }
        let bar: String = cells.iter().collect();
        let (mark, bar) = match step.state {
            StepState::Complete | StepState::ResolvedManually => (style("✓").green(), style(bar).green()),
            StepState::Error => (style("✗").red(), style(bar).red()),
            _ => (style("·").dim(), style(bar).dim()),
        };
        let line = format!("{rail} {:widest$}  {bar}  {mark} {}", step.name, told(step));
        let _ = writeln!(page, "{}", line.trim_end());
    }
    page.push('\n');
}

/// How long a step took, and in how many attempts.
fn told(step: &Step) -> String {
    let Some((first, last)) = step.attempts.first().zip(step.attempts.last()) else {
        return match step.state {
            StepState::Pending => "never started".to_owned(),
            StepState::Complete => "completed by hand".to_owned(),
            state => format!("{state}{}", until(step)),
        };
    };
    if step.state == StepState::Complete && last.outcome != AttemptOutcome::Complete {
        return format!(
            "{:>8}  attempt {} {}, then completed by hand",
            "",
            step.attempts.len(),
            last.outcome
        );
    }
    let took = millis(last.started_at, last.finished_at);
    let attempts = match step.attempts.len() {
        1 => "attempt 1".to_owned(),
        count => format!("attempt {count}, {} in all", millis(first.started_at, last.finished_at)),
    };
    match step.state {
        StepState::Complete => format!("{took:>8}  {attempts}"),
        state => format!("{took:>8}  {attempts}, {state}{}", until(step)),
    }
}

/// When a step goes on that waits for a time.
fn until(step: &Step) -> String {
    let at = step.next_attempt_at.map(|at| format!(" until {}", at.strftime("%Y-%m-%d %H:%M:%SZ")));
    at.unwrap_or_default()
}

/// Which steps of a layer were under way at the same time.
fn parallel(task: &Task, page: &mut String) {
    for layer in task.layers().iter().filter(|layer| layer.len() > 1) {
        let spans: Vec<_> = layer
            .iter()
            .filter_map(|step| {
                let (first, last) = step.attempts.first().zip(step.attempts.last())?;
                Some((step.name.as_str(), first.started_at, last.finished_at))
            })
            .collect();
        let together: Vec<&str> = spans
            .iter()
            .filter(|one| spans.iter().any(|other| other.0 != one.0 && one.1 < other.2 && other.1 < one.2))
            .map(|one| one.0)
            .collect();
        if !together.is_empty() {
            let _ = writeln!(page, "side by side: {}\n", together.join(", "));
        }
    }
}

fn results(task: &Task, width: usize, page: &mut String) {
    for (_, step) in rails(&task.layers()) {
        if let Some(result) = &step.result {
            let _ = writeln!(page, "{}", style(&step.name).bold());
            let note = if result.is_valid() { "" } else { "unreadable: " };
            let result = harmless(&format!("{note}{}", result.get()));
            let _ = writeln!(page, "  {}", truncate_str(&result, width.saturating_sub(2), "…"));
        }
    }
    page.push('\n');
}

fn failures(task: &Task, program: &Program, page: &mut String) {
    for step in task.failed_steps() {
        let name = style(format!("step `{}` failed for good", step.name)).red().bold();
        let _ = writeln!(page, "{name}  (handler `{}`)", step.callable);
        for attempt in &step.attempts {
            if let Some(error) = &attempt.error {
                let _ = writeln!(page, "  attempt {}: {}", attempt.attempt, harmless(&error.to_string()));
            }
        }
    }
    if task.state == TaskState::BlockedByFailures {
        let names = |state| {
            let names: Vec<_> =
                task.steps.iter().filter(|step| step.state == state).map(|step| step.name.as_str()).collect();
            names.join(", ")
        };
        let waiting = names(StepState::Pending);
        if !waiting.is_empty() {
            let _ = writeln!(page, "  never started, because of it: {waiting}");
        }
        for line in what_now(task, program) {
            let _ = writeln!(page, "{line}");
        }
    }
}

/// What an operator can do for a blocked task.
fn what_now(task: &Task, program: &Program) -> Vec<String> {
    let failed = task.failed_steps().next();
    let code = failed.and_then(Step::error).and_then(|error| error.code.as_deref());
    let (id, program) = (task.id, &program.name);
    let failed = failed.map_or("STEP", |step| step.name.as_str());
    let cancel = format!("    {program} task cancel {id}      give the rest up");
    if code == Some("INVALID_INPUT") {
        // Another attempt would read the same context.
        return vec![
            "  what now: correct the task's context, then try again, or create a new task. What is complete stays \
             so."
                .to_owned(),
            format!("    {program} task amend {id} --context JSON      replace the whole context"),
            format!("    {program} task retry {id} {failed}      after that"),
            cancel,
        ];
    }
    vec![
        "  what now: remove the cause, then go on from here, with the same `--store` if one was given. What is \
         complete stays so."
            .to_owned(),
        format!("    {program} task retry {id} {failed}      a fresh budget of attempts"),
        format!("    {program} task complete {id} {failed} --result JSON      it was done by hand"),
        cancel,
    ]
}

/// What operators have done.
fn actions(task: &Task, page: &mut String) {
    for action in &task.actions {
        let at = style(action.at.strftime("%Y-%m-%d %H:%M:%SZ")).dim();
        let _ = writeln!(page, "{at}  {}", harmless(&acted(action)));
    }
}

/// What an operator has done, in a line.
pub(super) fn acted(action: &Action) -> String {
    let Action { action: word, steps, by, reason, details, .. } = action;
    let steps = if steps.is_empty() { String::new() } else { format!(" {}", steps.join(", ")) };
    let status = details.status.map(|status| format!(" as {status}")).unwrap_or_default();
    format!("{word}{steps}{status} by {by}: {reason}")
}

/// The first line of a text that comes from elsewhere, without what would steer the terminal.
pub(super) fn first_line(text: &str) -> String {
    harmless(text.lines().next().unwrap_or_default())
}

/// A text that comes from elsewhere, without what would steer the terminal.
pub(super) fn harmless(text: &str) -> String {
    text.replace(|one: char| one.is_control() && one != '\n', "\u{fffd}")
}

fn between(start: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(start)).unwrap_or_default()
}

/// The time between two moments, as people write it.
pub(super) fn millis(start: Timestamp, end: Timestamp) -> String {
    let span = between(start, end);
    if span < Duration::from_secs(1) {
        format!("{} ms", span.as_millis())
    } else {
        format!("{:.2} s", span.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use tasker_runtime::task::WaitKind;

    use super::*;

    #[test]
    fn what_many_steps_wait_for_is_cut_short() {
        let waits = |number: usize| WaitingOn::new(WaitKind::Dependency, format!("s{number}"));
        let all: Vec<WaitingOn> = (0..5).map(waits).collect();
        let expected = ["waits for step `s0`", "waits for step `s1`", "and 3 more"];
        assert_eq!(told_waits(&all, 2), expected);
        assert_eq!(told_waits(&all[..2], 2), expected[..2]);
        assert!(told_waits(&[], 2).is_empty());
    }
}
