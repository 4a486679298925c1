//! The settings of a store, read from its URL.

use std::collections::HashSet;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tasker_store::StoreError;
use tokio_postgres::config::{Host, TargetSessionAttrs};

use crate::connector::Connector;
use crate::encryption::{Encryption, Roots};

/// How a store connects to its database and uses it.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionSettings {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) connector: Connector,
    /// The schema that holds our tables.
    pub(crate) schema: String,
    /// A worker without a heartbeat for this long is dead.
    pub(crate) lease: Duration,
    /// The most connections that the process opens.
    pub(crate) connections: usize,
    /// How many of the connections write, each a shard of the tasks.
    pub(crate) writers: usize,
    /// Whether statements are prepared once for each connection. Some proxies cannot keep them.
    pub(crate) prepared: bool,
    /// Whether one of the connections listens for notices.
    pub(crate) listen: bool,
}

/// In seconds, a day. A server bounds a transaction by milliseconds in 31 bits, which is 24 days.
const LONGEST_LEASE: u32 = 24 * 60 * 60;

/// One connection writes, one listens, and one reads.
const FEWEST_CONNECTIONS: usize = 3;
/// Writers, where there are enough connections: the statement of one is under way while that of the other is
/// composed.
const WRITERS: usize = 2;

/// The least time that a connection, or an answer to a read, is waited for, however short the lease.
const LEAST_READ_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection on which the server acknowledges nothing for this long is broken.
const SILENCE: Duration = Duration::from_secs(10);
/// The library's default.
const LIBRARY_KEEPALIVES_IDLE: Duration = Duration::from_secs(2 * 60 * 60);

/// A prepared statement is planned once, perhaps while the tables are empty, and its plan must not scan a
/// table that has grown since. Every statement of ours finds its rows by an index.
const PLANNING: &str = "-c enable_seqscan=off -c enable_mergejoin=off -c random_page_cost=1 -c jit=off";

/// The longest name that PostgreSQL keeps as it is, in bytes.
const LONGEST_IDENTIFIER: usize = 63;

impl ConnectionSettings {
    /// The configuration of connections whose statements are prepared.
    pub(crate) fn planned(&self) -> tokio_postgres::Config {
        let mut config = self.config.clone();
        if self.prepared {
            let given = config.get_options().map(|given| format!("{given} ")).unwrap_or_default();
            config.options(format!("{given}{PLANNING}"));
        }
        config
    }

