//! A PostgreSQL that may be restarted: nobody else's.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

#[derive(Debug)]
pub struct Cluster {
    directory: TempDir,
    port: u16,
}

impl Cluster {
    pub fn start() -> Self {
        // Somebody may take the port before the server does.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let cluster = Self { directory: tempfile::tempdir().unwrap(), port };
        cluster.run("start", &port.to_string()).unwrap_or_else(|error| panic!("{error}"));
        cluster
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Where its files are.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Stops it, in order or as a crash would, and starts it again.
    pub fn restart(&self, in_order: bool) {
        let mode = if in_order { "fast" } else { "immediate" };
        for (command, argument) in [("stop", mode), ("start", &self.port.to_string())] {
            self.run(command, argument).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    fn run(&self, command: &str, argument: &str) -> Result<(), String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postgres/cluster.sh");
        let mut bash = Command::new("bash");
        let output = bash.arg(script).arg(command).arg(self.directory.path()).arg(argument).output().unwrap();
        if output.status.success() {
            return Ok(());
        }
        Err(format!("PostgreSQL did not {command}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // One that did not start need not be stopped.
        let _ = self.run("stop", "immediate");
    }
}
