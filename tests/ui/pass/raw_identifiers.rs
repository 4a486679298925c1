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

pub(crate) fn main() {
    assert_eq!(r#match::DEPENDS_ON[0].step, "move");
}