    /// Reads `postgres://USER@HOST/DATABASE?…` with our parameters `schema`, `lease`, `connections`,
    /// `writers`, `prepared`, `listen`, `sslmode` and `sslrootcert`, and reads the certificates. Other
    /// parameters are PostgreSQL's.
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let (head, query) = url.split_once('?').unwrap_or((url, ""));
        let wrong =
            |reason: String| StoreError::Open { what: without_password(head, query), source: reason.into() };
        let (mut schema, mut lease) = ("tasker".to_owned(), Duration::from_secs(15));
        let (mut connections, mut prepared, mut listen) = (8, true, true);
        let mut writers = None;
        let (mut mode, mut roots) = (None, None);
        let mut others = Vec::new();
        let mut given = HashSet::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            // The library takes several hosts.
            if !given.insert(key) && !["host", "hostaddr", "port"].contains(&key) {
                return Err(wrong(format!("`{key}` is there twice")));
            }
            let number = || value.parse::<u32>().ok().filter(|number| *number > 0);
            let yes =
                || value.parse::<bool>().map_err(|_| wrong(format!("write `{key}=true` or `{key}=false`")));
            match key {
                // PostgreSQL would cut it, and two stores could become one.
                "schema" if value.len() > LONGEST_IDENTIFIER => {
                    let bytes = value.len();
                    return Err(wrong(format!(
                        "the name of the schema has {bytes} bytes, and PostgreSQL keeps {LONGEST_IDENTIFIER}"
                    )));
                }
                "schema"
                    if !value.is_empty() && !value.contains(|one: char| one == '%' || one.is_control()) =>
                {
                    value.clone_into(&mut schema)
                }
                "schema" => return Err(wrong("write `schema=NAME`".to_owned())),
                "lease" => {
                    let seconds = number().filter(|seconds| *seconds <= LONGEST_LEASE);
                    let reason = || wrong(format!("write `lease=SECONDS`, from 1 to {LONGEST_LEASE}"));
                    let seconds = seconds.ok_or_else(reason)?;
                    lease = Duration::from_secs(seconds.into());
                }
                "connections" => {
                    let max = number().and_then(|number| usize::try_from(number).ok());
                    let max = max.filter(|max| *max >= FEWEST_CONNECTIONS);
                    let reason = || wrong(format!("write `connections=N`, from {FEWEST_CONNECTIONS} up"));
                    connections = max.ok_or_else(reason)?;
                }
                "writers" => {
                    let count = number().and_then(|number| usize::try_from(number).ok());
                    writers = Some(count.ok_or_else(|| wrong("write `writers=N`, from 1 up".to_owned()))?);
                }
                "prepared" => prepared = yes()?,
                "listen" => listen = yes()?,
                "sslmode" => mode = Some(value),
                "sslrootcert" => {
                    roots = match &*percent_decode_str(value).decode_utf8_lossy() {
                        "" => {
                            return Err(wrong("write `sslrootcert=PATH` or `sslrootcert=system`".to_owned()));
                        }
                        "system" => Some(Roots::System),
                        path => Some(Roots::File(path.into())),
                    };
                }
                _ => others.push(pair),
            }
        }
        let rest = if others.is_empty() { head.to_owned() } else { format!("{head}?{}", others.join("&")) };
        let mut config: tokio_postgres::Config = rest.parse().map_err(|error: tokio_postgres::Error| {
            let reason = match std::error::Error::source(&error) {
                // The library's reason may contain a part of the password.
                _ if query.contains('@') => {
                    "in a name or password write `@` as `%40` and `?` as `%3F`".to_owned()
                }
                Some(source) => source.to_string(),
                None => error.to_string(),
            };
            wrong(format!("the URL cannot be read: {reason}"))
        })?;
        let is_cut = |host: &Host| matches!(host, Host::Tcp(name) if name.contains('@'));
        if config.get_hosts().iter().any(is_cut) {
            return Err(wrong("an `@` in the user or password is written `%40`".to_owned()));
        }
        if config.get_hosts().is_empty() {
            config.host("localhost");
        }
        // A failover can lead a name to a server that is only good for reading.
        let says_which = others.iter().any(|pair| pair.starts_with("target_session_attrs="));
        match config.get_target_session_attrs() {
            TargetSessionAttrs::ReadOnly => {
                return Err(wrong("a store is written to: leave `target_session_attrs` out".to_owned()));
            }
            TargetSessionAttrs::Any if !says_which => {
                config.target_session_attrs(TargetSessionAttrs::ReadWrite);
            }
            _ => {}
        }
        let encryption = Encryption::decide(mode, roots, &config).map_err(wrong)?;
        config.ssl_mode(encryption.mode());
        let connector = Connector::new(encryption).map_err(wrong)?;
        if config.get_application_name().is_none() {
            config.application_name("tasker");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        // A machine that vanishes closes no connection: without these timeouts, writes would wait for it
        // for a quarter of an hour, and reads for hours.
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        if config.get_keepalives_idle() == LIBRARY_KEEPALIVES_IDLE {
            config.keepalives_idle(SILENCE / 2);
        }
        if config.get_keepalives_interval().is_none() {
            config.keepalives_interval(SILENCE / 5);
        }
        // Three others listen, read, and write heartbeats, so that none of these waits for another.
        let max = connections.saturating_sub(3).max(1);
        if writers.is_some_and(|writers| writers > max) {
            return Err(wrong(format!("`connections={connections}` leave room for `writers={max}` at most")));
        }
        let writers = writers.unwrap_or(WRITERS.min(max));
        Ok(Self { config, connector, schema, lease, connections, writers, prepared, listen })
    }

    /// How long an answer to what is written is waited for. A worker that waits longer than its lease sends no
    /// heartbeats either.
    pub(crate) fn write_timeout(&self) -> Duration {
        self.lease
    }

    /// How long an answer to what is read is waited for, and a connection to be made.
    pub(crate) fn read_timeout(&self) -> Duration {
        self.lease.max(LEAST_READ_TIMEOUT)
    }

    /// What people call the store. It has no password.
    pub(crate) fn describe(&self) -> String {
        let host = self.config.get_hosts().first().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        });
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        format!(
            "PostgreSQL at {}:{port}, database {database}, schema {}",
            host.unwrap_or_default(),
            self.schema
        )
    }

    /// The statements that bound how long a transaction keeps its locks when this process is stalled or cut
    /// off. After its lease others take over its claims, and would wait for the locks. A statement that takes
    /// longer than its answer is waited for ends as well, in time for the server to say so.
    pub(crate) fn bound_transaction(&self) -> String {
        format!(
            "SET LOCAL idle_in_transaction_session_timeout = {}; SET LOCAL statement_timeout = {}",
            self.lease.as_millis(),
            self.write_timeout().mul_f64(0.8).as_millis()
        )
    }

    /// The schema's name, quoted.
    pub(crate) fn quoted_schema(&self) -> String {
        quoted(&self.schema)
    }
}

