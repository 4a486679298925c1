tasker::workflow! {}

fn main() {}
