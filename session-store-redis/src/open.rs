//! From an URL to a store.

use session_core::{Error, Result};

use crate::RedisStore;
#[cfg(feature = "cluster")]
use crate::error::refusal;

/// The refusal of an URL that does not lead to a store. It says what is wrong with it and repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUrl {
    /// The scheme is none that is known here.
    #[error("the url has none of the schemes redis, rediss, valkey, redis+cluster and redis+sentinel")]
    Scheme,
    /// The scheme needs a feature of this crate that is not there.
    #[error("the scheme of the url needs a feature of this crate: cluster, sentinel or tls")]
    Feature,
    /// An address, the database or a parameter cannot be read.
    #[error("the url has an address, a database or a parameter that cannot be read")]
    Malformed,
    /// Sentinel needs the name of a service, as in `redis+sentinel://host:26379/sessions`.
    #[error("the url has no name of a service as its path")]
    Service,
}

impl RedisStore {
    /// Opens the server, the cluster or the service that an URL names.
    ///
    /// - `redis://[user:password@]host[:port][/database]`, and `rediss://` for TLS: one server.
    /// - `redis+cluster://[user:password@]host:port,host:port,…`, `rediss+cluster://`: a cluster that these nodes know.
    /// - `redis+sentinel://[user:password@]host:port,host:port,…/service[/database]`, `rediss+sentinel://`: the master
    ///   that these sentinels name. User and password are the master's; sentinels that ask for one need
    ///   [`with_sentinel`](RedisStore::with_sentinel).
    ///
    /// `valkey` may stand for `redis`, and `?protocol=resp3` at the end chooses that protocol. One server and Sentinel are not
    /// connected to before the first call. Refuses with [`Backend`](Error::Backend) and an [`InvalidUrl`] what it cannot
    /// read, and with [`Unavailable`](Error::Unavailable) if no node of the cluster answers.
    pub async fn open(url: &str) -> Result<Self> {
        match Location::parse(url).map_err(Error::backend)? {
            Location { kind: Kind::Server, nodes, .. } => {
                // There is one address: `split` gives at least one piece.
                let client =
                    redis::Client::open(nodes[0].as_str()).map_err(|_| Error::backend(InvalidUrl::Malformed))?;
                Ok(Self::with_client(client))
            }
            Location { kind: Kind::Cluster, nodes, .. } => open_cluster(nodes).await,
            Location { kind: Kind::Sentinel, nodes, path, .. } => open_sentinel(&nodes, path.unwrap_or_default()),
        }
    }
}

#[cfg(feature = "cluster")]
async fn open_cluster(nodes: Vec<String>) -> Result<RedisStore> {
    let protocol = is_resp3(&nodes).then_some(redis::ProtocolVersion::RESP3);
    let builder = redis::cluster::ClusterClient::builder(nodes)
        .connection_timeout(std::time::Duration::from_secs(2))
        .response_timeout(std::time::Duration::from_secs(2))
        .overall_response_timeout(None);
    let builder = if let Some(protocol) = protocol { builder.use_protocol(protocol) } else { builder };
    let client = builder.build().map_err(|_| Error::backend(InvalidUrl::Malformed))?;
    let connection = client.get_async_connection().await.map_err(|error| refusal(&error))?;
    Ok(RedisStore::with_cluster(connection))
}

#[cfg(not(feature = "cluster"))]
async fn open_cluster(_: Vec<String>) -> Result<RedisStore> {
    Err(Error::backend(InvalidUrl::Feature))
}

