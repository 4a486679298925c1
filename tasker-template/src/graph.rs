//! The bare structure of a template: which step depends on which, without names and YAML.

use crate::template::StepType;

/// A step's position in its template.
pub type StepIndex = u32;

/// Which step of a template depends on which. Stores receive this structure, and nothing else of a template.
///
/// ```
/// use tasker_template::Graph;
/// let diamond = Graph::new(vec![vec![], vec![0], vec![0], vec![1, 2]]);
/// assert_eq!((diamond.roots(), diamond.sinks()), (&[0][..], &[3][..]));
/// assert_eq!(diamond.dependents(0), [1, 2]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    parents: Box<[Box<[StepIndex]>]>,
    dependents: Box<[Box<[StepIndex]>]>,
    kinds: Box<[StepType]>,
    roots: Box<[StepIndex]>,
    sinks: Box<[StepIndex]>,
}

impl Graph {
    /// The graph in which step `n` waits for `parents[n]`, with steps of type `standard`.
    ///
    /// # Panics
    ///
    /// When a parent is not the index of a step.
    #[must_use]
    pub fn new(parents: Vec<Vec<StepIndex>>) -> Self {
        let mut dependents = vec![Vec::new(); parents.len()];
        for (step, own) in (0..).zip(&parents) {
            for parent in own {
                dependents[*parent as usize].push(step);
            }
        }
        let without = |lists: &[Vec<StepIndex>]| -> Box<[StepIndex]> {
            (0..).zip(lists).filter(|(_, list)| list.is_empty()).map(|(step, _)| step).collect()
        };
        Self {
            roots: without(&parents),
            sinks: without(&dependents),
            kinds: vec![StepType::Standard; parents.len()].into(),
            parents: parents.into_iter().map(Vec::into_boxed_slice).collect(),
            dependents: dependents.into_iter().map(Vec::into_boxed_slice).collect(),
        }
    }

    /// The same graph with the types of its steps.
    ///
    /// # Panics
    ///
    /// When `kinds` has another length than the number of steps.
    #[must_use]
    pub fn with_kinds(self, kinds: Vec<StepType>) -> Self {
        assert_eq!(kinds.len(), self.len(), "each step has a type");
        Self { kinds: kinds.into(), ..self }
    }

    /// How many steps there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// Whether there is no step.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// The steps that `step` waits for, in ascending order.
    ///
    /// # Panics
    ///
    /// When there is no such step; so do the other methods that take an index.
    #[must_use]
    pub fn parents(&self, step: StepIndex) -> &[StepIndex] {
        &self.parents[step as usize]
    }

    /// The steps that wait for `step`, in ascending order.
    #[must_use]
    pub fn dependents(&self, step: StepIndex) -> &[StepIndex] {
        &self.dependents[step as usize]
    }

    /// The type of a step.
    #[must_use]
    pub fn kind(&self, step: StepIndex) -> StepType {
        self.kinds[step as usize]
    }

    /// The roots: the steps without parents.
    #[must_use]
    pub fn roots(&self) -> &[StepIndex] {
        &self.roots
    }

    /// The sinks: the steps without dependents. When all of them are done, the task is complete.
    #[must_use]
    pub fn sinks(&self) -> &[StepIndex] {
        &self.sinks
    }
}
