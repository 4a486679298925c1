//! Whether the file stops growing when old tasks are deleted while new ones come.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;
use tokio::time::MissedTickBehavior;

use crate::diamond::{builder, one, pad};
use crate::measure::{fdatasync_ms, megabytes, percentile, round, wal_of};
use crate::writer::Writer;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// How long
    #[arg(long, default_value_t = 40)]
    seconds: u64,
    /// Finished tasks are deleted after so many seconds
    #[arg(long, default_value_t = 4)]
    retention: u64,
    /// Tasks in flight at any time
    #[arg(long, default_value_t = 64)]
    concurrency: usize,
    /// At most so many tasks a second
    #[arg(long)]
    rate: Option<f64>,
    /// Bytes by which each result is larger
    #[arg(long, default_value_t = 0)]
    padding: usize,
    /// Where the database is written
    #[arg(long, default_value = "target")]
    directory: PathBuf,
}

/// Loads a worker, and looks at the file each second.
#[tokio::main]
pub async fn run(options: &Options) {
    let directory = tempfile::tempdir_in(&options.directory).unwrap();
    let file = directory.path().join("steady.db");
    pad(options.padding);
    let writer = Writer::watch();
    let builder = builder(&format!("sqlite://{}", file.display()), options.concurrency);
    let tasker = builder.retention(Duration::from_secs(options.retention)).build().await.unwrap();
    let sync = fdatasync_ms(directory.path());
    let begun = Instant::now();
    let end = begun + Duration::from_secs(options.seconds);
    let count = Arc::new(AtomicUsize::new(0));
    #[allow(clippy::cast_precision_loss, reason = "a number of callers")]
    let pause = options.rate.map(|rate| Duration::from_secs_f64(options.concurrency as f64 / rate));
    let callers: Vec<_> = (0..options.concurrency)
        .map(|_| {
            let (tasker, count) = (tasker.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                let mut ticks = pause.map(tokio::time::interval);
                ticks.iter_mut().for_each(|ticks| ticks.set_missed_tick_behavior(MissedTickBehavior::Delay));
                while Instant::now() < end {
                    if let Some(ticks) = &mut ticks {
                        ticks.tick().await;
                    }
                    one(&tasker, count.fetch_add(1, Ordering::Relaxed)).await;
                }
            })
        })
        .collect();
    let (mut rates, mut files, mut wals) = (Vec::new(), Vec::new(), Vec::new());
    let mut before = 0;
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = count.load(Ordering::Relaxed);
        rates.push(now - before);
        before = now;
        files.push(megabytes(&file));
        wals.push(megabytes(&wal_of(&file)));
    }
    for caller in callers {
        caller.await.unwrap();
    }
    let wall = begun.elapsed().as_secs_f64();
    let sql = "SELECT count(*), (SELECT page_count FROM pragma_page_count),
            (SELECT freelist_count FROM pragma_freelist_count)
        FROM task";
    let (kept, pages, free): (u32, u32, u32) = Connection::open(&file)
        .unwrap()
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    wals.sort_by(f64::total_cmp);
    #[allow(clippy::cast_precision_loss, reason = "a number of tasks")]
    let rate = before as f64 / wall;
    println!(
        "{}",
        json!({
            "retention_s": options.retention,
            "tasks": before,
            "tasks_per_s": round(rate),
            "tasks_in_each_s": rates,
            "file_mb_in_each_s": files,
            "wal_mb": {"p50": percentile(&wals, 0.5), "max": percentile(&wals, 1.0)},
            "kept": kept,
            "pages": pages,
            "free_pages": free,
            "writer": writer.figures(),
            "fdatasync_ms": [round(sync), round(fdatasync_ms(directory.path()))],
        })
    );
    tasker.shutdown().await;
}
