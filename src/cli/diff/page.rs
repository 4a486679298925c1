//! The changes, as people read them: those that break somebody first.

use console::{Style, style};
use tasker_template::contract::{Breaks, Change};

use crate::cli::diff::{Answer, Described, shown};
use crate::cli::output::print;
use crate::cli::report::harmless;

/// What changes are listed under, in this order.
const GROUPS: [(Breaks, &str); 4] = [
    (Breaks::BOTH, "breaks tasks in flight and callers"),
    (Breaks::TASKS_IN_FLIGHT, "breaks tasks in flight"),
    (Breaks::CALLERS, "breaks callers"),
    (Breaks::NOTHING, "breaks nothing"),
];

pub(super) fn print_page(answer: &Answer<'_>) {
    let title = format!("{} -> {}", full_name(&answer.before), full_name(&answer.after));
    let environment = answer.environment.map(|name| format!(", in {name}")).unwrap_or_default();
    print(&format!("{}\n", style(harmless(&format!("{title}{environment}"))).bold()));
    let width = answer.changes.iter().map(|change| place(change).chars().count()).max().unwrap_or_default();
    for (breaks, heading) in GROUPS {
        let of_group: Vec<&Change> = answer.changes.iter().filter(|change| change.breaks == breaks).collect();
        if of_group.is_empty() {
            continue;
        }
        let colour = if breaks.is_breaking() { Style::new().red().bold() } else { Style::new().green() };
        print(&colour.apply_to(heading).to_string());
        for change in of_group {
            let place = place(change);
            let gap = if width == 0 { 0 } else { width + 2 - place.chars().count() };
            print(&format!("  {}{}{}", style(place).dim(), " ".repeat(gap), change.message));
        }
        print("");
    }
    print(&summary(answer));
}

/// Where it stands now; for what is gone, where it stood. Empty in what has no text.
fn place(change: &Change) -> String {
    change.after.as_ref().or(change.before.as_ref()).map_or_else(String::new, |place| {
        harmless(&format!("{}:{}:{}", shown(&place.file), place.line, place.column))
    })
}

fn full_name(one: &Described<'_>) -> String {
    format!("{}/{} {}", one.namespace, one.name, one.version)
}

fn summary(answer: &Answer<'_>) -> String {
    let count = match answer.changes.len() {
        0 => return "no changes: compatible".to_owned(),
        1 => "1 change".to_owned(),
        more => format!("{more} changes"),
    };
    let verb = |count: usize| if count == 1 { "breaks" } else { "break" };
    let broken = [(answer.breaks_tasks_in_flight, "tasks in flight"), (answer.breaks_callers, "callers")];
    let broken = broken.into_iter().filter(|(count, _)| *count > 0);
    let broken: Vec<String> = broken.map(|(count, whom)| format!("{count} {} {whom}", verb(count))).collect();
    match broken.is_empty() {
        true => format!("{count}, none breaks anything: compatible"),
        false => format!("{count}, {}: breaking", broken.join(", ")),
    }
}
