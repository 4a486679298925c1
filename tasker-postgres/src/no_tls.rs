//! Takes the place of `tls` in a program that was built without the feature `tls`.

use tokio_postgres::NoTls;

use crate::encryption::Encryption;

pub(crate) type TlsConnector = NoTls;

pub(crate) fn tls_connector(encryption: &Encryption) -> Result<TlsConnector, String> {
    match encryption {
        Encryption::Off | Encryption::Offered => Ok(NoTls),
        Encryption::Unverified | Encryption::Issuer(_) | Encryption::Host(_) => {
            Err("this program was built without the feature `tls` of tasker-runtime".to_owned())
        }
    }
}

/// Without TLS no error is one of TLS.
pub(crate) fn explain(_: &tokio_postgres::Error) -> Option<String> {
    None
}

pub(crate) fn is_handshake_failure(_: &tokio_postgres::Error) -> bool {
    false
}
