//! `tasker task create`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tasker_runtime::{Builder, Error, NewTask, Tasker};
use tasker_template::load_file;

use crate::cli::task::print_json;
use crate::cli::{new_task, print};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// A template file
    template: PathBuf,
    #[command(flatten)]
    task: new_task::TaskOptions,
}

impl Options {
    /// The runtime that creates the task; another process runs it, with the handlers.
    pub(super) fn prepare(&self, builder: Builder, store: &str) -> Result<Builder, String> {
        let template = &self.template;
        if !template.is_file() {
            return Err(format!("there is no template `{}`", template.display()));
        }
        if store.ends_with("memory:") {
            return Err("a task in memory ends with this process; `--store` names a file".to_owned());
        }
        Ok(self.task.prepare(builder, template))
    }
}

pub(super) async fn create(tasker: &Tasker, options: &Options, json: bool) -> Result<(), Error> {
    // The builder has read it.
    let loaded = load_file(&options.template).map_err(|faults| Error::UnknownTemplate {
        wanted: options.template.display().to_string(),
        hint: faults.to_string(),
    })?;
    let template = loaded.template();
    let task = NewTask::new(&template.namespace, &template.name, &options.task.context);
    let task = options.task.creation.apply(task.version(&template.version));
    let id = tasker.create_task(task).await?;
    if json {
        print_json(&json!({ "created": true, "id": id }));
    } else {
        print(&id.to_string());
    }
    Ok(())
}
