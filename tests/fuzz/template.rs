//! What holds for the reader of templates, whatever text it is given.

use tasker_template::{Diagnostics, Plan, TaskTemplate, dot, load_str, mermaid, text};

/// Reads a text as a template. It is either taken, and then its snapshot is read back as the same template, or
/// refused with faults that lie in the text.
pub fn check(yaml: &str) {
    match load_str("fuzzed.yaml", yaml) {
        Err(faults) => {
            assert!(faults.has_errors(), "it is refused without an error");
            lie_in(&faults, yaml);
        }
        Ok(loaded) => {
            assert!(!loaded.warnings().has_errors());
            lie_in(loaded.warnings(), yaml);
            let template = loaded.into_template();
            let names: Vec<String> = template.environments.iter().map(|one| one.name.clone()).collect();
            names.iter().for_each(|name| is_kept(&template.for_environment(name)));
            is_kept(&template);
        }
    }
}

/// Each fault can be drawn, and names a line and a column that the text has, or none.
fn lie_in(faults: &Diagnostics, yaml: &str) {
    // In YAML, a carriage return alone ends a line as well.
    let lines = yaml.replace("\r\n", "\n").split(['\n', '\r']).count();
    for fault in faults.iter().filter(|fault| (fault.line, fault.column) != (0, 0)) {
        assert!((1..=lines).contains(&fault.line), "{fault:?}");
        assert!(fault.column >= 1 && fault.column <= yaml.chars().count() + 1, "{fault:?}");
        assert!(fault.render(false).contains("fuzzed.yaml"), "{fault:?}");
    }
}

/// A template is what its snapshot says, and has a graph that can be drawn.
fn is_kept(template: &TaskTemplate) {
    let snapshot = serde_json::to_string(template).unwrap();
    assert_eq!(serde_json::from_str::<TaskTemplate>(&snapshot).unwrap(), *template);
    let plan = Plan::new(template).unwrap();
    for drawn in [dot(template, &plan), mermaid(template, &plan), text(template, &plan)] {
        assert!(!drawn.is_empty());
    }
}
