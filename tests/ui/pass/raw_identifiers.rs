#![deny(warnings)]

use tasker::{StepHandler, step_handler};

mod r#type {
    #[tasker::step_handler("Rules::Move")]
    pub async fn r#move(#[input("type")] r#type: String) -> String {
        r#type
    }
}

#[step_handler("Rules::Match")]
async fn r#match(#[depends_on(r#type::r#move)] r#move: String) -> usize {
    r#move.len()
}

struct Loop;

#[step_handler("Rules::Loop")]
impl Loop {
    async fn r#match(&self, #[config("type")] r#type: String) -> String {
        r#type
    }
}

pub(crate) fn main() {
    assert_eq!((r#loop::r#match::METHOD, r#loop::r#match::NAME), ("match", "Loop::match"));
    assert_eq!(r#match::DEPENDS_ON[0].step, "move");
}
