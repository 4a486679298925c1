//! The processes: workers, and one that creates tasks. Each ends when its standard input does, should
//! the test die before it can kill them.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tasker_runtime::{Builder, Tasker};
use tracing_subscriber::filter::LevelFilter;

use crate::processes::ledger::Writer;
use crate::processes::work;

/// Tasks are created so many at a time, and the next ones once the first of them has ended.
const AT_A_TIME: usize = 50;
/// Such callers.
const CALLERS: usize = 8;
/// How long to leave a store alone that has failed.
const AFTER_ERROR: Duration = Duration::from_millis(100);

#[tokio::main(worker_threads = 2)]
pub async fn work(store_url: &str, ledger: &Path) {
    prepare();
    let ledger = Arc::new(Writer::open(ledger));
    let _tasker = build(|| work::builder(store_url, &ledger)).await;
    std::future::pending::<()>().await;
}

#[tokio::main(worker_threads = 1)]
pub async fn create(store_url: &str, ledger: &Path) {
    prepare();
    let ledger = Arc::new(Writer::open(ledger));
    let builder =
        || work::builder(store_url, &ledger).without_worker().poll_interval(Duration::from_millis(200));
    let tasker = build(builder).await;
    for _ in 0..CALLERS {
        let (tasker, ledger) = (tasker.clone(), Arc::clone(&ledger));
        tokio::spawn(async move {
            loop {
                batch(&tasker, &ledger).await;
            }
        });
    }
    std::future::pending::<()>().await;
}

/// Creates some tasks, and waits for the first. What the store does not acknowledge may be there or not.
async fn batch(tasker: &Tasker, ledger: &Writer) {
    let mut first = None;
    for _ in 0..AT_A_TIME {
        let name = match fastrand::u8(..8) {
            0..5 => "diamond",
            5..7 => "fan",
            _ => "retrying",
        };
        match tasker.create_task(work::new_task(name)).await {
            Ok(id) => {
                ledger.line(&["created", &id.to_string()]);
                first = first.or(Some(id));
            }
            Err(_) => tokio::time::sleep(AFTER_ERROR).await,
        }
    }
    if let Some(id) = first {
        while tasker.wait(id).await.is_err() {
            tokio::time::sleep(AFTER_ERROR).await;
        }
    }
}

fn prepare() {
    let log = tracing_subscriber::fmt().with_max_level(LevelFilter::WARN).with_ansi(false);
    log.with_writer(std::io::stderr).init();
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
}

/// Builds it as soon as the database can be reached.
async fn build(builder: impl Fn() -> Builder) -> Tasker {
    loop {
        match builder().build().await {
            Ok(tasker) => return tasker,
            Err(_) => tokio::time::sleep(AFTER_ERROR).await,
        }
    }
}