#[cfg(feature = "sentinel")]
fn open_sentinel(nodes: &[String], path: &str) -> Result<RedisStore> {
    use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
    use redis::{ConnectionAddr, IntoConnectionInfo, TlsMode};

    let (service, database) = path.split_once('/').unwrap_or((path, "0"));
    if service.is_empty() {
        return Err(Error::backend(InvalidUrl::Service));
    }
    let malformed = |_| Error::backend(InvalidUrl::Malformed);
    let database: i64 = database.parse().map_err(|_| Error::backend(InvalidUrl::Malformed))?;
    let mut master = SentinelNodeConnectionInfo::default();
    let mut sentinels = Vec::new();
    for node in nodes {
        let info = node.as_str().into_connection_info().map_err(malformed)?;
        if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            master = master.set_tls_mode(TlsMode::Secure);
        }
        master = master.set_redis_connection_info(info.redis_settings().clone().set_db(database));
        let open = redis::RedisConnectionInfo::default().set_protocol(info.redis_settings().protocol());
        sentinels.push(info.set_redis_settings(open));
    }
    // A string, because that is what redis asks for without TLS.
    let service = String::from(service);
    let client = SentinelClient::build(sentinels, service, Some(master), SentinelServerType::Master);
    Ok(RedisStore::with_sentinel(client.map_err(malformed)?))
}

#[cfg(not(feature = "sentinel"))]
fn open_sentinel(_: &[String], _: &str) -> Result<RedisStore> {
    Err(Error::backend(InvalidUrl::Feature))
}

#[cfg(feature = "cluster")]
fn is_resp3(nodes: &[String]) -> bool {
    nodes.iter().any(|node| node.contains("protocol=resp3") || node.contains("protocol=3"))
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Server,
    Cluster,
    Sentinel,
}

/// An URL in pieces: each address is an URL that redis understands.
#[derive(Debug, PartialEq, Eq)]
struct Location<'a> {
    kind: Kind,
    nodes: Vec<String>,
    path: Option<&'a str>,
}

impl<'a> Location<'a> {
    fn parse(url: &'a str) -> Result<Self, InvalidUrl> {
        let (scheme, rest) = url.split_once("://").ok_or(InvalidUrl::Scheme)?;
        let (server, kind) = match scheme.split_once('+') {
            None => (scheme, Kind::Server),
            Some((server, "cluster")) => (server, Kind::Cluster),
            Some((server, "sentinel")) => (server, Kind::Sentinel),
            Some(_) => return Err(InvalidUrl::Scheme),
        };
        let is_secure = match server {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(InvalidUrl::Scheme),
        };
        if is_secure && cfg!(not(feature = "tls")) {
            return Err(InvalidUrl::Feature);
        }
        if kind == Kind::Server {
            return Ok(Self { kind, nodes: vec![url.to_owned()], path: None });
        }
        let (rest, query) =
            rest.split_once('?').map_or((rest, String::new()), |(rest, query)| (rest, format!("?{query}")));
        let (authority, path) = rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
        let (user, hosts) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
        let at = if user.is_empty() { "" } else { "@" };
        let node = |host: &str| match host {
            "" => Err(InvalidUrl::Malformed),
            host => Ok(format!("{server}://{user}{at}{host}/{query}")),
        };
        let nodes = hosts.split(',').map(node).collect::<Result<_, _>>()?;
        Ok(Self { kind, nodes, path: path.filter(|path| !path.is_empty()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_url_of_several_nodes_is_one_url_for_each() {
        let location = Location::parse("redis+sentinel://u:p%40@a:1,b:2/sessions/3?protocol=resp3");
        let nodes = ["redis://u:p%40@a:1/?protocol=resp3", "redis://u:p%40@b:2/?protocol=resp3"].map(str::to_owned);
        assert_eq!(location, Ok(Location { kind: Kind::Sentinel, nodes: nodes.into(), path: Some("sessions/3") }));
        let location = Location::parse("valkey+cluster://a:1").expect("a cluster of one");
        assert_eq!((location.kind, &*location.nodes), (Kind::Cluster, &["valkey://a:1/".to_owned()][..]));
    }

    #[test]
    fn an_url_that_leads_nowhere_is_refused() {
        for (url, refusal) in [
            ("redis", InvalidUrl::Scheme),
            ("http://a", InvalidUrl::Scheme),
            ("redis+x://a", InvalidUrl::Scheme),
            ("redis+cluster://", InvalidUrl::Malformed),
            ("redis+cluster://a:1,", InvalidUrl::Malformed),
        ] {
            assert_eq!(Location::parse(url), Err(refusal), "{url}");
        }
    }
}
