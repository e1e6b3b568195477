//! Lines to every member of a replica set that can be cut, although the members say themselves where they are.

use std::sync::Arc;

use conformance_tests::Proxy;
use session_core::BoxError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A line to every server that a URL names.
///
/// A driver asks the members of a replica set where the others are, and goes there. So what the servers say passes through
/// a door of ours, where each member's address is replaced by that of our line to it. Both have as many bytes.
pub(crate) struct Lines {
    url: String,
    proxies: Vec<Proxy>,
}

type Renamed = Arc<[(String, String)]>;

impl Lines {
    /// Says whether lines can be laid: whether all addresses are `127.0.0.1` with a port of five digits, as ours are.
    pub(crate) fn can_be_laid_to(url: &str) -> bool {
        let mut members = members(url).peekable();
        members.peek().is_some()
            && members.all(|member| member.strip_prefix("127.0.0.1:").is_some_and(|port| port.len() == 5))
    }

    pub(crate) async fn lay(url: &str) -> Result<Self, BoxError> {
        if !Self::can_be_laid_to(url) {
            return Ok(Self { url: url.into(), proxies: Vec::new() });
        }
        let (mut doors, mut renamed, mut proxies) = (Vec::new(), Vec::new(), Vec::new());
        for member in members(url) {
            let door = TcpListener::bind(("127.0.0.1", 0)).await?;
            renamed.push((member.to_owned(), door.local_addr()?.to_string()));
            proxies.push(Proxy::open(member).await?);
            doors.push(door);
        }
        let renamed: Renamed = renamed.into();
        for (door, proxy) in doors.into_iter().zip(&proxies) {
            let (target, renamed) = (proxy.address(), Arc::clone(&renamed));
            tokio::spawn(async move {
                while let Ok((client, _)) = door.accept().await {
                    let renamed = Arc::clone(&renamed);
                    tokio::spawn(async move {
                        if let Ok(server) = TcpStream::connect(target).await {
                            pass(client, server, renamed).await;
                        }
                    });
                }
            });
        }
        let url = renamed.iter().fold(url.to_owned(), |url, (member, door)| url.replace(member, door));
        Ok(Self { url, proxies })
    }

    /// Returns the URL of the same servers over the lines.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn cut(&self) {
        self.proxies.iter().for_each(Proxy::cut);
    }

    pub(crate) fn mend(&self) {
        self.proxies.iter().for_each(Proxy::mend);
    }
}

fn members(url: &str) -> impl Iterator<Item = &str> {
    let hosts = url.strip_prefix("mongodb://").unwrap_or_default();
    let hosts = hosts.split(['/', '?']).next().unwrap_or_default();
    hosts.rsplit('@').next().unwrap_or_default().split(',').filter(|host| !host.is_empty())
}

async fn pass(client: TcpStream, server: TcpStream, renamed: Renamed) {
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async { drop(tokio::io::copy(&mut from_client, &mut to_server).await) };
    let down = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            rename(&mut buffer[..length], &renamed);
            if to_client.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

fn rename(bytes: &mut [u8], renamed: &Renamed) {
    // A set's members are named in short answers only.
    if bytes.len() > 4096 {
        return;
    }
    for (member, door) in renamed.iter().filter(|(member, door)| member.len() == door.len()) {
        for start in 0..bytes.len().saturating_sub(member.len() - 1) {
            if bytes[start..].starts_with(member.as_bytes()) {
                bytes[start..start + door.len()].copy_from_slice(door.as_bytes());
            }
        }
    }
}
