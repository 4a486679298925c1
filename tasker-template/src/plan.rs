//! The [`Plan`]: the compiled graph of a template, which answers all questions about the graph.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use crate::graph::{Graph, StepIndex};
use crate::template::TaskTemplate;

/// The compiled graph of a template: which step depends on which, and in which order the steps can run.
///
/// ```
/// # let yaml = "
/// # name: a
/// # namespace_name: b
/// # version: 1
/// # steps:
/// #   - {name: account, handler: {callable: A}}
/// #   - {name: billing, handler: {callable: B}, dependencies: [account]}
/// #   - {name: preferences, handler: {callable: C}, dependencies: [account]}
/// #   - {name: welcome, handler: {callable: D}, dependencies: [billing, preferences]}
/// # ";
/// let loaded = tasker_template::load_str("diamond.yaml", yaml).unwrap();
/// let plan = loaded.plan();
/// assert_eq!(plan.layers(), [vec![0], vec![1, 2], vec![3]]);
/// assert_eq!(plan.dependents(0), [1, 2]);
/// assert!(plan.is_ancestor(0, 3));
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    by_name: HashMap<Box<str>, StepIndex>,
    graph: Arc<Graph>,
    order: Box<[StepIndex]>,
    layers: Vec<Vec<StepIndex>>,
}

/// Why a template has no plan: it was not checked, or was changed after the check.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A dependency names no step.
    #[error("step `{step}` depends on `{dependency}`, but the template has no such step")]
    UnknownDependency {
        /// The step.
        step: String,
        /// What it depends on.
        dependency: String,
    },
    /// Steps wait for each other in a cycle.
    #[error("steps wait for each other: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
}

impl Plan {
    /// Compiles the graph of a template.
    ///
    /// # Errors
    ///
    /// A dependency that names no step, or a cycle. A template that [`load_str`](crate::load_str)
    /// returned has neither.
    pub fn new(template: &TaskTemplate) -> Result<Self, PlanError> {
        let mut by_name = HashMap::with_capacity(template.steps.len());
        for (index, step) in (0..).zip(&template.steps) {
            by_name.entry(step.name.as_str().into()).or_insert(index);
        }
        let mut parents = Vec::with_capacity(template.steps.len());
        for step in &template.steps {
            let mut own: Vec<StepIndex> = Vec::with_capacity(step.dependencies.len());
            for dependency in &step.dependencies {
                let Some(parent) = by_name.get(dependency.as_str()).copied() else {
                    let (step, dependency) = (step.name.clone(), dependency.clone());
                    return Err(PlanError::UnknownDependency { step, dependency });
                };
                own.push(parent);
            }
            own.sort_unstable();
            own.dedup();
            parents.push(own);
        }
        let graph = digraph(parents.iter().map(Vec::as_slice));
        let Ok(order) = toposort(&graph, None) else {
            let wide: Vec<Vec<usize>> =
                parents.iter().map(|own| own.iter().map(|parent| *parent as usize).collect()).collect();
            let cycle = cycles(&wide).into_iter().next().unwrap_or_default();
            return Err(PlanError::Cycle(
                cycle.into_iter().map(|index| template.steps[index].name.clone()).collect(),
            ));
        };
        let order: Box<[StepIndex]> = order.into_iter().map(|node| node.index() as StepIndex).collect();
        let layers = layers(&order, &parents);
        let kinds = template.steps.iter().map(|step| step.step_type).collect();
        let graph = Arc::new(Graph::new(parents).with_kinds(kinds));
        Ok(Self { by_name, graph, order, layers })
    }

