//! The module of a template: types, a stub for each handler, and a test.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::{Value, json};
use syn::Item;
use tasker_template::{StepType, TaskTemplate};

use crate::cli::generate::format::laid_out;
use crate::cli::generate::names::{constant_name, module_name, type_name, unraw, unused};
use crate::cli::generate::outline::{Handler, Read, handlers};
use crate::cli::generate::reduced::one_line;
use crate::cli::generate::sample::{sample, sample_context};
use crate::cli::generate::types::{ANY, Types};

/// A generated module.
#[derive(Debug)]
pub(super) struct Module {
    /// Its code, before it is formatted as a whole.
    pub(super) code: String,
    /// What could not be generated, for the person who asked.
    pub(super) notes: Vec<String>,
}

/// The module of a template, which tests read from `path`.
pub(super) fn module(template: &TaskTemplate, path: &str) -> Module {
    let handlers = handlers(template);
    let mut types = Types::default();
    let about = format!("The context of a task of `{}`.", template.name);
    let input = types.add(&type_name(&template.name, "Input"), &about, template.input_schema.as_ref());
    let results: Vec<String> = handlers.iter().map(|handler| result_type(handler, &mut types)).collect();
    let mut code = format!(
        "//! The handlers of the template `{}/{}`.\n//!\n//! Each fails for good until it is written. \
         `tasker generate handlers` wrote this once; it is yours to change.\n",
        template.namespace, template.name
    );
    let mut imports = String::from("use tasker::prelude::*;\n");
    if !types.items.is_empty() {
        imports.insert_str(0, "use serde::{Deserialize, Serialize};\n");
    }
    let stubs: String = handlers
        .iter()
        .zip(&results)
        .map(|(own, result)| stub(own, result, &input, &handlers, &results))
        .collect();
    code.push('\n');
    code.push_str(&laid_out(&items(&imports)));
    let can_run = template.steps.iter().all(|step| step.step_type == StepType::Standard);
    let input_of_workflow = types.is_workflow_input(&input).then_some(&*input);
    code.push_str(&laid_out(&types.items));
    if can_run {
        code.push_str(&workflow(template, path, input_of_workflow, &handlers));
    }
    code.push_str(&laid_out(&items(&stubs)));
    let mut notes: Vec<String> = types
        .untyped
        .iter()
        .map(|name| format!("no type `{name}` could be made of its schema; its values are `{ANY}`"))
        .collect();
    if can_run {
        code.push_str(&test(template, path, &input, &handlers, &results, &types, &mut notes));
    } else {
        notes.push(
            "no `workflow!` and no test: this version does not run steps of all the template's types"
                .to_owned(),
        );
    }
    Module { code, notes }
}

