//! TLS, with rustls: which servers are trusted, and why a connection to another one failed.

use std::error::Error as _;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::encryption::{Encryption, Roots};

pub(crate) type TlsConnector = MakeRustlsConnect;

/// The TLS settings of an encryption mode. Reads the certificates.
pub(crate) fn tls_connector(encryption: &Encryption) -> Result<TlsConnector, String> {
    let provider = Arc::new(ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let lenient = |roots| Lenient { roots, algorithms };
    let config = ClientConfig::builder_with_provider(Arc::<CryptoProvider>::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let config = match encryption {
        Encryption::Off | Encryption::Offered | Encryption::Unverified => {
            config.dangerous().with_custom_certificate_verifier(Arc::new(lenient(None)))
        }
        Encryption::Issuer(roots) => {
            config.dangerous().with_custom_certificate_verifier(Arc::new(lenient(Some(read(roots)?))))
        }
        Encryption::Host(roots) => config.with_root_certificates(read(roots)?),
    };
    let mut config = config.with_no_client_auth();
    // Asked for where TLS begins without PostgreSQL's own question (`sslnegotiation=direct`).
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(MakeRustlsConnect::new(config))
}

/// What went wrong with TLS, and how to mend it; `None` when the error has another cause.
pub(crate) fn explain(error: &tokio_postgres::Error) -> Option<String> {
    // The library has no name for this.
    if error.source().is_some_and(|source| source.to_string() == "server does not support TLS") {
        return Some(
            "the server offers no TLS; where the network can be trusted, write `sslmode=disable`".to_owned(),
        );
    }
    let fault = fault(error)?;
    Some(match fault {
        // The latter when there is a certificate of the issuer's name, with another key.
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "the server's certificate is from an issuer that is not trusted; name the file of the issuer's \
             certificate in the URL with `sslrootcert=PATH`"
                .to_owned()
        }
        Error::InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented }) => {
            // As rustls has them: `DnsName("example.com")`.
            let bare = |name: &String| name.split('"').nth(1).unwrap_or(name).to_owned();
            let names: Vec<String> = presented.iter().map(bare).collect();
            let names = if names.is_empty() { "no host".to_owned() } else { names.join(", ") };
            format!(
                "the server's certificate is not for `{}`: it names {names}; connect by a name that it has, or \
                 do without that check with `sslmode=verify-ca`",
                expected.to_str()
            )
        }
        Error::InvalidCertificate(reason) => {
            let reason = reason.to_string();
            let hint = if reason.contains("CaUsedAsEndEntity") {
                "; a server needs one of its own, which names its host and is issued by that of the authority"
            } else {
                ""
            };
            format!("the server's certificate is not valid: {reason}{hint}")
        }
        fault => format!("TLS could not be agreed upon: {fault}"),
    })
}

/// Whether the server began a TLS handshake that failed.
pub(crate) fn is_handshake_failure(error: &tokio_postgres::Error) -> bool {
    fault(error).is_some()
}

fn fault(error: &tokio_postgres::Error) -> Option<&Error> {
    error.source()?.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
}

fn read(roots: &Roots) -> Result<RootCertStore, String> {
    let (store, whose) = match roots {
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            let whose = found.errors.first().map_or_else(
                || "this machine has no certificates of authorities".to_owned(),
                |error| format!("the certificates of this machine cannot be read: {error}"),
            );
            (trusted(found.certs), whose)
        }
        Roots::File(path) => (trusted(in_file(path)?), format!("{} holds no certificate", path.display())),
    };
    if store.is_empty() {
        return Err(format!("{whose}; `sslrootcert=PATH` names a file of certificates in PEM format"));
    }
    Ok(store)
}

fn in_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = std::fs::read(path)
        .map_err(|error| format!("`sslrootcert` names {}, which cannot be read: {error}", path.display()))?;
    CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{} is not a file of certificates in PEM format: {error}", path.display()))
}

fn trusted(certificates: Vec<CertificateDer<'static>>) -> RootCertStore {
    let mut store = RootCertStore::empty();
    let (_, unusable) = store.add_parsable_certificates(certificates);
    if unusable > 0 {
        tracing::debug!(unusable, "some certificates of authorities were passed over");
    }
    store
}

/// Accepts any server, or any server with a certificate issued by one of `roots`, whatever its host name.
///
/// The server must still prove that it has its certificate's private key: otherwise anybody who has seen
/// the certificate could obtain a password that is bound to the channel.
#[derive(Debug)]
struct Lenient {
    roots: Option<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(certificate)?;
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                roots,
                intermediates,
                now,
                self.algorithms.all,
            )?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
