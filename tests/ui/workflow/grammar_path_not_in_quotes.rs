tasker::workflow! {
    pub order = common::shop {}
}

fn main() {}
