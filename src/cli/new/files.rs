//! The files of a new crate, beside its manifest.

use tasker_template::{camel_case_names, namespace_of, snake_case_names};

/// The context that the first command runs a task with.
pub(super) const CONTEXT: &str = r#"{"item": "book", "quantity": 2}"#;

/// The path of the template in the crate.
pub(super) fn template_path(crate_name: &str) -> String {
    format!("templates/{}.yaml", template_name(crate_name))
}

/// The path of each file in the crate, and its text.
pub(super) fn files(crate_name: &str) -> [(String, String); 5] {
    let template = template_name(crate_name);
    let filled = |text: &str| {
        text.replace("__NAME__", crate_name)
            .replace("__CONTEXT__", CONTEXT)
            .replace("__TEMPLATE__", &template)
            .replace("__NAMESPACE__", &namespace_of(crate_name))
            .replace("__TYPE__", &camel_case_names([crate_name]).concat())
    };
    [
        (template_path(crate_name), filled(include_str!("files/template.yaml"))),
        ("src/handlers.rs".to_owned(), filled(include_str!("files/handlers.rs"))),
        ("src/main.rs".to_owned(), filled(include_str!("files/main.rs"))),
        ("README.md".to_owned(), filled(include_str!("files/README.md"))),
        (".gitignore".to_owned(), filled(include_str!("files/gitignore"))),
    ]
}

/// The name of the template, and of the workflow in code.
pub(super) fn template_name(crate_name: &str) -> String {
    snake_case_names([crate_name]).concat()
}
