//! Workflows whose names are those of a step, of a module with handlers, of variables, and of what the macro makes.

use tasker::Tasker;
use tasker::workflow::Workflow as _;

mod steps {
    use tasker::{WorkflowInput, step_handler};

    #[derive(serde::Serialize, WorkflowInput)]
    pub struct Input {
        pub item: String,
    }

    #[step_handler("Ui::Reserve")]
    pub async fn reserve(#[input("item")] item: String) -> String {
        item
    }
}

mod order_steps {
    use super::steps::reserve;

    #[tasker::step_handler("Ui::Charge")]
    pub async fn charge(#[depends_on(reserve, step = "steps")] item: String) -> usize {
        item.len()
    }
}

mod named_as_a_step {
    use super::{order_steps, steps};

    tasker::workflow! { pub task(steps::Input) = "pass/workflow.yaml" { steps::reserve, order_steps::charge } }
    tasker::workflow! { pub name = "pass/workflow.yaml" { steps::reserve, order_steps::charge } }
    tasker::workflow! { pub step = "pass/workflow.yaml" { steps::reserve, order_steps::charge } }

    /// A variable, a parameter and a pattern may have the name of a workflow.
    pub fn shadowed(task: u32, name: Option<u32>) -> u32 {
        let step = task + 1;
        match name {
            Some(name) => name + step,
            None => step,
        }
    }
}

mod named_as_a_module {
    use super::{order_steps, steps as handlers};

    tasker::workflow! { pub(super) steps(handlers::Input) = "pass/workflow.yaml" { handlers::reserve, order_steps::charge } }
    tasker::workflow! { pub(super) order = "pass/workflow.yaml" { handlers::reserve, task => order_steps::charge } }
}

macro_rules! declare {
    ($name:ident, $file:literal, $first:path, $second:path) => {
        tasker::workflow! { $name = $file { $first, $second } }
    };
}
declare!(declared, "pass/workflow.yaml", steps::reserve, order_steps::charge);

pub fn main() {
    use named_as_a_step::{name, step, task};
    assert_eq!(named_as_a_step::shadowed(1, Some(2)), 4);
    let builder = Tasker::builder().workflow(task).workflow(name).workflow(step);
    let builder =
        builder.workflow(named_as_a_module::steps).workflow(named_as_a_module::order).workflow(declared);
    assert!(builder.has_handlers());
    assert_eq!(task::Workflow::NAME, "shop");
    assert_eq!([task::Step::Steps.name(), declared::Step::Task.name()], ["steps", "task"]);
}
