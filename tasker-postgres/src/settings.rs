//! What the URL of a PostgreSQL store says: how to connect, and what is ours to decide.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use tasker_store::StoreError;
use tokio_postgres::config::Host;

use crate::connector::Connector;
use crate::encryption::{Encryption, Roots};

/// How a store connects, and how its workers are told apart from dead ones.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionSettings {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) connector: Connector,
    /// The schema that holds our tables.
    pub(crate) schema: String,
    /// A worker that has not been heard of for this long is dead.
    pub(crate) lease: Duration,
    /// At most this many connections.
    pub(crate) connections: usize,
    /// So many of them write, each the tasks of its own.
    pub(crate) writers: usize,
    /// Whether statements are prepared once for each connection. Some proxies cannot keep that.
    pub(crate) prepared: bool,
    /// Whether one of the connections listens for announcements.
    pub(crate) listen: bool,
}

/// One connection writes and one listens: a query needs a third.
const FEWEST_CONNECTIONS: usize = 3;
/// Where there are enough connections, the statement of one writer is under way while that of another is
/// put together.
const WRITERS: usize = 2;

/// A connection on which nothing is acknowledged for this long is broken.
const SILENCE: Duration = Duration::from_secs(10);
/// What the library has when the URL does not say.
const LIBRARY_KEEPALIVES_IDLE: Duration = Duration::from_secs(2 * 60 * 60);

/// A prepared statement is planned once, and perhaps while the tables are empty: it must not come to read
/// all of a table that has grown since. Every statement of ours finds its rows by an index.
const PLANNING: &str = "-c enable_seqscan=off -c enable_mergejoin=off -c random_page_cost=1 -c jit=off";

impl ConnectionSettings {
    /// How to connect for statements that are prepared.
    pub(crate) fn planned(&self) -> tokio_postgres::Config {
        let mut config = self.config.clone();
        if self.prepared {
            let given = config.get_options().map(|given| format!("{given} ")).unwrap_or_default();
            config.options(format!("{given}{PLANNING}"));
        }
        config
    }

    /// Reads `postgres://USER@HOST/DATABASE?schema=…&lease=…&connections=…&prepared=…&listen=…`, and `writers=…`,
    /// `sslmode=…&sslrootcert=…`, with the certificates. What else the query part has is PostgreSQL's own.
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let (head, query) = url.split_once('?').unwrap_or((url, ""));
        let wrong =
            |reason: String| StoreError::Open { what: without_password(head, query), source: reason.into() };
        let (mut schema, mut lease) = ("tasker".to_owned(), Duration::from_secs(15));
        let (mut connections, mut prepared, mut listen) = (8, true, true);
        let mut writers = None;
        let (mut mode, mut roots) = (None, None);
        let mut others = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let number = || value.parse::<u32>().ok().filter(|number| *number > 0);
            let yes =
                || value.parse::<bool>().map_err(|_| wrong(format!("write `{key}=true` or `{key}=false`")));
            match key {
                "schema" if !value.is_empty() && !value.contains(['\0', '%']) => {
                    value.clone_into(&mut schema)
                }
                "schema" => return Err(wrong("write `schema=NAME`".to_owned())),
                "lease" => {
                    let seconds =
                        number().ok_or_else(|| wrong("write `lease=SECONDS`, from 1 up".to_owned()))?;
                    lease = Duration::from_secs(seconds.into());
                }
                "connections" => {
                    let most = number().and_then(|number| usize::try_from(number).ok());
                    let most = most.filter(|most| *most >= FEWEST_CONNECTIONS);
                    let reason = || wrong(format!("write `connections=N`, from {FEWEST_CONNECTIONS} up"));
                    connections = most.ok_or_else(reason)?;
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
                // It may tell of a password.
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
        let encryption = Encryption::decide(mode, roots, &config).map_err(wrong)?;
        config.ssl_mode(encryption.mode());
        let connector = Connector::new(encryption).map_err(wrong)?;
        if config.get_application_name().is_none() {
            config.application_name("tasker");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        // A machine that vanishes closes no connection: without these, writes would wait for it for
        // a quarter of an hour, and reads for hours.
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        if config.get_keepalives_idle() == LIBRARY_KEEPALIVES_IDLE {
            config.keepalives_idle(SILENCE / 2);
        }
        if config.get_keepalives_interval().is_none() {
            config.keepalives_interval(SILENCE / 5);
        }
        // The others listen, read and say that the worker is alive: none of that is to wait for the other.
        let most = connections.saturating_sub(3).max(1);
        if writers.is_some_and(|writers| writers > most) {
            return Err(wrong(format!(
                "`connections={connections}` leave room for `writers={most}` at most"
            )));
        }
        let writers = writers.unwrap_or(WRITERS.min(most));
        Ok(Self { config, connector, schema, lease, connections, writers, prepared, listen })
    }

    /// The store as people call it; no password.
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

    /// Bounds how long a transaction keeps its locks when this process is stalled or cut off: by then
    /// others take its work over, and would wait for them.
    pub(crate) fn bound_transaction(&self) -> String {
        format!("SET LOCAL idle_in_transaction_session_timeout = {}", self.lease.as_millis())
    }

    /// The schema's name as SQL has it.
    pub(crate) fn quoted_schema(&self) -> String {
        quoted(&self.schema)
    }
}

/// A URL that cannot be read, as far as it can be shown: a password may hold what ends one.
fn without_password(head: &str, query: &str) -> String {
    match head.rsplit_once('@') {
        _ if query.contains('@') => "a PostgreSQL store".to_owned(),
        Some((_, place)) => format!("postgres://{place}"),
        None => head.to_owned(),
    }
}

/// A name as SQL has it.
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
            ("lease=soon", "write `lease=SECONDS`, from 1 up"),
            ("connections=1", "write `connections=N`, from 3 up"),
            ("writers=0", "write `writers=N`, from 1 up"),
            ("connections=5&writers=3", "leave room for `writers=2`"),
            ("listen=maybe", "write `listen=true` or `listen=false`"),
            ("colour=red", "colour"),
            ("sslmode=full", "write `disable`, `prefer`, `require`, `verify-ca` or `verify-full`"),
            ("sslrootcert=", "write `sslrootcert=PATH`"),
            ("sslrootcert=%2Fno%2Fwhere", "/no/where"),
        ] {
            let url = format!("postgres://ada:secret@db.example/x?{query}");
            let error = ConnectionSettings::parse(&url).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("db.example/x"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        for url in [
            "postgres://ada:se@cret?x@db/x?lease=soon",
            "postgres://ada:se?cret@db/x?colour=red",
            "postgres://ada:se@cret@db/x",
        ] {
            let error = ConnectionSettings::parse(url).unwrap_err().to_string();
            assert!(!error.contains("cret"), "{error}");
        }
    }

    #[test]
    fn a_name_is_quoted() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}
