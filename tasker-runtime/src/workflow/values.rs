//! What only values can tell of a workflow: the test that `workflow!` writes.

use crate::build::builder::Builder;
use crate::workflow::Workflow;

/// Checks the schemas of a workflow's template.
///
/// # Panics
///
/// When something is wrong, with the faults drawn in the template's text.
pub fn check_values<W: Workflow>() {
    let mut builder = Builder::default().only_listed_handlers();
    builder.add_workflow::<W>();
    match tasker_template::load_str(W::FILE, W::TEMPLATE) {
        Err(faults) => panic!("\n{faults}"),
        Ok(loaded) => {
            let faults = builder.check(&loaded);
            assert!(!faults.has_errors(), "\n{faults}");
        }
    }
}
