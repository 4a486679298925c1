//! The graph of a template as Mermaid, as Graphviz DOT, and as plain text.

use std::fmt::Write as _;

use crate::graph::StepIndex;
use crate::plan::Plan;
use crate::template::TaskTemplate;

/// A Mermaid flowchart.
///
/// ```
/// # let yaml = "
/// # name: a
/// # namespace_name: b
/// # version: 1
/// # steps:
/// #   - {name: account, handler: {callable: A}}
/// #   - {name: billing, handler: {callable: B}, dependencies: [account]}
/// # ";
/// let loaded = tasker_template::load_str("demo.yaml", yaml).unwrap();
/// let mermaid = tasker_template::mermaid(loaded.template(), loaded.plan());
/// assert_eq!(mermaid, "flowchart TD\n  s0[\"account\"]\n  s1[\"billing\"]\n  s0 --> s1\n");
/// ```
#[must_use]
pub fn mermaid(template: &TaskTemplate, plan: &Plan) -> String {
    let mut out = String::from("flowchart TD\n");
    for (index, step) in template.steps.iter().enumerate() {
        let label = step.name.replace('#', "#35;").replace('&', "#38;").replace('"', "#34;");
        let label = label.replace('<', "#60;").replace('>', "#62;");
        let _ = writeln!(out, "  s{index}[\"{label}\"]");
    }
    for (parent, dependent) in edges(plan) {
        let _ = writeln!(out, "  s{parent} --> s{dependent}");
    }
    out
}

/// A Graphviz digraph.
#[must_use]
pub fn dot(template: &TaskTemplate, plan: &Plan) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
    let mut out = format!("digraph {} {{\n  node [shape=box];\n", quoted(&template.name));
    for (index, step) in template.steps.iter().enumerate() {
        let _ = writeln!(out, "  s{index} [label={}];", quoted(&step.name));
    }
    for (parent, dependent) in edges(plan) {
        let _ = writeln!(out, "  s{parent} -> s{dependent};");
    }
    out.push_str("}\n");
    out
}

/// A line for each step, layer by layer: the steps of one layer can run side by side.
#[must_use]
pub fn text(template: &TaskTemplate, plan: &Plan) -> String {
    let widest = template.steps.iter().map(|step| step.name.chars().count()).max().unwrap_or_default();
    let mut out = String::new();
    for (rail, step) in rails(plan.layers()) {
        let name = &template.steps[step as usize].name;
        let parents: Vec<_> =
            plan.parents(step).iter().map(|parent| template.steps[*parent as usize].name.as_str()).collect();
        let line = match &parents[..] {
            [] => format!("{rail} {name}"),
            parents => format!("{rail} {name:widest$}  after {}", parents.join(", ")),
        };
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Every step in the order of the layers, with a mark that joins the steps which can run at the same time.
///
/// ```
/// assert_eq!(tasker_template::rails(&[vec!["a"], vec!["b", "c"]]), [("─", "a"), ("┌", "b"), ("└", "c")]);
/// ```
#[must_use]
pub fn rails<S: Copy>(layers: &[Vec<S>]) -> Vec<(&'static str, S)> {
    let of_layer = |layer: &Vec<S>| {
        let last = layer.len().saturating_sub(1);
        let rail = move |position| match position {
            _ if last == 0 => "─",
            0 => "┌",
            position if position == last => "└",
            _ => "├",
        };
        layer.iter().enumerate().map(|(position, step)| (rail(position), *step)).collect::<Vec<_>>()
    };
    layers.iter().flat_map(of_layer).collect()
}

fn edges(plan: &Plan) -> impl Iterator<Item = (StepIndex, StepIndex)> {
    plan.order()
        .iter()
        .flat_map(|parent| plan.dependents(*parent).iter().map(move |dependent| (*parent, *dependent)))
}
