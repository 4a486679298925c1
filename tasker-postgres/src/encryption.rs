//! The TLS mode that a URL asks for, with libpq's names and meanings.

use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, SslNegotiation};

/// Against whom TLS protects a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// Against nobody: the connection is plain text.
    Off,
    /// Against eavesdroppers, if the server offers TLS; otherwise the connection is plain text.
    Offered,
    /// Against eavesdroppers; the server's certificate is not verified.
    Unverified,
    /// Against eavesdroppers, and servers whose certificate was issued by another authority.
    Issuer(Roots),
    /// Against eavesdroppers, and every server but the host that the URL names.
    Host(Roots),
}

/// The certificate authorities that vouch for a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Roots {
    /// The certificate authorities that this machine trusts.
    System,
    /// Those in a file.
    File(PathBuf),
}

const MODES: &str = "`disable`, `prefer`, `require`, `verify-ca` or `verify-full`";

impl Encryption {
    /// From `sslmode` and `sslrootcert`, for the hosts of `config`.
    pub(crate) fn decide(mode: Option<&str>, roots: Option<Roots>, config: &Config) -> Result<Self, String> {
        let is_direct = config.get_ssl_negotiation() == SslNegotiation::Direct;
        let decided = match (mode, roots) {
            (None, None) if is_local(config) && !is_direct => Self::Off,
            (None | Some("prefer"), None) => Self::Offered,
            (Some("disable"), None) => Self::Off,
            (Some(mode @ ("disable" | "prefer")), Some(_)) => {
                return Err(format!(
                    "`sslmode={mode}` verifies nothing; write `sslmode=verify-full` with `sslrootcert`"
                ));
            }
            (Some("require"), None) => Self::Unverified,
            // Anybody may have a certificate of one of the machine's authorities, for a host of theirs.
            (Some(mode @ ("require" | "verify-ca")), Some(Roots::System)) => {
                return Err(format!(
                    "`sslmode={mode}` is too weak for `sslrootcert=system`; write `sslmode=verify-full`"
                ));
            }
            (Some("verify-ca"), None) => {
                return Err("`sslmode=verify-ca` takes a certificate: write `sslrootcert=PATH`".to_owned());
            }
            (Some("require" | "verify-ca"), Some(roots)) => Self::Issuer(roots),
            (None, Some(roots)) => Self::Host(roots),
            (Some("verify-full"), roots) => Self::Host(roots.unwrap_or(Roots::System)),
            (Some(mode), _) => return Err(format!("`sslmode={mode}` is unknown: write {MODES}")),
        };
        Ok(if is_socket(config) { Self::Off } else { decided })
    }

    /// The library's mode for it.
    pub(crate) fn mode(&self) -> SslMode {
        match self {
            Self::Off => SslMode::Disable,
            Self::Offered => SslMode::Prefer,
            Self::Unverified | Self::Issuer(_) | Self::Host(_) => SslMode::Require,
        }
    }
}

/// Whether every host is this machine, so that nothing is sent over a network.
fn is_local(config: &Config) -> bool {
    if !config.get_hostaddrs().is_empty() {
        return config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback);
    }
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            name.eq_ignore_ascii_case("localhost")
                || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    })
}

/// Whether every host is a Unix socket. Those have no TLS.
fn is_socket(config: &Config) -> bool {
    config.get_hostaddrs().is_empty()
        && config.get_hosts().iter().all(|host| match host {
            Host::Tcp(_) => false,
            #[cfg(unix)]
            Host::Unix(_) => true,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(url: &str, mode: &str, roots: &str) -> Result<Encryption, String> {
        let roots = match roots {
            "" => None,
            "system" => Some(Roots::System),
            path => Some(Roots::File(path.into())),
        };
        Encryption::decide(Some(mode).filter(|mode| !mode.is_empty()), roots, &url.parse().unwrap())
    }

    #[test]
    fn a_host_elsewhere_is_asked_for_tls() {
        use Encryption::{Off, Offered};
        for (url, expected) in [
            ("postgres://db.example/x", Offered),
            ("postgres://localhost/x", Off),
            ("postgres://127.0.0.1/x", Off),
            ("postgres://[::1]/x", Off),
            ("postgres://%2Frun%2Fpostgresql/x", Off),
            ("postgres://localhost,db.example/x", Offered),
            ("postgres://localhost/x?hostaddr=10.0.0.1", Offered),
            ("postgres://db.example/x?hostaddr=127.0.0.1", Off),
            ("postgres://localhost/x?sslnegotiation=direct", Offered),
        ] {
            assert_eq!(decide(url, "", ""), Ok(expected), "{url}");
        }
        assert_eq!(decide("postgres://localhost/x", "prefer", ""), Ok(Offered));
        assert_eq!(decide("postgres://%2Frun/x", "verify-full", ""), Ok(Off));
    }

    #[test]
    fn a_mode_means_what_it_means_to_libpq() {
        use Encryption::{Host, Issuer, Off, Unverified};
        let file = || Roots::File("root.crt".into());
        for (mode, roots, expected) in [
            ("disable", "", Off),
            ("require", "", Unverified),
            ("require", "root.crt", Issuer(file())),
            ("verify-ca", "root.crt", Issuer(file())),
            ("verify-full", "root.crt", Host(file())),
            ("verify-full", "", Host(Roots::System)),
            ("", "system", Host(Roots::System)),
            ("", "root.crt", Host(file())),
        ] {
            assert_eq!(decide("postgres://db.example/x", mode, roots), Ok(expected), "{mode} {roots}");
        }
        for (mode, roots, says) in [
            ("allow", "", "write `disable`, `prefer`,"),
            ("prefer", "root.crt", "verifies nothing"),
            ("verify-ca", "", "write `sslrootcert=PATH`"),
            ("verify-ca", "system", "write `sslmode=verify-full`"),
        ] {
            let error = decide("postgres://db.example/x", mode, roots).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
