//! A line between a store and its server that can be cut, and that counts what goes over it.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::ReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::gate::Gate;

/// A TCP line from a port of its own to a server, for the hooks about [outages](crate::Suite::survives_outage) and
/// [round trips](crate::Suite::counts_round_trips): point the store at [`address`](Self::address).
///
/// A [space](crate::Space::lines_to) lays such lines by itself. Dropping it ends its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
    trips: Arc<AtomicU64>,
}

/// What the line does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Hands everything on.
    Whole,
    /// Ends connections, and new ones at once, as a server does that is gone.
    Cut,
    /// Takes everything and answers nothing, as a network does that loses packets.
    Silent,
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
        let (line, watched) = watch::channel(Line::Whole);
        let trips = Arc::new(AtomicU64::new(0));
        let way = Way { target, trips: Arc::clone(&trips), gate: Arc::clone(gate), ports: Arc::clone(ports) };
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
        Ok(Self { address, line, trips })
    }

    /// Returns where the store shall connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts the line: connections end, and new ones end at once.
    pub fn cut(&self) {
        self.line.send_replace(Line::Cut);
    }

    /// Makes the line silent: connections stay, but nothing comes through any more.
    pub fn silence(&self) {
        self.line.send_replace(Line::Silent);
    }

    /// Makes the line whole again, for new connections; those that were silent end.
    pub fn mend(&self) {
        self.line.send_replace(Line::Whole);
    }

    /// Returns how many round trips went over the line: how often a client spoke after the server had its say.
    ///
    /// What is pipelined counts once, and so does what opening a connection takes for each of its exchanges.
    pub fn round_trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }
}

/// The ports of servers as they name each other, and those that the client shall read instead.
type Ports = Arc<[(String, String)]>;

fn ports(doors: &[(&str, TcpListener)]) -> std::io::Result<Vec<(String, String)>> {
    doors
        .iter()
        .map(|(target, door)| {
            let port = target.strip_prefix("127.0.0.1:").filter(|port| port.len() == 5);
            let port =
                port.ok_or_else(|| Error::new(ErrorKind::InvalidInput, "not a port of five digits at 127.0.0.1"))?;
            // Those that the system chooses by itself have five digits.
            Ok((port.to_owned(), door.local_addr()?.port().to_string()))
        })
        .collect()
}

/// Replaces ports that stand by themselves, as text. Both have as many digits, so that nothing moves.
fn rename(bytes: &mut [u8], ports: &Ports) {
    let mut start = 0;
    while let Some(colon) = bytes[start..].iter().position(|byte| matches!(byte, b':' | b'\n')) {
        start += colon + 1;
        let named = bytes.get(start..start + 5).filter(|_| matches!(bytes.get(start + 5), Some(b'\r' | 0)));
        if let Some((_, port)) = named.and_then(|named| ports.iter().find(|(port, _)| port.as_bytes() == named)) {
            bytes[start..start + 5].copy_from_slice(port.as_bytes());
        }
    }
}

/// Where connections lead to, and what is seen of them on the way.
#[derive(Debug, Clone)]
struct Way {
    target: String,
    trips: Arc<AtomicU64>,
    gate: Arc<Gate>,
    ports: Ports,
}

impl Way {
    async fn lead(self, mut client: TcpStream, mut line: watch::Receiver<Line>) {
        let state = *line.borrow_and_update();
        match state {
            Line::Cut => return,
            Line::Silent => {
                // Until the line changes; then the client has to connect again.
                drop(line.changed().await);
                return;
            }
            Line::Whole => {}
        }
        let Ok(mut server) = TcpStream::connect(&self.target).await else { return };
        let is_silent = tokio::select! {
            // The line first: an answer to what was said just before it changed comes through no more.
            biased;
            change = line.changed() => change.is_ok() && *line.borrow_and_update() == Line::Silent,
            () = self.pass_on(&mut client, &mut server) => false,
        };
        if is_silent {
            // The connection stays open and says nothing.
            drop(line.changed().await);
        }
    }

    /// Hands on what both say, until one of them has enough.
    async fn pass_on(&self, client: &mut TcpStream, server: &mut TcpStream) {
        // Small packets shall not wait for each other, or the proxy would be seen in the timing.
        drop((client.set_nodelay(true), server.set_nodelay(true)));
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let has_answered = AtomicBool::new(true);
        let up = async {
            let mut said = Vec::with_capacity(MOST);
            while let Ok(1..) = from_client.read_buf(&mut said).await {
                if has_answered.swap(false, Ordering::Relaxed) {
                    self.trips.fetch_add(1, Ordering::Relaxed);
                    if !self.is_let_pass(&mut from_client, &mut said).await {
                        break;
                    }
                }
                if to_server.write_all(&said).await.is_err() {
                    break;
                }
                said.clear();
            }
        };
        let down = async {
            let mut said = vec![0; MOST];
            while let Ok(length @ 1..) = from_server.read(&mut said).await {
                has_answered.store(true, Ordering::Relaxed);
                rename(&mut said[..length], &self.ports);
                if to_client.write_all(&said[..length]).await.is_err() {
                    break;
                }
            }
        };
        tokio::select! {
            () = up => {}
            () = down => {}
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
        let waited = tokio::time::timeout(std::time::Duration::from_millis(50), ask(&mut third)).await;
        assert!(waited.is_err(), "something came over a silent line");
    }

    #[test]
    fn a_port_is_renamed_where_it_stands_by_itself() {
        let ports: Ports = Arc::new([("21000".to_owned(), "40123".to_owned())]);
        let mut said =
            b"*2\r\n:21000\r\n$5\r\n21000\r\n-MOVED 7 127.0.0.1:21000\r\n{\"n\":21000}\n210001\r\n:21000\0:2100"
                .to_vec();
        rename(&mut said, &ports);
        let renamed =
            "*2\r\n:40123\r\n$5\r\n40123\r\n-MOVED 7 127.0.0.1:40123\r\n{\"n\":21000}\n210001\r\n:40123\0:2100";
        assert_eq!(String::from_utf8_lossy(&said), renamed);
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
