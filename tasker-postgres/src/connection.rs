//! One connection, with the statements that it has prepared.

use std::collections::HashMap;

use tokio_postgres::{Client, Statement};

use crate::dial::drive;
use crate::settings::Settings;

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// By the parts that they consist of.
    pub(crate) statements: HashMap<u32, Statement>,
    /// As SQL has it.
    pub(crate) schema: String,
    pub(crate) prepared: bool,
    /// Begins a transaction.
    pub(crate) begin: String,
}

impl Connection {
    pub(crate) async fn open(settings: &Settings) -> Result<Self, tokio_postgres::Error> {
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
