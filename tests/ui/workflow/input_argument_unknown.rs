#[derive(tasker::WorkflowInput)]
#[tasker(krate = my_tasker)]
pub struct Order {
    pub item: String,
}

fn main() {}
