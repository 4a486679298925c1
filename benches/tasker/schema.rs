//! A schema of its own in PostgreSQL, for one measurement.

use tokio_postgres::NoTls;

pub struct Schema<'a> {
    database: &'a str,
    name: String,
    /// Whether it is kept after the measurement.
    is_kept: bool,
}

impl<'a> Schema<'a> {
    /// The URL without what the store alone understands.
    fn server(&self) -> &str {
        self.database.split_once('?').map_or(self.database, |(server, _)| server)
    }

    pub fn new(database: &'a str) -> Self {
        Self { database, name: format!("tasker_bench_{}", uuid::Uuid::now_v7().simple()), is_kept: false }
    }

    /// One of this name, which is kept after the measurement.
    pub fn named(database: &'a str, name: &str) -> Self {
        Self { database, name: name.to_owned(), is_kept: true }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL of a store in it.
    pub fn url(&self) -> String {
        let joint = if self.database.contains('?') { '&' } else { '?' };
        format!("{}{joint}schema={}", self.database, self.name)
    }

    /// Runs statements in it.
    pub async fn execute(&self, sql: &str) {
        let (client, driver) = tokio_postgres::connect(self.server(), NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        client.batch_execute(&format!("SET search_path = {}; {sql}", self.name)).await.unwrap();
        drop(client);
        let _ = driver.await;
    }

    /// The number that a query finds in it.
    pub async fn number(&self, query: &str) -> i64 {
        let (client, driver) = tokio_postgres::connect(self.server(), NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        client.batch_execute(&format!("SET search_path = {}", self.name)).await.unwrap();
        let number = client.query_one(query, &[]).await.unwrap().get(0);
        drop(client);
        let _ = driver.await;
        number
    }

    pub async fn remove(&self) {
        if !self.is_kept {
            self.execute(&format!("DROP SCHEMA {} CASCADE", self.name)).await;
        }
    }
}
