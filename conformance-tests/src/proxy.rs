//! A line between a store and its server that can be cut, and that counts what goes over it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::ReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::gate::Gate;
use crate::ports::{Ports, ports, rename};
use crate::snatch::Snatch;

/// A TCP line from a port of its own to a server, for the hooks about [outages](crate::Suite::survives_outage) and
/// [round trips](crate::Suite::counts_round_trips): point the store at [`address`](Self::address).
///
/// A [space](crate::Space::lines_to) lays such lines by itself. Dropping it ends its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
    trips: Arc<AtomicU64>,
    snatch: Arc<Snatch>,
}

/// What the line does with its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    state: State,
    /// How often the line has forgotten its connections: those from before are dead, and nobody was told.
    age: u64,
    /// How long a new connection waits before anybody listens.
    greeting: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Hands everything on.
    Whole,
    /// Ends connections, and new ones at once, as a server does that is gone.
    Cut,
    /// Takes everything and answers nothing, as a network does that loses packets.
    Silent,
    /// Keeps what both say, and hands it on later: a server that stands still and then goes on.
    Held,
}

impl Proxy {
    /// Opens a line to the server at `target`, which is given as `host:port`.
    ///
    /// Fails when no local port can be had. Must be called within a tokio runtime.
    pub async fn open(target: impl Into<String>) -> std::io::Result<Self> {
        let door = TcpListener::bind(("127.0.0.1", 0)).await?;
        Self::behind(door, target.into(), &Arc::new(Gate::open_wide()), &Ports::default())
    }

    /// Opens lines to servers that may name each other, all of them through one gate.
    pub(crate) async fn open_all<'a>(
        targets: impl IntoIterator<Item = &'a str>,
        gate: &Arc<Gate>,
    ) -> std::io::Result<Vec<Self>> {
        let mut doors = Vec::new();
        for target in targets {
            doors.push((target, TcpListener::bind(("127.0.0.1", 0)).await?));
        }
        let ports = if doors.len() > 1 { ports(&doors)? } else { Vec::new() }.into();
        doors.into_iter().map(|(target, door)| Self::behind(door, target.to_owned(), gate, &ports)).collect()
    }

    fn behind(door: TcpListener, target: String, gate: &Arc<Gate>, ports: &Ports) -> std::io::Result<Self> {
        let address = door.local_addr()?;
        let (line, watched) = watch::channel(Line { state: State::Whole, age: 0, greeting: Duration::ZERO });
        let snatch = Arc::new(Snatch::default());
        let trips = Arc::new(AtomicU64::new(0));
        let way = Way {
            target,
            trips: Arc::clone(&trips),
            gate: Arc::clone(gate),
            ports: Arc::clone(ports),
            snatch: Arc::clone(&snatch),
        };
        tokio::spawn(async move {
            let mut ended = watched.clone();
            loop {
                tokio::select! {
                    accepted = door.accept() => {
                        let Ok((client, _)) = accepted else { return };
                        tokio::spawn(way.clone().lead(client, watched.clone()));
                    }
                    // The sender is gone when the proxy is dropped.
                    change = ended.changed() => if change.is_err() { return },
                }
            }
        });
        Ok(Self { address, line, trips, snatch })
    }

    /// Returns where the store shall connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts the line: connections end, and new ones end at once.
    pub fn cut(&self) {
        self.becomes(State::Cut);
    }

    /// Makes the line silent: connections stay, but nothing comes through any more.
    pub fn silence(&self) {
        self.becomes(State::Silent);
    }

    /// Holds what both sides say, on old and new connections, until the line is mended; then it arrives.
    pub fn hold(&self) {
        self.becomes(State::Held);
    }

    /// Forgets the connections that there are: they stay open and answer nothing any more, and new ones are whole.
    pub fn forget(&self) {
        self.line.send_modify(|line| line.age += 1);
    }

    /// Lets new connections wait before the server greets them.
    pub fn greet_after(&self, greeting: Duration) {
        self.line.send_modify(|line| line.greeting = greeting);
    }

    /// Makes the line whole again, for new connections and those that were held; those that were silent end.
    pub fn mend(&self) {
        self.becomes(State::Whole);
    }

    /// Returns the trap for what a client says.
    pub(crate) fn snatch(&self) -> &Snatch {
        &self.snatch
    }

    /// Returns the same trap, for longer than the line is looked at.
    pub(crate) fn trap(&self) -> Arc<Snatch> {
        Arc::clone(&self.snatch)
    }

    fn becomes(&self, state: State) {
        self.line.send_modify(|line| line.state = state);
    }

    /// Returns how many round trips went over the line: how often a client spoke after the server had its say.
    ///
    /// What is pipelined counts once, and so does what opening a connection takes for each of its exchanges.
    pub fn round_trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }
}

/// Where connections lead to, and what is seen of them on the way.
#[derive(Debug, Clone)]
struct Way {
    target: String,
    trips: Arc<AtomicU64>,
    gate: Arc<Gate>,
    ports: Ports,
    snatch: Arc<Snatch>,
}

impl Way {
    async fn lead(self, mut client: TcpStream, mut line: watch::Receiver<Line>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a local port is free");
        let address = listener.local_addr().expect("the listener is bound");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).await.is_ok() && stream.write_all(&byte).await.is_ok() {}
                });
            }
        });
        address
    }

    async fn ask(stream: &mut TcpStream) -> std::io::Result<u8> {
        stream.write_all(b"x").await?;
        let mut answer = [0];
        stream.read_exact(&mut answer).await?;
        Ok(answer[0])
    }

    #[tokio::test]
    async fn the_line_counts_and_can_be_cut_and_mended() {
        let proxy = Proxy::open(echo().await.to_string()).await.expect("a local port is free");
        let mut stream = TcpStream::connect(proxy.address()).await.expect("the proxy listens");
        for trips in 1..4 {
            assert_eq!(ask(&mut stream).await.ok(), Some(b'x'));
            assert_eq!(proxy.round_trips(), trips);
        }
        proxy.cut();
        assert!(ask(&mut stream).await.is_err(), "a connection outlives the cut");
        let mut second = TcpStream::connect(proxy.address()).await.expect("the proxy listens");
        assert!(ask(&mut second).await.is_err(), "a new connection works over a cut line");
        proxy.mend();
        let mut third = TcpStream::connect(proxy.address()).await.expect("the proxy listens");
        assert_eq!(ask(&mut third).await.ok(), Some(b'x'));
        proxy.silence();
        let waited = tokio::time::timeout(Duration::from_millis(50), ask(&mut third)).await;
        assert!(waited.is_err(), "something came over a silent line");
    }

    #[tokio::test]
    async fn a_closed_gate_holds_the_trip_and_not_the_others_line() {
        let (server, gate) = (echo().await.to_string(), Arc::new(Gate::open_wide()));
        let held = Proxy::open_all([&*server], &gate).await.expect("a local port is free");
        let free = Proxy::open(&*server).await.expect("a local port is free");
        gate.close_after(1);
        let mut stream = TcpStream::connect(held[0].address()).await.expect("the proxy listens");
        assert_eq!(ask(&mut stream).await.ok(), Some(b'x'));
        let asking = tokio::spawn(async move { ask(&mut stream).await });
        gate.holds().await;
        let mut other = TcpStream::connect(free.address()).await.expect("the proxy listens");
        assert_eq!(ask(&mut other).await.ok(), Some(b'x'));
        assert!(!asking.is_finished(), "the trip was not held");
        gate.reopen();
        assert_eq!(asking.await.expect("the task does not panic").ok(), Some(b'x'));
    }
}
