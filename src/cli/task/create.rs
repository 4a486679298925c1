//! `tasker task create`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tasker_runtime::{Builder, Error, NewTask, Tasker};
use tasker_template::LoadedTemplate;

use crate::cli::at_store::{AtStore, open_or_make};
use crate::cli::chosen::{choose, is_template_file};
use crate::cli::new_task::{TaskOptions, refused};
use crate::cli::output::{CANNOT_START, USAGE, fail, print, print_json, say};
use crate::cli::program::Program;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// A template file, or the name of one of this program's templates, with @VERSION or @latest where it has
    /// several; may be left out when it has only one template
    // Not `template`, which an application may call a global option of its own.
    #[arg(id = "wanted_template", value_name = "TEMPLATE")]
    template: Option<PathBuf>,
    #[command(flatten)]
    task: TaskOptions,
}

/// Creates the task; another process runs it, with the handlers.
pub(super) async fn run(builder: Builder, options: &Options, at: &AtStore, program: &Program) -> ExitCode {
    let wanted = options.template.as_deref();
    if let Some(path) = wanted.filter(|path| is_template_file(path) && !path.is_file()) {
        return fail(USAGE, format!("there is no template `{}`", path.display()));
    }
    let builder = options.task.prepare(at.prepare(builder));
    if builder.store_location().is_some_and(|url| url.ends_with("memory:")) {
        return fail(USAGE, "a task in memory ends with this process; `--store` names a file");
    }
    let chosen = match choose(builder, wanted, program) {
        Ok(chosen) => chosen,
        Err(code) => return code,
    };
    // What is wrong with the template is told by the builder, together with everything else.
    let (tasker, template) = match (open_or_make(chosen.builder).await, chosen.template) {
        (Ok(tasker), Ok(template)) => (tasker, template),
        (Err(code), _) => return code,
        (Ok(_), Err(faults)) => return fail(CANNOT_START, faults),
    };
    let created = create(&tasker, &template, &options.task, at.json).await;
    tasker.shutdown().await;
    match created {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refused(&error, at.json),
    }
}

async fn create(
    tasker: &Tasker,
    template: &LoadedTemplate,
    options: &TaskOptions,
    json: bool,
) -> Result<(), Error> {
    let template = template.template();
    let task = NewTask::new(&template.namespace, &template.name, &options.context);
    let id = tasker.create_task(options.creation.apply(task.version(&template.version))).await?;
    // As the store has it, whose clock counts.
    let begins_at = match options.creation.is_timed() {
        true => tasker.get_task(id).await.ok().and_then(|task| task.begins_at()),
        false => None,
    };
    if json {
        let mut created = json!({ "created": true, "id": id });
        if let Some(begins_at) = begins_at {
            created["begins_at"] = json!(begins_at);
        }
        print_json(&created);
    } else {
        print(&id.to_string());
        if let Some(begins_at) = begins_at {
            // Standard output has the id alone.
            say(&format!("it begins at {}", begins_at.strftime("%Y-%m-%d %H:%M:%SZ")));
        }
    }
    Ok(())
}