/// The macro that checks the template against its handlers. It is laid out here, for no tool lays out what is in
/// the braces of a macro.
fn workflow(template: &TaskTemplate, path: &str, input: Option<&str>, handlers: &[Handler<'_>]) -> String {
    let functions: Vec<String> = handlers.iter().map(|handler| handler.function.clone()).collect();
    let name = module_name(&template.name, &functions);
    let about = template.description.as_deref().and_then(one_line);
    let about = about.unwrap_or_else(|| format!("The workflow `{}`.", template.name));
    let input = input.map(|input| format!("({input})")).unwrap_or_default();
    let functions: String = functions.iter().map(|function| format!("        {function},\n")).collect();
    format!(
        "\ntasker::workflow! {{\n    /// {about}\n    pub {name}{input} = {path:?} {{\n{functions}    }}\n\
         }}\n"
    )
}

/// The items of a text that is code.
fn items(code: &str) -> Vec<Item> {
    let file = syn::parse_str::<syn::File>(code);
    file.expect("what is generated is Rust: names are made to be, and texts are escaped").items
}

fn result_type(handler: &Handler<'_>, types: &mut Types) -> String {
    let name = type_name(&handler.steps[0].name, "Result");
    let about = match handler.steps.as_slice() {
        [only] => format!("The result of step `{}`.", only.name),
        all => format!("The result of the steps {}.", listed(all.iter().map(|step| step.name.as_str()))),
    };
    types.add(&name, &about, handler.result_schema())
}

fn stub(
    own: &Handler<'_>,
    result: &str,
    input: &str,
    handlers: &[Handler<'_>],
    results: &[String],
) -> String {
    let mut parameters = vec![("#[input]".to_owned(), "input", input)];
    for read in &own.reads {
        parameters.push((dependency(read, &handlers[read.handler]), &read.parameter, &results[read.handler]));
    }
    let names: Vec<&str> = parameters.iter().map(|(_, name, _)| *name).collect();
    let unused =
        if let [only] = names.as_slice() { (*only).to_owned() } else { format!("({})", names.join(", ")) };
    let mut code = String::new();
    for line in documentation(own) {
        writeln!(code, "#[doc = {:?}]", format!(" {line}").trim_end()).expect("a text takes all");
    }
    if parameters.len() > 7 {
        code.push_str(
            "#[allow(clippy::too_many_arguments, reason = \"one for each step that it waits for\")]\n",
        );
    }
    let method = own.named.method.as_ref().filter(|method| *method != tasker_template::DEFAULT_METHOD);
    let method = method.map(|method| format!(", method = {method:?}")).unwrap_or_default();
    let parameters: String =
        parameters.iter().map(|(attribute, name, kind)| format!("{attribute} {name}: {kind},")).collect();
    write!(
        code,
        "#[step_handler({:?}{method})]
        pub async fn {}({parameters}) -> Result<{result}, StepError> {{
            let _ = {unused};
            Err(StepError::permanent({:?}).with_code(\"NOT_IMPLEMENTED\"))
        }}\n",
        own.named.callable,
        own.function,
        format!("handler `{}` is not written yet", unraw(&own.function))
    )
    .expect("a text takes all");
    code
}

/// The attribute of a parameter that receives the result of a step.
fn dependency(read: &Read<'_>, handler: &Handler<'_>) -> String {
    let function = &handler.function;
    if handler.is_called(read.step) {
        format!("#[depends_on({function})]")
    } else {
        format!("#[depends_on({function}, step = {:?})]", read.step)
    }
}

fn documentation(own: &Handler<'_>) -> Vec<String> {
    let described = own.steps.iter().find_map(|step| one_line(step.description.as_deref()?));
    let steps = || listed(own.steps.iter().map(|step| step.name.as_str()));
    let mut lines = match (described, own.steps.as_slice()) {
        (Some(text), [_]) => vec![text],
        (Some(text), _) => vec![text, String::new(), format!("Runs the steps {}.", steps())],
        (None, [only]) => vec![format!("Runs step `{}`.", only.name)],
        (None, _) => vec![format!("Runs the steps {}.", steps())],
    };
    if !own.unread.is_empty() {
        lines.push(String::new());
        lines.push(format!(
            "Not all of its steps wait for {}, so that it does not read that.",
            listed(own.unread.iter().copied())
        ));
    }
    lines
}

fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What the test of a template is made of.
#[derive(Default)]
struct Constants {
    code: String,
    names: HashSet<String>,
    /// The names of those that somebody has to write.
    open: Vec<String>,
}

impl Constants {
    /// The code of a value that a schema describes: read from a constant as its type.
    fn read(&mut self, name: String, about: &str, kind: &str, value: Option<Value>) -> String {
        let name = unused(name, &mut self.names);
        // `{}` stands for what somebody has to write.
        let text = serde_json::to_string_pretty(value.as_ref().unwrap_or(&json!({})));
        let literal = literal(&text.expect("JSON can be written"));
        writeln!(self.code, "#[doc = {:?}] const {name}: &str = {literal};", format!(" {about}"))
            .expect("a text takes all");
        let code = format!("read::<{kind}>({name})");
        if value.is_none() {
            self.open.push(name);
        }
        code
    }
}

fn test(
    template: &TaskTemplate,
    path: &str,
    input: &str,
    handlers: &[Handler<'_>],
    results: &[String],
    types: &Types,
    notes: &mut Vec<String>,
) -> String {
    let mut constants = Constants::default();
    let context = match &template.input_schema {
        None => "serde_json::json!({})".to_owned(),
        Some(schema) => {
            let about = "A context that fits the template's `input_schema`.";
            constants.read("CONTEXT".to_owned(), about, input, sample_context(schema))
        }
    };
    let mut returned = String::new();
    for step in &template.steps {
        let mut handlers = handlers.iter().zip(results);
        let (_, result) = handlers
            .find(|(handler, _)| handler.steps.iter().any(|one| one.name == step.name))
            .expect("each step has a handler");
        let value = match &step.result_schema {
            None => "serde_json::Value::Null".to_owned(),
            Some(schema) => {
                let name = constant_name(&step.name, "result");
                let about = format!("A result of step `{}` that fits its `result_schema`.", step.name);
                constants.read(name, &about, result, sample(schema))
            }
        };
        write!(returned, ".returns({:?}, &{value})", step.name).expect("a text takes all");
    }
    let mut attributes = String::from("#[test]");
    if !constants.open.is_empty() {
        let reason = format!("write values that fit their schemas: {}", constants.open.join(", "));
        notes.push(format!("a test is ignored: {reason}"));
        write!(attributes, "#[ignore = {reason:?}]").expect("a text takes all");
    }
    let (import, read) = match constants.code.as_str() {
        "" => ("", ""),
        _ => (
            "use serde::de::DeserializeOwned;",
            "fn read<T: DeserializeOwned>(json: &str) -> T {
                serde_json::from_str(json).expect(\"the text is JSON of its type\")
            }",
        ),
    };
    let own_types = if types.are_in(&format!("{returned}{context}")) { "use super::*;" } else { "" };
    let constants = constants.code;
    let inner = format!(
        "{import}
        use tasker::testing::TestEngine;
        {own_types}
        const TEMPLATE: &str = {path:?};
        {constants}
        /// Runs the whole template in virtual time, with these results in the place of handlers. Remove the line
        /// of a step when its handler is written.
        {attributes}
        fn a_task_runs_to_its_end() {{
            let run = TestEngine::template_file(TEMPLATE){returned}.run_blocking({context});
            run.assert_complete();
        }}
        {read}"
    );
    format!("\n#[cfg(test)]\nmod tests {{\n{}}}\n", indented(&laid_out(&items(&inner))))
}

/// A text as it stands in code: raw, for one with quotes.
fn literal(text: &str) -> String {
    if !text.contains(['"', '\\']) {
        return format!("\"{text}\"");
    }
    let mut hashes = String::from("#");
    while text.contains(&format!("\"{hashes}")) {
        hashes.push('#');
    }
    format!("r{hashes}\"{text}\"{hashes}")
}

/// The code with four spaces before each line, but for the lines of raw texts.
fn indented(code: &str) -> String {
    let mut own = String::new();
    let mut is_in_text = false;
    for line in code.lines() {
        if !is_in_text && !line.is_empty() {
            own.push_str("    ");
        }
        own.push_str(line);
        own.push('\n');
        if line.contains(": &str = ") {
            is_in_text = true;
        }
        if is_in_text && (line.ends_with("#;") || line.ends_with("\";")) {
            is_in_text = false;
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use tasker_template::{load_file, load_str, template_files};

    use super::*;
    use crate::cli::generate::format::formatted;

    /// How many functions of a module have this attribute.
    fn functions(items: &[Item], attribute: &str) -> usize {
        let has = |item: &Item| match item {
            Item::Fn(function) => function.attrs.iter().any(|one| one.path().is_ident(attribute)),
            _ => false,
        };
        items.iter().filter(|item| has(item)).count()
    }

    #[test]
    fn each_template_becomes_a_module_with_its_handlers_and_tests() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let files = template_files(root.join("templates")).unwrap();
        assert!(files.len() >= 12);
        for file in files {
            let template = load_file(&file).unwrap().into_template();
            let Module { code, notes } = module(&template, "t.yaml");
            assert!(notes.is_empty(), "{}: {notes:?}", file.display());
            let callables: HashSet<_> = template.steps.iter().map(|step| &step.handler.callable).collect();
            let items = syn::parse_file(&code).unwrap().items;
            assert_eq!(functions(&items, "step_handler"), callables.len(), "{}", file.display());
            let Some(Item::Mod(tests)) = items.last() else { panic!("no tests") };
            assert_eq!(functions(&tests.content.as_ref().unwrap().1, "test"), 1, "{}", file.display());
            assert!(items.iter().any(|item| matches!(item, Item::Macro(_))), "{}", file.display());
        }
    }

    #[track_caller]
    fn check(steps: &str, has: &str, note: Option<&str>) {
        let yaml = format!("{{name: t, namespace_name: n, version: 1, steps: [{steps}]}}");
        let template = load_str("t.yaml", &yaml).unwrap().into_template();
        let Module { code, notes } = module(&template, "t.yaml");
        let code = formatted(code);
        assert!(code.contains(has), "{code}");
        assert_eq!(notes.first().map(String::as_str), note);
    }

    #[test]
    fn a_handler_without_schemas_takes_and_returns_any_value() {
        check("{name: a, handler: {callable: A}}", "fn a(#[input] input: serde_json::Value)", None);
    }

    #[test]
    fn a_value_that_cannot_be_made_up_is_left_to_a_person() {
        check(
            "{name: a, handler: {callable: A}, result_schema: {type: string, pattern: '^(?!x)y$'}}",
            "#[ignore = \"write values that fit their schemas: A_RESULT\"]",
            Some("a test is ignored: write values that fit their schemas: A_RESULT"),
        );
    }

    #[test]
    fn a_schema_of_which_no_type_can_be_made_is_told() {
        check(
            "{name: a, handler: {callable: A}, result_schema: {type: [object, 'null']}}",
            "-> Result<serde_json::Value, StepError>",
            Some("no type `AResult` could be made of its schema; its values are `serde_json::Value`"),
        );
    }

    #[test]
    fn a_template_that_no_program_can_run_yet_has_no_test() {
        check(
            "{name: a, handler: {callable: A}},
             {name: b, type: decision, handler: {callable: B}, dependencies: [a]}",
            "pub async fn b(",
            Some("no `workflow!` and no test: this version does not run steps of all the template's types"),
        );
    }
}
