use tasker::prelude::*;

#[derive(WorkflowInput)]
enum Order {
    Paid { cents: u64 },
}

fn main() {}
