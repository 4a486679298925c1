//! What is recorded of registrations, in a SQLite file: a row for each, and one for each of its steps.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::services::ServiceError;

const TABLES: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS registration (
    id TEXT PRIMARY KEY, input TEXT NOT NULL, is_over INTEGER NOT NULL DEFAULT FALSE) STRICT;
CREATE TABLE IF NOT EXISTS step (
    registration TEXT NOT NULL REFERENCES registration, name TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    result TEXT, error TEXT, PRIMARY KEY (registration, name)) STRICT;
";

/// Why a registration did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The input is not valid; nothing was recorded.
    #[error("the input is invalid: {0}")]
    Input(#[from] validator::ValidationErrors),
    /// A step failed for good.
    #[error("{step} failed: {message}")]
    Step {
        /// The step's name.
        step: &'static str,
        /// Why the step failed.
        message: String,
    },
    /// Another process has the file.
    #[error("another process works on this file: {0}")]
    InUse(#[from] std::fs::TryLockError),
    /// The lock file cannot be made.
    #[error("cannot open the lock file: {0}")]
    Lock(#[from] std::io::Error),
    /// SQLite said no.
    #[error("cannot read or write the progress: {0}")]
    Store(#[from] rusqlite::Error),
    /// A value cannot be written or read as JSON.
    #[error("a recorded value has another form: {0}")]
    Value(#[from] serde_json::Error),
}

/// How often a step is tried, and the longest delay between two attempts.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// The first one included.
    pub attempts: u32,
    /// The longest delay.
    pub longest_delay: Duration,
}

impl Retry {
    /// 2 s, 4 s, 8 s and so on, with up to a tenth at random.
    fn delay(self, attempt: u32) -> Duration {
        let delay = Duration::from_secs(2_u64.saturating_pow(attempt));
        delay.mul_f64(1.0 + fastrand::f64() / 10.0).min(self.longest_delay)
    }
}

/// What is known of a step before it is called.
enum Begun {
    Attempt(u32),
    Complete(String),
    Failed(String),
}

/// The file, which one process has at a time.
#[derive(Clone, Debug)]
pub struct Progress {
    connection: Arc<Mutex<Connection>>,
    _lock: Arc<File>,
}

impl Progress {
    /// Opens the file, or makes it.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let lock = File::create(path.with_extension("lock"))?;
        lock.try_lock()?;
        let connection = Connection::open(path)?;
        connection.execute_batch(TABLES)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), _lock: Arc::new(lock) })
    }

    /// Runs one transaction, on a thread that may block.
    async fn transaction<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let connection = Arc::clone(&self.connection);
        let run = move || {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = connection.transaction()?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        tokio::task::spawn_blocking(run).await.expect("no transaction panics, or is aborted")
    }

    /// Records a registration, unless it is there already.
    pub async fn begin(&self, id: &str, input: String) -> Result<(), Failure> {
        let id = id.to_owned();
        self.transaction(move |store| {
            let sql = "INSERT INTO registration (id, input) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            store.execute(sql, params![id, input]).map(drop)
        })
        .await
    }

    /// Records that a registration is over, well or not.
    pub async fn end(&self, id: &str) -> Result<(), Failure> {
        let id = id.to_owned();
        self.transaction(move |store| {
            store.execute("UPDATE registration SET is_over = TRUE WHERE id = ?1", [id]).map(drop)
        })
        .await
    }

    /// The registrations that are not over, with their inputs.
    pub async fn unfinished(&self) -> Result<Vec<(String, String)>, Failure> {
        self.transaction(|store| {
            let mut statement = store.prepare("SELECT id, input FROM registration WHERE NOT is_over")?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
        .await
    }

    /// Runs a step until it has a result or has failed for good; one that has ended is not called again. The call
    /// gets an idempotency key, the same for every attempt.
    pub async fn step<T, F>(
        &self,
        id: &str,
        step: &'static str,
        retry: Retry,
        call: impl Fn(String) -> F,
    ) -> Result<T, Failure>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T, ServiceError>>,
    {
        loop {
            let attempt = match self.begin_attempt(id, step, retry).await? {
                Begun::Attempt(attempt) => attempt,
                Begun::Complete(result) => return Ok(serde_json::from_str(&result)?),
                Begun::Failed(message) => return Err(Failure::Step { step, message }),
            };
            match call(format!("{id}/{step}")).await {
                Ok(result) => {
                    self.record(id, step, "result", serde_json::to_string(&result)?).await?;
                    return Ok(result);
                }
                Err(ServiceError::Unavailable { .. }) if attempt < retry.attempts => {
                    tokio::time::sleep(retry.delay(attempt)).await;
                }
                Err(error) => self.record(id, step, "error", error.to_string()).await?,
            }
        }
    }

    /// Counts an attempt before it is made, so that a step which kills the process does not do so for ever.
    async fn begin_attempt(&self, id: &str, step: &'static str, retry: Retry) -> Result<Begun, Failure> {
        let id = id.to_owned();
        self.transaction(move |store| {
            let known = "SELECT attempts, result, error FROM step WHERE registration = ?1 AND name = ?2";
            let known = store.query_row(known, params![id, step], |row| {
                Ok((row.get::<_, u32>(0)?, row.get(1)?, row.get(2)?))
            });
            let attempts = match known.optional()? {
                Some((_, Some(result), _)) => return Ok(Begun::Complete(result)),
                Some((_, None, Some(error))) => return Ok(Begun::Failed(error)),
                Some((attempts, None, None)) => attempts,
                None => 0,
            };
            if attempts >= retry.attempts {
                return Ok(Begun::Failed("the process ended in its last attempt".to_owned()));
            }
            let count = "INSERT INTO step (registration, name, attempts) VALUES (?1, ?2, 1)
                ON CONFLICT DO UPDATE SET attempts = attempts + 1";
            store.execute(count, params![id, step])?;
            Ok(Begun::Attempt(attempts + 1))
        })
        .await
    }

    async fn record(
        &self,
        id: &str,
        step: &'static str,
        column: &'static str,
        value: String,
    ) -> Result<(), Failure> {
        let id = id.to_owned();
        self.transaction(move |store| {
            let sql = format!("UPDATE step SET {column} = ?3 WHERE registration = ?1 AND name = ?2");
            store.execute(&sql, params![id, step, value]).map(drop)
        })
        .await
    }
}
