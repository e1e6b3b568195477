//! A line between a store and its server that can be cut, and that counts what goes over it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A TCP line from a port of its own to a server, for the hooks about [outages](crate::Suite::survives_outage) and
/// [round trips](crate::Suite::counts_round_trips): point the store at [`address`](Self::address).
///
/// Dropping it ends its connections.
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
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (line, watched) = watch::channel(Line::Whole);
        let trips = Arc::new(AtomicU64::new(0));
        let (target, counted) = (target.into(), Arc::clone(&trips));
        tokio::spawn(async move {
            let mut ended = watched.clone();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((client, _)) = accepted else { return };
                        tokio::spawn(connect(client, target.clone(), watched.clone(), Arc::clone(&counted)));
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

async fn connect(client: TcpStream, target: String, mut line: watch::Receiver<Line>, trips: Arc<AtomicU64>) {
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
    let Ok(server) = TcpStream::connect(target).await else { return };
    // Small packets shall not wait for each other, or the proxy would be seen in the timing.
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let has_answered = AtomicBool::new(true);
    let up = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            if has_answered.swap(false, Ordering::Relaxed) {
                trips.fetch_add(1, Ordering::Relaxed);
            }
            if to_server.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
    };
    let down = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            has_answered.store(true, Ordering::Relaxed);
            if to_client.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
    };
    let is_silent = tokio::select! {
        () = up => false,
        () = down => false,
        change = line.changed() => change.is_ok() && *line.borrow_and_update() == Line::Silent,
    };
    if is_silent {
        // The connection stays open and says nothing.
        drop(line.changed().await);
    }
}

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
}
