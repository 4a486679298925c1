//! Every connection to the server is made here, with TLS where the URL asks for it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Error, Socket};

use crate::encryption::Encryption;
use crate::tls::{self, TlsConnector};

/// Carries a client's requests to the server, and the responses back.
pub(crate) type Driver = Connection<Socket, <TlsConnector as MakeTlsConnect<Socket>>::Stream>;

#[derive(Clone)]
pub(crate) struct Connector {
    encryption: Encryption,
    tls: TlsConnector,
}

impl Connector {
    /// Reads the certificates once: a file that is replaced later is seen by stores opened after that.
    pub(crate) fn new(encryption: Encryption) -> Result<Self, String> {
        let tls = tls::tls_connector(&encryption)?;
        Ok(Self { encryption, tls })
    }

    /// Connects. Where TLS is optional, falls back to a connection without it.
    pub(crate) async fn connect(&self, config: &Config) -> Result<(Client, Driver), Error> {
        match config.connect(TlsConnector::clone(&self.tls)).await {
            Err(error) if self.encryption == Encryption::Offered && is_worth_no_tls(&error) => {
                let mut config = config.clone();
                config.ssl_mode(SslMode::Disable).connect(TlsConnector::clone(&self.tls)).await
            }
            tried => tried,
        }
    }
}

/// Whether the server may accept a connection without TLS: the TLS handshake failed, or the server's
/// rules (`pg_hba.conf`) refuse this client over TLS.
fn is_worth_no_tls(error: &Error) -> bool {
    tls::is_handshake_failure(error) || error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
}

impl deadpool_postgres::Connect for Connector {
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

/// Drives a connection until it ends.
pub(crate) async fn drive(driver: Driver) {
    if let Err(error) = driver.await {
        tracing::debug!(%error, "a connection to PostgreSQL ended");
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connector").field(&self.encryption).finish()
    }
}
