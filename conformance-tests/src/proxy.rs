//! A line between a store and its server that can be cut, and that counts what goes over it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::gate::Gate;
use crate::ports::{Ports, ports};
use crate::snatch::Snatch;
use crate::way::{Line, State, Way};

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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

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
    async fn what_a_held_line_keeps_arrives_when_it_is_mended() {
        let proxy = Proxy::open(echo().await.to_string()).await.expect("a local port is free");
        let mut stream = TcpStream::connect(proxy.address()).await.expect("the proxy listens");
        assert_eq!(ask(&mut stream).await.ok(), Some(b'x'));
        proxy.hold();
        let mut asking = Box::pin(ask(&mut stream));
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut asking).await.is_err(), "it was not held");
        proxy.mend();
        assert_eq!(asking.await.ok(), Some(b'x'));
    }

    #[tokio::test]
    async fn a_forgotten_connection_says_nothing_and_a_new_one_is_whole() {
        let proxy = Proxy::open(echo().await.to_string()).await.expect("a local port is free");
        let mut stream = TcpStream::connect(proxy.address()).await.expect("the proxy listens");
        assert_eq!(ask(&mut stream).await.ok(), Some(b'x'));
        proxy.forget();
        assert!(tokio::time::timeout(Duration::from_millis(50), ask(&mut stream)).await.is_err(), "it answers");
        let mut second = TcpStream::connect(proxy.address()).await.expect("the proxy listens");
        assert_eq!(ask(&mut second).await.ok(), Some(b'x'));
    }

    #[tokio::test]
    async fn what_is_snatched_ends_its_connection_and_arrives_later() {
        let proxy = Proxy::open(echo().await.to_string()).await.expect("a local port is free");
        let mut stream = TcpStream::connect(proxy.address()).await.expect("the proxy listens");
        assert_eq!(ask(&mut stream).await.ok(), Some(b'x'));
        proxy.snatch().set("x");
        assert!(ask(&mut stream).await.is_err(), "the connection goes on");
        assert!(proxy.snatch().has_caught());
        let mut second = TcpStream::connect(proxy.address()).await.expect("the proxy listens");
        assert_eq!(ask(&mut second).await.ok(), Some(b'x'), "others are let pass");
        proxy.snatch().release().await;
        assert!(!proxy.snatch().has_caught());
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
