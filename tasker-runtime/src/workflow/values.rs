//! What only values can tell of a workflow: the test that `workflow!` writes.

use tasker_template::Diagnostics;

use crate::build::bind;
use crate::build::builder::Builder;
use crate::build::described;
use crate::build::fault::BuildError;
use crate::workflow::Workflow;

/// Checks the schemas of a workflow's template, and the configurations of its handlers in each environment. `input`
/// is the schema of its input, if its type describes itself. What is a warning of the start is a mistake here.
///
/// # Panics
///
/// When something is wrong, with the faults drawn in the template's text.
pub fn check_values<W: Workflow>(input: Option<serde_json::Value>) {
    let mut builder = Builder::default().only_listed_handlers();
    builder.add_workflow::<W>();
    let mut faults = Vec::new();
    let registry = builder.registry(&mut faults);
    assert!(faults.is_empty(), "\n{}", BuildError::new(faults));
    match tasker_template::load_str(W::FILE, W::TEMPLATE) {
        Err(faults) => panic!("\n{faults}"),
        Ok(loaded) => {
            if let Some(input) = input {
                let mut faults = Diagnostics::default();
                described::check_input(&loaded, &input, &mut faults);
                assert!(faults.is_empty(), "\n{faults}");
            }
            let environments = loaded.template().environments.iter().map(|one| Some(one.name.clone()));
            // Where there are environments, what steps say by themselves need not be complete.
            let mut environments: Vec<_> = environments.collect();
            if environments.is_empty() {
                environments.push(None);
            }
            for environment in environments {
                let mut faults = Diagnostics::default();
                bind::check(&loaded, &registry, environment.as_deref(), &mut faults);
                assert!(faults.is_empty(), "\n{faults}");
            }
        }
    }
}
