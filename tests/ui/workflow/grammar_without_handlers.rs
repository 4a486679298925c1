tasker::workflow! {
    pub order = "common/shop.yaml"
}

fn main() {}
