//! The crates that are compiled: `handlers` has the handlers of the first half of the steps, `with` and `without`
//! have those of the others and start the workflow, the one by `workflow!`, the other by reading the template at the
//! start.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::expansion;
use crate::steps::{Step, steps};

/// The field of the context that a handler takes, by the step's index, and its type.
const FIELDS: [(&str, &str, &str); 6] = [
    ("customer", "String", "\"Ada\".to_owned()"),
    ("cents", "u64", "500"),
    ("items", "Vec<String>", "vec![\"book\".to_owned()]"),
    ("express", "bool", "true"),
    ("note", "Option<String>", "None"),
    ("weight", "f64", "1.5"),
];

/// A workspace that was written.
#[derive(Debug)]
pub struct Written {
    pub directory: PathBuf,
    pub steps: usize,
    pub modules: usize,
    /// Of Rust, in the two crates of a workflow
    pub lines: usize,
    /// What both programs print
    pub expected: String,
}

impl Written {
    pub fn template(&self) -> PathBuf {
        self.directory.join("template/bench.yaml")
    }

    /// Edits the file with the workflow, as somebody does who adds a line and takes it out again.
    pub fn edit(&self, package: &str, round: usize) {
        let file = self.directory.join(package).join("src/flow.rs");
        let text = fs::read_to_string(&file).unwrap();
        let text = text.trim_start_matches("// An edit.\n");
        fs::write(&file, "// An edit.\n".repeat(round % 2) + text).unwrap();
    }
}

/// Writes a workspace for a workflow of `number` steps.
pub fn write(directory: &Path, number: usize, modules: usize) -> Written {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (steps, modules) = (steps(number), modules.min(number));
    // Cargo knows packages in one target directory by their names and versions, not by where their workspaces are.
    let version = format!("{number}.0.0");
    for sub in ["template", "handlers/src", "with/src", "without/src"] {
        fs::create_dir_all(directory.join(sub)).unwrap();
    }
    let members = "\"handlers\", \"with\", \"without\", \"timed\", \"expanded\"";
    let manifest = format!(
        "[workspace]\nmembers = [{members}]\nresolver = \"3\"\n\n\
         [profile.dev]\ndebug = \"line-tables-only\"\n"
    );
    fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
    fs::copy(root.join("rust-toolchain.toml"), directory.join("rust-toolchain.toml")).unwrap();
    fs::write(directory.join("template/bench.yaml"), yaml(&steps)).unwrap();

    let homes: Vec<Home> = (0..number).map(|index| Home::of(index, number, modules)).collect();
    let mut lines = 0;
    for package in ["handlers", "with", "without"] {
        let is_library = package == "handlers";
        fs::write(directory.join(package).join("Cargo.toml"), manifest_of(package, &version, root)).unwrap();
        let mut list = String::new();
        for module in 0..modules {
            let own: Vec<usize> = (0..number)
                .filter(|index| homes[*index].module == module && homes[*index].is_library == is_library)
                .collect();
            if own.is_empty() {
                continue;
            }
            let _ = writeln!(list, "{}mod m{module};", if is_library { "pub " } else { "" });
            let code = handlers(&own, &steps, &homes);
            lines += if package == "without" { 0 } else { code.lines().count() };
            fs::write(directory.join(package).join(format!("src/m{module}.rs")), code).unwrap();
        }
        let (file, code) = if is_library { ("lib", input()) } else { ("main", main_function()) };
        fs::write(directory.join(package).join(format!("src/{file}.rs")), format!("{list}{code}")).unwrap();
    }
    let entries: String = (0..number).fold(String::new(), |mut text, index| {
        let _ = writeln!(text, "        {},", homes[index].path(&steps[index].name, false));
        text
    });
    let list = format!("pub bench(handlers::Order) = \"../template/bench.yaml\" {{\n{entries}    }}");
    let last = &steps[number - 1];
    fs::write(directory.join("with/src/flow.rs"), with(&list, last)).unwrap();
    fs::write(directory.join("without/src/flow.rs"), without(&homes[number - 1].path(&last.name, false)))
        .unwrap();
    expansion::write(directory, &version, &list, root);
    let expected = format!("{} {}", last.name, last.count);
    Written { directory: directory.to_owned(), steps: number, modules, lines, expected }
}

/// Where a handler is.
struct Home {
    is_library: bool,
    module: usize,
}

impl Home {
    fn of(index: usize, steps: usize, modules: usize) -> Self {
        // A module is whole in one of the two crates.
        let module = index * modules / steps;
        Self { is_library: module < modules / 2, module }
    }

    fn path(&self, name: &str, in_handlers: bool) -> String {
        let root = if self.is_library && !in_handlers { "handlers" } else { "crate" };
        format!("{root}::m{}::{name}", self.module)
    }
}

