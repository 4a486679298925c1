#![deny(warnings)]

use tasker::{StepHandler, step_handler};

macro_rules! handler {
    ($name:ident, $callable:literal, $from:path, $parameter:ty, $result:ty) => {
        #[step_handler($callable)]
        async fn $name(#[depends_on($from)] value: $parameter) -> $result {
            Ok(value.map_or(0, |value| value + 1))
        }
    };
}

#[step_handler("Chain::First")]
async fn first() -> u64 {
    1
}

handler!(second, "Chain::Second", first, Option<u64>, Result<u64, tasker::StepError>);
handler!(third, "Chain::Third", self::second, Option<u64>, anyhow::Result<u64>);

macro_rules! block {
    ($ty:ident, $callable:literal, $name:ident, $config:ty) => {
        struct $ty;

        #[step_handler($callable)]
        impl $ty {
            async fn $name(&self, #[config] config: $config) -> u64 {
                config
            }
        }
    };
}

block!(Counter, "Chain::Counter", count, u64);

pub(crate) fn main() {
    assert_eq!((counter::count::CALLABLE, counter::count::METHOD), ("Chain::Counter", "count"));
    assert!(second::DEPENDS_ON[0].optional);
    assert_eq!(third::DEPENDS_ON[0].step, "second");
}
