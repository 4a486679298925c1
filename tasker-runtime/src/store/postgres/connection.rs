//! One connection, with the statements that it has prepared.

use std::collections::HashMap;

use tokio_postgres::{Client, Statement};

use crate::store::postgres::dial::drive;
use crate::store::postgres::settings::Settings;

/// A prepared statement is planned once, and perhaps while the tables are empty: it must not come to read
/// all of a table that has grown since. Every statement of ours finds its rows by an index. A proxy
/// that takes no such settings keeps no prepared statements either.
const PLANNING: &str = "-c enable_seqscan=off -c enable_mergejoin=off -c random_page_cost=1 -c jit=off";

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: Client,
    /// By the parts that they consist of.
    pub(super) statements: HashMap<u32, Statement>,
    /// As SQL has it.
    pub(super) schema: String,
    pub(super) prepared: bool,
    /// Begins a transaction.
    pub(super) begin: String,
}

impl Connection {
    pub(super) async fn open(settings: &Settings) -> Result<Self, tokio_postgres::Error> {
        let mut config = settings.config.clone();
        if settings.prepared {
            let given = config.get_options().map(|given| format!("{given} ")).unwrap_or_default();
            config.options(format!("{given}{PLANNING}"));
        }
        let (client, driver) = settings.dial.connect(&config).await?;
        tokio::spawn(drive(driver));
        Ok(Self {
            client,
            statements: HashMap::new(),
            schema: settings.quoted_schema(),
            prepared: settings.prepared,
            begin: format!("BEGIN; {}", settings.bound_transaction()),
        })
    }
}