    /// Its bare structure, for stores.
    #[must_use]
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// How many steps there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.graph.len()
    }

    /// Whether there is no step.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.graph.is_empty()
    }

    /// The index of the step called `name`.
    #[must_use]
    pub fn index(&self, name: &str) -> Option<StepIndex> {
        self.by_name.get(name).copied()
    }

    /// The steps that `step` waits for.
    ///
    /// # Panics
    ///
    /// When there is no such step; so do the other methods that take an index.
    #[must_use]
    pub fn parents(&self, step: StepIndex) -> &[StepIndex] {
        self.graph.parents(step)
    }

    /// The steps that wait for `step`.
    #[must_use]
    pub fn dependents(&self, step: StepIndex) -> &[StepIndex] {
        self.graph.dependents(step)
    }

    /// The roots: the steps without parents.
    #[must_use]
    pub fn roots(&self) -> &[StepIndex] {
        self.graph.roots()
    }

    /// The sinks: the steps without dependents. When all of them are done, the task is complete.
    #[must_use]
    pub fn sinks(&self) -> &[StepIndex] {
        self.graph.sinks()
    }

    /// An order in which each step comes after all that it waits for.
    #[must_use]
    pub fn order(&self) -> &[StepIndex] {
        &self.order
    }

    /// The steps in layers, by the length of the longest path that leads to them. The steps of a layer can
    /// run at the same time.
    #[must_use]
    pub fn layers(&self) -> &[Vec<StepIndex>] {
        &self.layers
    }

    /// All steps that must be complete before `step` starts, in ascending order.
    #[must_use]
    pub fn ancestors(&self, step: StepIndex) -> Vec<StepIndex> {
        let mut seen = vec![false; self.len()];
        let mut open = self.parents(step).to_vec();
        while let Some(next) = open.pop() {
            if !std::mem::replace(&mut seen[next as usize], true) {
                open.extend_from_slice(self.parents(next));
            }
        }
        (0..).zip(seen).filter(|(_, seen)| *seen).map(|(index, _)| index).collect()
    }

    /// Whether `ancestor` must be complete before `step` starts.
    #[must_use]
    pub fn is_ancestor(&self, ancestor: StepIndex, step: StepIndex) -> bool {
        self.ancestors(step).binary_search(&ancestor).is_ok()
    }
}

fn digraph<'a>(parents: impl Iterator<Item = &'a [StepIndex]> + Clone) -> DiGraph<(), ()> {
    let mut graph = DiGraph::new();
    for _ in parents.clone() {
        graph.add_node(());
    }
    for (index, parents) in parents.enumerate() {
        for parent in parents {
            graph.add_edge(NodeIndex::new(*parent as usize), NodeIndex::new(index), ());
        }
    }
    graph
}

fn layers(order: &[StepIndex], parents: &[Vec<StepIndex>]) -> Vec<Vec<StepIndex>> {
    let mut depth = vec![0_usize; order.len()];
    for step in order {
        let own = &parents[*step as usize];
        depth[*step as usize] =
            own.iter().map(|parent| depth[*parent as usize] + 1).max().unwrap_or_default();
    }
    let mut layers = vec![Vec::new(); depth.iter().max().map_or(0, |deepest| deepest + 1)];
    for (step, depth) in (0..).zip(depth) {
        layers[depth].push(step);
    }
    layers
}

/// A shortest cycle of each strongly connected component. In a cycle, each step waits for the one before it.
pub(crate) fn cycles(parents: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let narrow: Vec<Vec<StepIndex>> =
        parents.iter().map(|own| own.iter().map(|parent| *parent as StepIndex).collect()).collect();
    // Not Tarjan's algorithm: petgraph's recurses, and a chain of thousands of steps overflows the stack.
    let mut knots: Vec<Vec<usize>> = kosaraju_scc(&digraph(narrow.iter().map(Vec::as_slice)))
        .into_iter()
        .filter(|knot| knot.len() > 1)
        .map(|knot| knot.into_iter().map(NodeIndex::index).collect())
        .collect();
    knots.sort_by_key(|knot| knot.iter().min().copied());
    knots.iter().filter_map(|knot| circle(knot, parents)).collect()
}

/// A shortest cycle through the first step of a component, by breadth-first search against the edges.
fn circle(knot: &[usize], parents: &[Vec<usize>]) -> Option<Vec<usize>> {
    let start = *knot.iter().min()?;
    let knot: HashSet<usize> = knot.iter().copied().collect();
    let mut came_from: HashMap<usize, usize> = HashMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(step) = queue.pop_front() {
        for parent in parents[step].iter().filter(|parent| knot.contains(parent)) {
            if *parent == start {
                let mut path = vec![step];
                while let Some(previous) = came_from.get(path.last()?) {
                    path.push(*previous);
                }
                // The search walked from dependents to parents: `path` already runs from parent to dependent.
                path.rotate_right(1);
                return Some(path);
            }
            if !came_from.contains_key(parent) {
                came_from.insert(*parent, step);
                queue.push_back(*parent);
            }
        }
    }
    None
}
