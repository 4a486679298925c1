//! A schema of its own in PostgreSQL, for one measurement.

use tokio_postgres::NoTls;

pub struct Schema<'a> {
    database: &'a str,
    name: String,
}

impl<'a> Schema<'a> {
    /// The URL without what the store alone understands.
    fn server(&self) -> &str {
        self.database.split_once('?').map_or(self.database, |(server, _)| server)
    }

    pub fn new(database: &'a str) -> Self {
        Self { database, name: format!("tasker_bench_{}", uuid::Uuid::now_v7().simple()) }
    }

    /// The URL of a store in it.
    pub fn url(&self) -> String {
        let joint = if self.database.contains('?') { '&' } else { '?' };
        format!("{}{joint}schema={}", self.database, self.name)
    }

    pub async fn remove(&self) {
        let (client, driver) = tokio_postgres::connect(self.server(), NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        client.batch_execute(&format!("DROP SCHEMA {} CASCADE", self.name)).await.unwrap();
        drop(client);
        let _ = driver.await;
    }
}
