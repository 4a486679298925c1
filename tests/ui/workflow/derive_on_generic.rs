use tasker::prelude::*;

#[derive(WorkflowInput)]
struct Order<T> {
    item: T,
}

fn main() {}
