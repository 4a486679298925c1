//! One connection that writes, with the statements that it has composed and prepared.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error, GenericClient, Row, Statement};

use crate::answered::answered;
use crate::connector::drive;
use crate::error::PgResult;
use crate::settings::ConnectionSettings;
use crate::statement::Composer;

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    driver: JoinHandle<()>,
    /// By the parts that they consist of.
    statements: HashMap<u32, ReadyStatement>,
    /// Its quoted name.
    pub(crate) schema: String,
    prepared: bool,
    /// The statements that begin a transaction.
    pub(crate) begin: String,
}

/// A statement that can be sent on its connection again and again.
#[derive(Clone, Debug)]
pub(crate) enum ReadyStatement {
    Prepared(Statement),
    /// For proxies that cannot keep prepared statements.
    Text(Arc<str>),
}

impl Connection {
    pub(crate) async fn open(settings: &ConnectionSettings) -> PgResult<Self> {
        let config = settings.planned();
        let connected = settings.connector.connect(&config);
        let (client, driver) = answered(settings.read_timeout(), connected).await?;
        Ok(Self {
            client,
            driver: tokio::spawn(drive(driver)),
            statements: HashMap::new(),
            schema: settings.quoted_schema(),
            prepared: settings.prepared,
            begin: format!("BEGIN; {}", settings.bound_transaction()),
        })
    }

    /// Closes the connection at once, also when it passes nothing on any more.
    pub(crate) fn cut(&self) {
        self.driver.abort();
    }

    /// Prepares a statement, unless one of the same parts is ready.
    pub(crate) async fn ready(&mut self, composer: &Composer<'_>) -> Result<ReadyStatement, Error> {
        if let Some(statement) = self.statements.get(&composer.key) {
            return Ok(statement.clone());
        }
        let text = composer.text(&self.schema);
        let statement = if self.prepared {
            let types: Vec<_> = composer.values.iter().map(|(_, kind)| kind.clone()).collect();
            ReadyStatement::Prepared(self.client.prepare_typed(&text, &types).await?)
        } else {
            ReadyStatement::Text(text.into())
        };
        self.statements.insert(composer.key, statement.clone());
        Ok(statement)
    }
}

impl ReadyStatement {
    /// Sends the statement with the parameters of the composer that it was made for.
    pub(crate) async fn send(
        &self,
        client: &impl GenericClient,
        composer: &Composer<'_>,
    ) -> Result<Vec<Row>, Error> {
        match self {
            Self::Prepared(statement) => {
                let values: Vec<_> = composer.values.iter().map(|(value, _)| *value).collect();
                client.query(statement, &values).await
            }
            Self::Text(text) => client.query_typed(text, &composer.values).await,
        }
    }
}
