//! What stands for TLS in a program that was built without it.

use tokio_postgres::NoTls;

use crate::encryption::Encryption;

pub(crate) type Connector = NoTls;

pub(crate) fn connector(encryption: &Encryption) -> Result<Connector, String> {
    match encryption {
        Encryption::Off | Encryption::Offered => Ok(NoTls),
        Encryption::Unverified | Encryption::Issuer(_) | Encryption::Host(_) => {
            Err("this program was built without the feature `tls` of tasker-runtime".to_owned())
        }
    }
}

/// Nothing can go wrong with what is not done.
pub(crate) fn explain(_: &tokio_postgres::Error) -> Option<String> {
    None
}

pub(crate) fn failed(_: &tokio_postgres::Error) -> bool {
    false
}
