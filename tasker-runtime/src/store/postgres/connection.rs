//! One connection, with the statements that it has prepared.

use std::collections::HashMap;

use tokio_postgres::{Client, Statement};

use crate::store::postgres::dial::drive;
use crate::store::postgres::settings::Settings;

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
        let (client, driver) = settings.dial.connect(&settings.planned()).await?;
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
