//! TLS to PostgreSQL, on servers of the tests' own: who is believed, and what is said of the others.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use tasker_runtime::TaskState;
use tasker_runtime::error::chain;
use tasker_runtime::store::PostgresStore;
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::patience::within;
use crate::postgres::cluster::Cluster;
use crate::support::{Ledger, new_task, on_store, recording};

/// Makes the certificate of an authority, and one that it issues for a host. The program is where a
/// packaged PostgreSQL is: its own certificate is made by it.
fn certify(directory: &Path, host: &str) {
    let script = r#"
        set -euo pipefail
        key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256"
        openssl req -x509 $key -keyout root.key -out root.crt -days 2 -subj "/CN=authority of a test"
        openssl req $key -keyout server.key -out server.csr -subj "/CN=server of a test"
        openssl x509 -req -in server.csr -CA root.crt -CAkey root.key -CAcreateserial -out server.crt \
            -days 2 -sha256 -extfile <(printf "subjectAltName=DNS:$1")
    "#;
    let mut bash = Command::new("bash");
    let made = bash.args(["-c", script, "certify", host]).current_dir(directory).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// A server with a certificate for `localhost`.
struct Secure {
    cluster: Cluster,
    /// With the certificate of its authority.
    root: PathBuf,
    _directory: TempDir,
}

impl Secure {
    /// With rules of `pg_hba.conf` before its own, and settings.
    fn start(rules: &str, settings: &str) -> Self {
        let (cluster, directory) = (Cluster::start(), tempfile::tempdir().unwrap());
        certify(directory.path(), "localhost");
        let data = cluster.data();
        let owner = std::fs::metadata(&data).unwrap();
        for name in ["server.crt", "server.key"] {
            let path = data.join(name);
            std::fs::copy(directory.path().join(name), &path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            let owner = std::os::unix::fs::MetadataExt::uid(&owner);
            chown(&path, Some(owner), None).unwrap();
        }
        let append = |name: &str, before: &str, after: &str| {
            let path = data.join(name);
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(path, format!("{before}\n{text}\n{after}\n")).unwrap();
        };
        let settings = format!("ssl = on\npassword_encryption = 'scram-sha-256'\n{settings}");
        append("postgresql.conf", "", &settings);
        append("pg_hba.conf", rules, "");
        cluster.restart(true);
        Self { cluster, root: directory.path().join("root.crt"), _directory: directory }
    }

    fn url(&self, user: &str, host: &str, settings: &str) -> String {
        format!("postgres://{user}@{host}:{}/postgres?{settings}", self.cluster.address().port())
    }

    /// A mode that verifies, with the certificate of the authority.
    fn verified(&self, user: &str, host: &str, mode: &str) -> String {
        self.url(user, host, &format!("sslmode={mode}&sslrootcert={}", self.root.display()))
    }

    /// An onlooker's connection, without TLS.
    async fn onlooker(&self) -> tokio_postgres::Client {
        let (client, driver) =
            tokio_postgres::connect(&self.url("postgres", "127.0.0.1", ""), NoTls).await.unwrap();
        tokio::spawn(driver);
        client
    }
}

/// Of the connections of stores: how many there are, and how many have TLS.
async fn connections(onlooker: &tokio_postgres::Client) -> (i64, i64) {
    let sql = "SELECT count(*), count(*) FILTER (WHERE ssl)
        FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
        WHERE application_name = 'tasker'";
    let row = onlooker.query_one(sql, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

async fn refused(url: &str) -> String {
    let error = chain(&PostgresStore::open(url).await.unwrap_err());
    assert!(!error.contains("secret"), "{error}");
    error
}

#[tokio::test]
async fn every_connection_to_a_verified_server_has_tls() {
    let server = Secure::start("", "ssl_min_protocol_version = 'TLSv1.3'");
    let url = server.verified("postgres", "localhost", "verify-full");
    let builder = on_store(&url, "a\nb: a\nc: a\nd: b, c");
    let tasker = recording(builder, &Ledger::default(), &["a", "b", "c", "d"]).build().await.unwrap();
    let id = tasker.create_task(new_task()).await.unwrap();
    let task = tasker.wait(id).await.unwrap();
    assert_eq!(task.state, TaskState::Complete);

    let onlooker = server.onlooker().await;
    // Two write, one sends heartbeats and listens, and those of the pool read.
    let connected = async {
        loop {
            if let (all @ 4.., safe) = connections(&onlooker).await {
                return (all, safe);
            }
        }
    };
    let (all, safe) = within("a connection of each kind", connected).await;
    assert_eq!(safe, all);
    tasker.shutdown().await;

    // Without PostgreSQL's question for it, from version 17 on.
    let version =
        onlooker.query_one("SELECT current_setting('server_version_num')::int4", &[]).await.unwrap();
    if version.get::<_, i32>(0) >= 170_000 {
        PostgresStore::open(&format!("{url}&sslnegotiation=direct")).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_is_believed_as_the_url_says() {
    let rules = [
        "hostssl all bound all scram-sha-256",
        "hostssl all plain all reject",
        "hostnossl all plain all trust",
    ];
    let server = Secure::start(&rules.join("\n"), "ssl_max_protocol_version = 'TLSv1.2'");
    let onlooker = server.onlooker().await;
    let roles = "CREATE ROLE bound LOGIN SUPERUSER PASSWORD 'secret'; CREATE ROLE plain LOGIN SUPERUSER";
    onlooker.batch_execute(roles).await.unwrap();

    // By another name than the certificate has.
    for (url, expected) in [
        (server.url("postgres", "127.0.0.1", ""), false),
        (server.url("postgres", "127.0.0.1", "sslmode=disable"), false),
        (server.url("postgres", "127.0.0.1", "sslmode=prefer"), true),
        (server.url("postgres", "127.0.0.1", "sslmode=require"), true),
        (server.verified("postgres", "127.0.0.1", "verify-ca"), true),
        (server.verified("bound:secret", "localhost", "verify-full&channel_binding=require"), true),
        (server.url("bound:secret", "localhost", "sslmode=require&channel_binding=require"), true),
        // The server's rules have no place for it with TLS.
        (server.url("plain", "localhost", "sslmode=prefer"), false),
    ] {
        let store = PostgresStore::open(&url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
        let (all, safe) = connections(&onlooker).await;
        assert_eq!((all >= 2, safe), (true, if expected { all } else { 0 }), "{url}");
        drop(store);
        within("the end of its connections", async { while connections(&onlooker).await.0 > 0 {} }).await;
    }

    let other = tempfile::tempdir().unwrap();
    certify(other.path(), "localhost");
    let other = other.path().join("root.crt");
    for (url, says) in [
        (server.verified("bound:secret", "127.0.0.1", "verify-full"), "is not for `127.0.0.1`"),
        (
            server.url("bound:secret", "localhost", &format!("sslrootcert={}", other.display())),
            "`sslrootcert=PATH`",
        ),
        (server.url("bound:secret", "localhost", "sslmode=verify-full"), "`sslrootcert=PATH`"),
        (server.url("plain", "localhost", "sslmode=require"), "pg_hba.conf"),
    ] {
        let error = refused(&url).await;
        assert!(error.contains(says), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_required() {
    let cluster = Cluster::start();
    let url = |settings| format!("postgres://ada:secret@{}/postgres?{settings}", cluster.address());
    let error = refused(&url("sslmode=require")).await;
    assert!(error.contains("the server offers no TLS"), "{error}");
    let url = format!("postgres://postgres@{}/postgres?sslmode=prefer", cluster.address());
    PostgresStore::open(&url).await.unwrap();
}

#[tokio::test]
async fn a_file_without_certificates_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let (empty, broken) = (directory.path().join("empty.crt"), directory.path().join("broken.crt"));
    std::fs::write(&empty, "").unwrap();
    std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\nnonsense").unwrap();
    for (path, says) in [
        (directory.path().join("missing.crt"), "cannot be read"),
        (directory.path().to_owned(), "cannot be read"),
        (empty, "holds no certificate"),
        (broken, "is not a file of certificates in PEM format"),
    ] {
        let url =
            format!("postgres://ada:secret@localhost/x?sslmode=verify-full&sslrootcert={}", path.display());
        let error = refused(&url).await;
        assert!(error.contains(says) && error.contains(&*path.to_string_lossy()), "{error}");
    }
}
