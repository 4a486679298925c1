//! A fault injector in front of PostgreSQL: a proxy that understands enough of the protocol to make the n-th
//! statement go wrong.
//!
//! A *statement* is what the client sends up to the point at which the server says that it is ready again:
//! a simple query, or messages that end with Sync. Heartbeats and notices are statements only when they are
//! what is meant to go wrong.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// What happens in the place of a statement, or to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails with this SQLSTATE; the connection goes on.
    Error(&'static str),
    /// The connection ends with this SQLSTATE, as when an administrator ends it.
    Ended(&'static str),
    /// The server has become read-only, for as long as this connection lives.
    ReadOnly,
    /// The server has forgotten the statements that this connection has prepared.
    Forgotten,
    /// The connection is gone, and for a while the server takes no other.
    Full,
    /// Nothing comes through on this connection any more, and it stays open.
    Stall,
    /// The connection is gone before the server has heard of the statement.
    CutBefore,
    /// The server has executed it, and the connection is gone before the client knows.
    CutAfter,
}

/// Statements that come by themselves, and how their texts are known.
const BEAT: &str = "beat_at = clock_timestamp()";
const NOTICE: &str = "pg_notify";

#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    control: Arc<Control>,
    /// The connections, and who accepts them; they end with this.
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Control {
    state: Mutex<State>,
    hit: Notify,
}

#[derive(Debug, Default)]
struct State {
    armed: Option<(Fault, usize)>,
    /// Whether the statements that count are the heartbeats, or all others.
    beats: bool,
    hit: Option<String>,
    /// Whether the server takes no more connections.
    is_full: bool,
}

impl Control {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The fault that is to happen to this statement, if one is.
    fn fault_of(&self, text: &str) -> Option<Fault> {
        let mut state = self.state();
        let state = &mut *state;
        if text.is_empty()
            || text.contains(NOTICE)
            || text.contains(BEAT) != state.beats
            || state.hit.is_some()
        {
            return None;
        }
        let (fault, left) = state.armed.as_mut()?;
        *left -= 1;
        if *left > 0 {
            return None;
        }
        state.hit = Some(text.split_whitespace().collect::<Vec<_>>().join(" "));
        state.is_full = *fault == Fault::Full;
        self.hit.notify_waiters();
        Some(*fault)
    }
}

impl Wire {
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let control = Arc::new(Control::default());
        let (mut tasks, own) = (JoinSet::new(), Arc::clone(&control));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                connections.spawn(carry(client, server, Arc::clone(&own)));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, control, _tasks: tasks }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the `position`-th statement goes wrong; the first is 1. `beats` counts heartbeats alone.
    pub fn arm(&self, fault: Fault, position: usize, beats: bool) {
        *self.control.state() = State { armed: Some((fault, position)), beats, ..State::default() };
    }

    /// The fault is over. The statement that it has hit.
    pub fn disarm(&self) -> Option<String> {
        std::mem::take(&mut *self.control.state()).hit
    }

    /// Until a statement has been hit.
    pub async fn hit(&self) {
        let hit = self.control.hit.notified();
        if self.control.state().hit.is_none() {
            hit.await;
        }
    }
}

/// What the two directions of a connection know of each other.
#[derive(Default)]
struct Link {
    is_stalled: AtomicBool,
    /// The number of the statement whose answer the client never sees; the connection ends with it.
    cut_at: AtomicU64,
    /// The number of a statement of ours: its answer is not the client's business.
    own: AtomicU64,
}

