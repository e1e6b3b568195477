//! The way of one connection over a line: what is handed on, held, lost or kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;
use tokio::sync::watch;

use crate::gate::Gate;
use crate::ports::{Ports, rename};
use crate::snatch::Snatch;

/// What the line does with its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) state: State,
    /// How often the line has forgotten its connections: those from before are dead, and nobody was told.
    pub(crate) age: u64,
    /// How long a new connection waits before anybody listens.
    pub(crate) greeting: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Hands everything on.
    Whole,
    /// Ends connections, and new ones at once, as a server does that is gone.
    Cut,
    /// Takes everything and answers nothing, as a network does that loses packets.
    Silent,
    /// Keeps what both say, and hands it on later: a server that stands still and then goes on.
    Held,
}

/// Where connections lead to, and what is seen of them on the way.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) target: String,
    pub(crate) trips: Arc<AtomicU64>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) ports: Ports,
    pub(crate) snatch: Arc<Snatch>,
}

impl Way {
    /// Leads a connection to its end.
    pub(crate) async fn lead(self, mut client: TcpStream, mut line: watch::Receiver<Line>) {
        let Line { state, age, greeting } = *line.borrow_and_update();
        match state {
            State::Cut => return,
            State::Silent => {
                // Until the line changes; then the client has to connect again.
                drop(line.changed().await);
                return;
            }
            State::Whole | State::Held => {}
        }
        tokio::time::sleep(greeting).await;
        if !is_handed_on(&mut line.clone()).await {
            return;
        }
        let Ok(mut server) = TcpStream::connect(&self.target).await else { return };
        let ends = |line: &Line| line.age != age || matches!(line.state, State::Cut | State::Silent);
        let held = line.clone();
        let is_cut = tokio::select! {
            // The line first: an answer to what was said just before it changed comes through no more.
            biased;
            ended = line.wait_for(ends) => ended.map_or(true, |line| line.age == age && line.state == State::Cut),
            () = self.pass_on(&mut client, &mut server, held) => true,
        };
        if is_cut {
            return;
        }
        // The connection stays open and says nothing: until the line changes, or for ever if it is forgotten.
        let is_forgotten = line.borrow_and_update().age != age;
        tokio::select! {
            _ = line.wait_for(|line| !is_forgotten && line.state != State::Silent) => {}
            () = swallow(&mut client) => {}
        }
    }

    /// Hands on what both say, until one of them has enough.
    async fn pass_on(&self, client: &mut TcpStream, server: &mut TcpStream, line: watch::Receiver<Line>) {
        // Small packets shall not wait for each other, or the proxy would be seen in the timing.
        drop((client.set_nodelay(true), server.set_nodelay(true)));
        let (mut line_up, mut line_down) = (line.clone(), line);
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let has_answered = AtomicBool::new(true);
        // Says whether what the client said was snatched.
        let up = async {
            let mut said = Vec::with_capacity(MOST);
            while let Ok(1..) = from_client.read_buf(&mut said).await {
                if has_answered.swap(false, Ordering::Relaxed) {
                    self.trips.fetch_add(1, Ordering::Relaxed);
                    if !self.is_let_pass(&mut from_client, &mut said).await {
                        break;
                    }
                }
                if self.snatch.takes(&said) {
                    return Some(said);
                }
                if !is_handed_on(&mut line_up).await || to_server.write_all(&said).await.is_err() {
                    break;
                }
                said.clear();
            }
            None
        };
        let down = async {
            let mut said = vec![0; MOST];
            while let Ok(length @ 1..) = from_server.read(&mut said).await {
                has_answered.store(true, Ordering::Relaxed);
                rename(&mut said[..length], &self.ports);
                if !is_handed_on(&mut line_down).await || to_client.write_all(&said[..length]).await.is_err() {
                    break;
                }
            }
        };
        let snatched = tokio::select! {
            snatched = up => snatched,
            () = down => None,
        };
        if let Some(said) = snatched {
            drop(client.shutdown().await);
            self.snatch.deliver_later(server, &said).await;
        }
    }

    /// Waits at the gate, and takes along what the client says meanwhile. Says `false` if the client goes.
    async fn is_let_pass(&self, client: &mut ReadHalf<'_>, said: &mut Vec<u8>) -> bool {
        let mut pass = std::pin::pin!(self.gate.pass());
        loop {
            tokio::select! {
                biased;
                () = &mut pass => return true,
                read = client.read_buf(said) => if !matches!(read, Ok(1..)) { return false },
            }
        }
    }
}

/// Waits while the line is held. Says `false` if there is no line any more.
async fn is_handed_on(line: &mut watch::Receiver<Line>) -> bool {
    line.wait_for(|line| line.state != State::Held).await.is_ok()
}

/// Reads until the client has enough.
async fn swallow(client: &mut TcpStream) {
    let mut said = vec![0; 1024];
    while let Ok(1..) = client.read(&mut said).await {}
}

/// How many bytes are handed on at once.
const MOST: usize = 64 * 1024;
