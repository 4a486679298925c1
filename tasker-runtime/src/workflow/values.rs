//! What only values can tell of a workflow: the test that `workflow!` writes.

use crate::build::builder::Builder;
use crate::build::fault::BuildError;
use crate::workflow::Workflow;

/// Checks the schemas of a workflow's template.
///
/// # Panics
///
/// When something is wrong, with the faults drawn in the template's text.
pub fn check_values<W: Workflow>() {
    let mut builder = Builder::default().only_listed_handlers();
    builder.add_workflow::<W>();
    let mut faults = Vec::new();
    builder.registry(&mut faults);
    assert!(faults.is_empty(), "\n{}", BuildError::new(faults));
    match tasker_template::load_str(W::FILE, W::TEMPLATE) {
        Err(faults) => panic!("\n{faults}"),
        Ok(loaded) => {
            let faults = builder.check(&loaded);
            assert!(!faults.has_errors(), "\n{faults}");
        }
    }
}
