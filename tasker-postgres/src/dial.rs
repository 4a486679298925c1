//! How every connection to the server is made: with TLS where the URL asks for it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Error, Socket};

use crate::encryption::Encryption;
use crate::tls::{self, Connector};

/// Carries what a client asks to the server, and the answers back.
pub(crate) type Driver = Connection<Socket, <Connector as MakeTlsConnect<Socket>>::Stream>;

#[derive(Clone)]
pub(crate) struct Dial {
    encryption: Encryption,
    connector: Connector,
}

impl Dial {
    /// Reads the certificates: a file that is replaced later takes another store.
    pub(crate) fn new(encryption: Encryption) -> Result<Self, String> {
        let connector = tls::connector(&encryption)?;
        Ok(Self { encryption, connector })
    }

    /// Connects. Where TLS is taken if it is there, plainly when it does not come about.
    pub(crate) async fn connect(&self, config: &Config) -> Result<(Client, Driver), Error> {
        match config.connect(Connector::clone(&self.connector)).await {
            Err(error) if self.encryption == Encryption::Offered && is_worth_no_tls(&error) => {
                let mut config = config.clone();
                config.ssl_mode(SslMode::Disable).connect(Connector::clone(&self.connector)).await
            }
            tried => tried,
        }
    }
}

/// Whether the server may take us without TLS: it could not agree with us upon it, or its rules
/// (`pg_hba.conf`) have no place for us with it.
fn is_worth_no_tls(error: &Error) -> bool {
    tls::failed(error) || error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
}

impl deadpool_postgres::Connect for Dial {
    fn connect(
        &self,
        config: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        let config = config.clone();
        Box::pin(async move {
            let (client, driver) = self.connect(&config).await?;
            Ok((client, tokio::spawn(drive(driver))))
        })
    }
}

/// Until the connection ends.
pub(crate) async fn drive(driver: Driver) {
    if let Err(error) = driver.await {
        tracing::debug!(%error, "a connection to PostgreSQL ended");
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dial").field(&self.encryption).finish()
    }
}
