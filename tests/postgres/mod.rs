//! A schema of its own in a real PostgreSQL, for each test that needs one.
//!
//! The server is `TASKER_TEST_DATABASE_URL`, else the one on this machine's standard port; `test.sh`
//! starts one where there is none, by `server.sh`.

#[allow(dead_code, reason = "others use the rest")]
pub mod cluster;
#[allow(dead_code, reason = "others use the rest")]
pub mod database;
pub mod proxy;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::OnceLock;

use tokio_postgres::NoTls;
use tokio_postgres::config::Host;

use crate::patience::within;

/// Where the server is, with a `?` at the end to add to.
pub fn server() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(|| {
        let given = std::env::var("TASKER_TEST_DATABASE_URL").ok().filter(|url| !url.is_empty());
        given.unwrap_or_else(|| "postgres://postgres@127.0.0.1:5432/postgres".to_owned())
    })
}

/// Where the server listens.
pub fn address() -> SocketAddr {
    let config: tokio_postgres::Config = server().parse().unwrap();
    let port = config.get_ports().first().copied().unwrap_or(5432);
    match config.get_hosts() {
        [Host::Tcp(name), ..] => (name.as_str(), port).to_socket_addrs().unwrap().next().unwrap(),
        _ => panic!("these tests reach PostgreSQL by TCP: name a host in TASKER_TEST_DATABASE_URL"),
    }
}

/// A schema that is dropped with this.
#[derive(Debug)]
pub struct Schema(String);

impl Schema {
    pub fn new() -> Self {
        Self(format!("tasker_test_{}", uuid::Uuid::now_v7().simple()))
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    /// The URL of a store in this schema, with more of the store's settings.
    pub fn url_with(&self, settings: &str) -> String {
        let joint = if server().contains('?') { '&' } else { '?' };
        let more = if settings.is_empty() { String::new() } else { format!("&{settings}") };
        format!("{}{joint}schema={}&connections=5{more}", server(), self.0)
    }

    /// The URL of a store in this schema, reached at another address.
    pub fn url_at(&self, address: SocketAddr, settings: &str) -> String {
        let url = self.url_with(settings);
        let (scheme, rest) = url.split_once("://").unwrap();
        let (authority, path) = rest.split_once('/').unwrap();
        let user = authority.rsplit_once('@').map(|(user, _)| format!("{user}@")).unwrap_or_default();
        format!("{scheme}://{user}{address}/{path}")
    }

    pub fn url(&self) -> String {
        self.url_with("")
    }

    /// Until a query of this schema waits for a lock.
    pub async fn until_somebody_waits(&self) {
        let (client, driver) = tokio_postgres::connect(server(), NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        let sql = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND position($1 IN query) > 0";
        let waits = async { while client.query(sql, &[&self.0]).await.unwrap().is_empty() {} };
        within("a query that waits for a lock", waits).await;
        drop(client);
        let _ = driver.await;
    }

    /// Runs statements in the server.
    pub async fn execute(&self, sql: &str) {
        execute(sql).await;
    }
}

pub(super) async fn execute(sql: &str) {
    let (client, driver) = tokio_postgres::connect(server(), NoTls).await.unwrap_or_else(|error| {
        panic!(
            "no PostgreSQL at {}: {error}; start one, or say in TASKER_TEST_DATABASE_URL where it is",
            server()
        )
    });
    let driver = tokio::spawn(driver);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    let _ = driver.await;
}

impl Drop for Schema {
    fn drop(&mut self) {
        let sql = format!("SET lock_timeout = '5s'; DROP SCHEMA IF EXISTS \"{}\" CASCADE", self.0);
        // A test may be inside a runtime, which cannot wait for another one on its thread.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&sql));
        })
        .join();
        if dropped.is_err() && !std::thread::panicking() {
            panic!("the schema {} could not be dropped", self.0);
        }
    }
}