/// The part of an unreadable URL that can be shown. Its password may contain the characters that end one.
fn without_password(head: &str, query: &str) -> String {
    match head.rsplit_once('@') {
        _ if query.contains('@') => "a PostgreSQL store".to_owned(),
        Some((_, place)) => format!("postgres://{place}"),
        None => head.to_owned(),
    }
}

/// A name as a quoted identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_is_taken_out_of_the_url() {
        let url =
            "postgres://ada:secret@db.example:6000/orders?schema=t&lease=3&connections=5&connect_timeout=2";
        let settings = ConnectionSettings::parse(url).unwrap();
        assert_eq!((settings.schema.as_str(), settings.connections), ("t", 5));
        assert_eq!(settings.lease, Duration::from_secs(3));
        assert_eq!(settings.config.get_connect_timeout(), Some(&Duration::from_secs(2)));
        assert_eq!(settings.describe(), "PostgreSQL at db.example:6000, database orders, schema t");
    }

    #[test]
    fn what_cannot_be_read_is_told_without_the_password() {
        for (query, says) in [
            ("lease=soon", "write `lease=SECONDS`, from 1 to 86400"),
            ("lease=86401", "write `lease=SECONDS`, from 1 to 86400"),
            ("lease=5&connections=5&lease=9", "`lease` is there twice"),
            ("connect_timeout=5&connect_timeout=9", "`connect_timeout` is there twice"),
            ("connections=1", "write `connections=N`, from 3 up"),
            ("writers=0", "write `writers=N`, from 1 up"),
            ("connections=5&writers=3", "leave room for `writers=2`"),
            ("listen=maybe", "write `listen=true` or `listen=false`"),
            ("colour=red", "colour"),
            ("target_session_attrs=read-only", "leave `target_session_attrs` out"),
            ("sslmode=full", "write `disable`, `prefer`, `require`, `verify-ca` or `verify-full`"),
            ("sslrootcert=", "write `sslrootcert=PATH`"),
            ("sslrootcert=%2Fno%2Fwhere", "/no/where"),
        ] {
            let url = format!("postgres://ada:secret@db.example/x?{query}");
            let error = tasker_store::chain(&ConnectionSettings::parse(&url).unwrap_err());
            assert!(error.contains(says) && error.contains("db.example/x"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        for url in [
            "postgres://ada:se@cret?x@db/x?lease=soon",
            "postgres://ada:se?cret@db/x?colour=red",
            "postgres://ada:se@cret@db/x",
        ] {
            let error = tasker_store::chain(&ConnectionSettings::parse(url).unwrap_err());
            assert!(!error.contains("cret"), "{error}");
        }
    }

    #[test]
    fn a_name_is_quoted() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}
