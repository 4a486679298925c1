//! A network that a test can break: passes connections on to a server, until it is told otherwise.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use crate::patience::within;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Forward,
    /// New connections are closed at once.
    Refuse,
    /// Connections stay, and nothing comes through.
    Stall,
}

#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    refused: Arc<Notify>,
    heard: Heard,
}

/// What the server has said, by connection, for as long as somebody wants to know.
type Heard = Arc<Mutex<Option<Vec<Arc<Mutex<Vec<u8>>>>>>>;

#[derive(Clone, Copy, Debug)]
struct State {
    mode: Mode,
    /// How often all connections have been severed.
    severed: u64,
    /// How often all connections have been frozen.
    frozen: u64,
}

impl Proxy {
    /// In front of a server, for as long as the runtime lives.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, watched) = watch::channel(State { mode: Mode::Forward, severed: 0, frozen: 0 });
        let refused = Arc::new(Notify::new());
        let tell = Arc::clone(&refused);
        let heard = Heard::default();
        let hearing = Arc::clone(&heard);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if watched.borrow().mode == Mode::Refuse {
                    drop(client);
                    tell.notify_waiters();
                } else {
                    let said = hearing.lock().unwrap().as_mut().map(|all| {
                        all.push(Arc::default());
                        Arc::clone(&all[all.len() - 1])
                    });
                    tokio::spawn(carry(client, server, watched.clone(), said));
                }
            }
        });
        Self { address, state, refused, heard }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn set(&self, mode: Mode) {
        self.state.send_modify(|state| state.mode = mode);
    }

    /// Keeps what the server says on connections that are opened from now on.
    pub fn listen(&self) {
        self.heard.lock().unwrap().get_or_insert_default();
    }

    /// What the server has said, by connection.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        let heard = self.heard.lock().unwrap();
        heard.iter().flatten().map(|said| said.lock().unwrap().clone()).collect()
    }

    /// Lets nothing more through on the connections that are open now. They stay open, and new ones work.
    pub fn freeze(&self) {
        self.state.send_modify(|state| state.frozen += 1);
    }

    /// Closes all connections.
    pub fn sever(&self) {
        self.state.send_modify(|state| state.severed += 1);
    }

    /// Until a connection is refused, from now on.
    pub async fn refused(&self) {
        within("a connection to refuse", self.refused.notified()).await;
    }
}

async fn carry(
    client: TcpStream,
    server: SocketAddr,
    mut state: watch::Receiver<State>,
    said: Option<Arc<Mutex<Vec<u8>>>>,
) {
    let severed = state.borrow().severed;
    let Ok(server) = TcpStream::connect(server).await else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (there, back) = (state.clone(), state.clone());
    tokio::select! {
        () = pump(from_client, to_server, there, None) => {}
        () = pump(from_server, to_client, back, said) => {}
        _ = state.wait_for(|state| state.severed != severed) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    kept: Option<Arc<Mutex<Vec<u8>>>>,
) {
    let frozen = state.borrow().frozen;
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let passes =
            state.wait_for(|state| state.mode != Mode::Stall && state.frozen == frozen).await.is_ok();
        if let Some(kept) = &kept {
            kept.lock().unwrap().extend_from_slice(&buffer[..count]);
        }
        if !passes || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
