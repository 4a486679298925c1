//! Whether recording costs more when a PostgreSQL schema holds many finished tasks, and many that wait: in
//! turn with an empty schema.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::measure::round;
use crate::schema::Schema;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Finished tasks in the schema before the measurement
    #[arg(long, default_value_t = 1_000_000)]
    finished: usize,
    /// Tasks in it whose first step becomes due tomorrow
    #[arg(long, default_value_t = 100_000)]
    waiting: usize,
    /// Tasks of each measurement
    #[arg(long, default_value_t = 20_000)]
    tasks: usize,
    /// Pairs of measurements
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// A schema that was filled before, or that is kept afterwards
    #[arg(long)]
    schema: Option<String>,
    #[arg(long, default_value = "postgres://postgres@127.0.0.1:5432/postgres")]
    database: String,
    /// Where the disk is measured
    #[arg(long, default_value = "target")]
    directory: PathBuf,
}

#[tokio::main]
pub async fn run(options: &Options) {
    let schema = match &options.schema {
        Some(name) => Schema::named(&options.database, name),
        None => Schema::new(&options.database),
    };
    let measure = |schema: Option<&str>, tasks: usize| -> Value {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["diamond", "--store", "postgres", "--concurrency", "64", "--tasks"]);
        command.arg(tasks.to_string()).arg("--directory").arg(&options.directory);
        command.args(["--database", &options.database]);
        if let Some(schema) = schema {
            command.args(["--schema", schema]);
        }
        serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
    };
    if options.finished > 0 {
        measure(Some(schema.name()), options.finished);
    }
    if options.waiting > 0 {
        schema.execute(&wait_until_tomorrow(options.waiting)).await;
    }
    let (mut grown, mut empty) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        grown.push(measure(Some(schema.name()), options.tasks));
        empty.push(measure(None, options.tasks));
    }
    let of =
        |measured: &[Value], key: &str| -> Value { measured.iter().map(|one| one[key].clone()).collect() };
    let bytes = "SELECT sum(pg_total_relation_size(oid))::bigint
        FROM pg_class
        WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace";
    #[allow(clippy::cast_precision_loss, reason = "a size for people")]
    let megabytes = round(schema.number(bytes).await as f64 / 1e6);
    println!(
        "{}",
        json!({
            "finished": options.finished,
            "waiting": options.waiting,
            "tables_mb": megabytes,
            "tasks_per_s": of(&grown, "tasks_per_s"),
            "empty_tasks_per_s": of(&empty, "tasks_per_s"),
            "fdatasync_ms": of(&grown, "fdatasync_ms"),
            "empty_fdatasync_ms": of(&empty, "fdatasync_ms"),
        })
    );
    schema.remove().await;
}

/// Rows as the store writes them, for tasks of the template that is there.
fn wait_until_tomorrow(tasks: usize) -> String {
    format!(
        "INSERT INTO task (id, template_id, state, priority, correlation_id, created_at, context)
        SELECT gen_random_uuid(), (SELECT id FROM template LIMIT 1), 'in_progress', 0, gen_random_uuid(),
            now(), '{{}}'
        FROM generate_series(1, {tasks});
        INSERT INTO step (task_id, step, template_id, namespace, state, attempts, due_at, rank)
        SELECT id, 0, template_id, 'bench', 'ready', 0, now() + interval '1 day',
            (extract(epoch FROM now() + interval '1 day') * 1000000)::bigint
        FROM task
        WHERE state <> 'complete'"
    )
}
