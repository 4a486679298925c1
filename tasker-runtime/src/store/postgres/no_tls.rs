//! What stands for TLS in a program that was built without it.

use tokio_postgres::NoTls;

use crate::store::postgres::encryption::Encryption;

pub(super) type Connector = NoTls;

pub(super) fn connector(encryption: &Encryption) -> Result<Connector, String> {
    match encryption {
        Encryption::Off | Encryption::Offered => Ok(NoTls),
        Encryption::Unverified | Encryption::Issuer(_) | Encryption::Host(_) => {
            Err("this program was built without the feature `tls` of tasker-runtime".to_owned())
        }
    }
}

/// Nothing can go wrong with what is not done.
pub(super) fn explain(_: &tokio_postgres::Error) -> Option<String> {
    None
}

pub(super) fn failed(_: &tokio_postgres::Error) -> bool {
    false
}