async fn carry(client: TcpStream, server: SocketAddr, control: Arc<Control>) {
    client.set_nodelay(true).unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    // The first message has no type.
    let Some(startup) = body(&mut from_client, Vec::new()).await else { return };
    if control.state().is_full {
        let _ = to_client.write_all(&error("53300", "sorry, too many clients already")).await;
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    server.set_nodelay(true).unwrap();
    let (from_server, mut to_server) = server.into_split();
    if to_server.write_all(&startup).await.is_err() {
        return;
    }
    let link = Link::default();
    let farewell = tokio::select! {
        farewell = to_there(from_client, to_server, &control, &link) => farewell,
        () = back(from_server, &mut to_client, &link) => None,
    };
    if let Some(farewell) = farewell {
        let _ = to_client.write_all(&farewell).await;
    }
}

/// From the client to the server. What to tell the client at the end, if anything.
async fn to_there(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    control: &Control,
    link: &Link,
) -> Option<Vec<u8>> {
    let (mut statement, mut sent) = (Vec::new(), 0);
    let mut prepared: HashMap<String, String> = HashMap::new();
    let mut text = None;
    while let Some((kind, message)) = message(&mut client).await {
        match kind {
            b'P' => {
                let mut words = message[5..].split(|byte| *byte == 0).map(String::from_utf8_lossy);
                let (name, sql) = (words.next()?.into_owned(), words.next()?.into_owned());
                prepared.insert(name, sql.clone());
                text = Some(sql);
            }
            b'B' => {
                let name = message[5..].split(|byte| *byte == 0).nth(1)?;
                text = text.or_else(|| prepared.get(&*String::from_utf8_lossy(name)).cloned());
            }
            b'Q' => text = Some(String::from_utf8_lossy(&message[5..message.len() - 1]).into_owned()),
            _ => {}
        }
        statement.extend_from_slice(&message);
        if !matches!(kind, b'Q' | b'S' | b'p' | b'X') {
            continue;
        }
        let mut whole = std::mem::take(&mut statement);
        if matches!(kind, b'Q' | b'S') {
            sent += 1;
        }
        let said = text.take().unwrap_or_default();
        match control.fault_of(&said) {
            None => {}
            Some(Fault::Error(code)) => whole = query(&raise(code, &said)),
            Some(Fault::Ended(code)) => return Some(error(code, "the connection is ended by a test")),
            Some(Fault::CutBefore | Fault::Full) => return None,
            Some(Fault::CutAfter) => link.cut_at.store(sent, Ordering::SeqCst),
            Some(Fault::Stall) => {
                link.is_stalled.store(true, Ordering::SeqCst);
                while message_or_end(&mut client).await {}
                // As a server that does not hear of the client's end at once.
                tokio::time::sleep(Duration::from_secs(1)).await;
                return None;
            }
            Some(fault @ (Fault::ReadOnly | Fault::Forgotten)) => {
                let sql = match fault {
                    Fault::Forgotten => "DEALLOCATE ALL",
                    _ => "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
                };
                link.own.store(sent, Ordering::SeqCst);
                sent += 1;
                if server.write_all(&query(sql)).await.is_err() {
                    return None;
                }
            }
        }
        if server.write_all(&whole).await.is_err() {
            return None;
        }
    }
    None
}

/// From the server to the client.
async fn back(mut server: OwnedReadHalf, client: &mut OwnedWriteHalf, link: &Link) {
    // The first time that it is ready is after the start: statement 0.
    let mut statement = 0;
    while let Some((kind, message)) = message(&mut server).await {
        let is_end = kind == b'Z';
        let is = |number: &AtomicU64| {
            let number = number.load(Ordering::SeqCst);
            number > 0 && number == statement
        };
        let (is_cut, is_own) = (is(&link.cut_at), is(&link.own));
        if is_end {
            statement += 1;
        }
        if link.is_stalled.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if is_cut && is_end {
            return;
        }
        if !is_cut && !is_own && client.write_all(&message).await.is_err() {
            return;
        }
    }
}

/// A message with its type.
async fn message(from: &mut OwnedReadHalf) -> Option<(u8, Vec<u8>)> {
    let kind = from.read_u8().await.ok()?;
    Some((kind, body(from, vec![kind]).await?))
}

async fn message_or_end(from: &mut OwnedReadHalf) -> bool {
    message(from).await.is_some()
}

/// The length and the rest of a message, after its `head`.
async fn body(from: &mut OwnedReadHalf, head: Vec<u8>) -> Option<Vec<u8>> {
    let length = from.read_u32().await.ok()?;
    let mut message = head;
    message.extend(length.to_be_bytes());
    let begin = message.len();
    message.resize(begin + usize::try_from(length).ok()? - 4, 0);
    from.read_exact(&mut message[begin..]).await.ok()?;
    Some(message)
}

fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

fn query(sql: &str) -> Vec<u8> {
    framed(b'Q', format!("{sql}\0").as_bytes())
}

/// What fails with this code in the place of a statement, so that the server itself knows what has become of a
/// transaction. One whose end fails is rolled back.
fn raise(code: &str, statement: &str) -> String {
    let end = if matches!(statement, "COMMIT" | "ROLLBACK") { "ROLLBACK; " } else { "" };
    format!("{end}DO $$ BEGIN RAISE EXCEPTION 'a fault of the test' USING ERRCODE = '{code}'; END $$")
}

fn error(code: &str, text: &str) -> Vec<u8> {
    framed(b'E', format!("SFATAL\0VFATAL\0C{code}\0M{text}\0\0").as_bytes())
}