fn manifest_of(package: &str, version: &str, root: &Path) -> String {
    let own = if package == "handlers" {
        ""
    } else {
        "handlers = { path = \"../handlers\" }\n\
         tokio = { version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }\n"
    };
    format!(
        "[package]\nname = \"{package}\"\nversion = \"{version}\"\nedition = \"2024\"\n\n[dependencies]\n\
         serde = {{ version = \"1\", features = [\"derive\"] }}\n\
         tasker = {{ path = {root:?}, default-features = false }}\n{own}"
    )
}

fn yaml(steps: &[Step]) -> String {
    let mut yaml = String::from("name: bench\nnamespace_name: bench\nversion: 1.0.0\nsteps:\n");
    for (index, step) in steps.iter().enumerate() {
        let parents: Vec<&str> = step.parents.iter().map(|parent| steps[*parent].name.as_str()).collect();
        let (name, title) = (&step.name, &step.title);
        let _ = write!(
            yaml,
            "  - name: {name}
    description: \"What is done with step {index} of the order, in a sentence\"
    handler:
      callable: \"Bench::{title}\"
    dependencies: [{}]
    timeout_seconds: {}
    retry:
      retryable: true
      max_attempts: {}
      backoff: exponential
      backoff_base_ms: 100
      max_backoff_ms: 30000
",
            parents.join(", "),
            30 + index,
            3 + index % 3,
        );
    }
    yaml
}

/// The context.
fn input() -> String {
    let fields: String = FIELDS.iter().fold(String::new(), |mut text, (name, ty, _)| {
        let _ = writeln!(text, "    pub {name}: {ty},");
        text
    });
    format!(
        "\n#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, tasker::WorkflowInput)]\n\
         pub struct Order {{\n{fields}}}\n"
    )
}

/// A module with these handlers and their results.
fn handlers(own: &[usize], steps: &[Step], homes: &[Home]) -> String {
    let mut code = String::from("use tasker::prelude::*;\n");
    for index in own {
        let (step, home) = (&steps[*index], &homes[*index]);
        let (name, title) = (&step.name, &step.title);
        let (field, ty, _) = FIELDS[index % FIELDS.len()];
        let (mut parameters, mut counts) = (String::new(), String::new());
        for (number, parent) in step.parents.iter().enumerate() {
            let (parent, place) = (&steps[*parent], &homes[*parent]);
            // The first by the handler's path, the others by the step's name.
            let by = match number {
                0 => place.path(&parent.name, home.is_library),
                _ => format!("{:?}", parent.name),
            };
            let ty = place.path(&parent.title, home.is_library);
            let _ = writeln!(parameters, "    #[depends_on({by})] from_{}: {ty},", parent.name);
            let _ = write!(counts, "from_{}.count, ", parent.name);
        }
        let _ = write!(
            code,
            "
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct {title} {{
    pub count: u64,
    pub label: String,
    pub details: Vec<String>,
}}

#[step_handler(\"Bench::{title}\")]
pub async fn {name}(
{parameters}    #[input(\"{field}\")] {field}: {ty},
) -> Result<{title}, StepError> {{
    let counts: [u64; {}] = [{}];
    let count = 1 + counts.into_iter().max().unwrap_or(0);
    let details = vec![format!(\"{{:?}}\", {field})];
    Ok({title} {{ count, label: \"{name}\".to_owned(), details }})
}}
",
            step.parents.len(),
            counts.trim_end_matches(", "),
        );
    }
    code
}

fn main_function() -> String {
    "mod flow;\n\n#[tokio::main]\nasync fn main() {\n\
     \x20   flow::run().await.expect(\"the workflow completes\");\n}\n"
        .to_owned()
}

fn order() -> String {
    let fields: Vec<String> = FIELDS.iter().map(|(name, _, value)| format!("{name}: {value}")).collect();
    format!("handlers::Order {{ {} }}", fields.join(", "))
}

fn with(list: &str, last: &Step) -> String {
    format!(
        "use tasker::Tasker;

tasker::workflow! {{
    /// What is measured.
    {list}
}}

pub async fn run() -> Result<(), Box<dyn std::error::Error>> {{
    let tasker = Tasker::builder().workflow(bench).store_url(\"memory:\").build().await?;
    let done = bench::create(&tasker, {}).await?.wait().await?;
    let result = done.{};
    println!(\"{{}} {{}}\", result.label, result.count);
    tasker.shutdown().await;
    Ok(())
}}
",
        order(),
        last.name
    )
}

fn without(last: &str) -> String {
    format!(
        "use tasker::{{NewTask, Tasker}};

pub async fn run() -> Result<(), Box<dyn std::error::Error>> {{
    let templates = concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../template\");
    let tasker = Tasker::builder().templates(templates).store_url(\"memory:\").build().await?;
    let order = {};
    let id = tasker.create_task(NewTask::new(\"bench\", \"bench\", &order)).await?;
    let done = tasker.wait(id).await?;
    let result = done.output::<{}>()?;
    println!(\"{{}} {{}}\", result.label, result.count);
    tasker.shutdown().await;
    Ok(())
}}
",
        order(),
        last
    )
}
