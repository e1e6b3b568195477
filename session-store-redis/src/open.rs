//! From a URL to a store.

use redis::IntoConnectionInfo;
use session_core::{Error, Result};

use crate::RedisStore;

/// The refusal of a URL that does not lead to a store. It says what is wrong with it and repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUrl {
    /// The scheme is none that is known here.
    #[error(
        "the url has none of the schemes redis, rediss, redis+unix, redis+cluster and redis+sentinel, nor one with valkey"
    )]
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
    /// A certificate or a key cannot be read.
    #[error("a file that the url names has no certificate or key that can be read")]
    Certificate,
}

impl RedisStore {
    /// Opens the server, the cluster or the service that a URL names. Nothing is connected before the first call.
    ///
    /// - `redis://[user:password@]host[:port][/database]`, `rediss://` for TLS, `redis+unix:///path[?db=1&user=u&pass=p]`: one server.
    /// - `redis+cluster://[user:password@]host:port,host:port,…`, `rediss+cluster://`: a cluster that these nodes know.
    /// - `redis+sentinel://[user:password@]host:port,host:port,…/service[/database]`, `rediss+sentinel://`: the master
    ///   that these sentinels name. User and password are the master's; `sentinel_user` and `sentinel_password` are the sentinels'.
    ///
    /// `valkey` may stand for `redis` everywhere, in any case. Parameters are `protocol=resp3`, and with TLS the names of PEM files:
    /// `cacert` for the certificates that sign the server's, in place of the system's, `cert` and `key` for the client's own.
    ///
    /// # Errors
    ///
    /// [`Backend`](Error::Backend) with an [`InvalidUrl`] for what cannot be read.
    pub async fn open(url: &str) -> Result<Self> {
        let location = Location::parse(url).map_err(Error::backend)?;
        match location.kind {
            Kind::Server => location.server(),
            Kind::Cluster => location.cluster(),
            Kind::Sentinel => location.sentinel(),
        }
        .map_err(Error::backend)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Server,
    Cluster,
    Sentinel,
}

/// A URL in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    not(all(feature = "cluster", feature = "sentinel", feature = "tls")),
    allow(dead_code, reason = "of no use")
)]
struct Location {
    kind: Kind,
    is_secure: bool,
    /// A URL for each node, as redis reads them.
    nodes: Vec<String>,
    path: String,
    /// The parameters that redis does not know.
    ours: Vec<(String, String)>,
}

/// The parameters that are taken out of the query, and those that redis reads.
const OURS: [&str; 5] = ["cacert", "cert", "key", "sentinel_user", "sentinel_password"];
const THEIRS: [&str; 4] = ["protocol", "db", "user", "pass"];

impl Location {
    fn parse(url: &str) -> Result<Self, InvalidUrl> {
        let (scheme, rest) = url.split_once("://").ok_or(InvalidUrl::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        let (server, kind, is_unix) = match scheme.split_once('+') {
            None => (&*scheme, Kind::Server, scheme == "unix"),
            Some((server @ ("redis" | "valkey"), "unix")) => (server, Kind::Server, true),
            Some((server, "cluster")) => (server, Kind::Cluster, false),
            Some((server, "sentinel")) => (server, Kind::Sentinel, false),
            Some(_) => return Err(InvalidUrl::Scheme),
        };
        let is_secure = match server {
            "redis" | "valkey" | "unix" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(InvalidUrl::Scheme),
        };
        if is_secure && cfg!(not(feature = "tls")) {
            return Err(InvalidUrl::Feature);
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or(InvalidUrl::Malformed)?;
            match name {
                _ if OURS.contains(&name) => ours.push((name.to_owned(), decoded(value)?)),
                _ if THEIRS.contains(&name) => theirs.push(pair),
                _ => return Err(InvalidUrl::Malformed),
            }
        }
        let query = if theirs.is_empty() { String::new() } else { format!("?{}", theirs.join("&")) };
        if kind == Kind::Server {
            let scheme = if is_unix { "redis+unix" } else { server };
            let nodes = vec![format!("{scheme}://{rest}{query}")];
            return Ok(Self { kind, is_secure, nodes, path: String::new(), ours });
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
        let at = if user.is_empty() { "" } else { "@" };
        let node = |host: &str| match host {
            "" => Err(InvalidUrl::Malformed),
            host => Ok(format!("{server}://{user}{at}{host}/{query}")),
        };
        let nodes = hosts.split(',').map(node).collect::<Result<_, _>>()?;
        Ok(Self { kind, is_secure, nodes, path: path.to_owned(), ours })
    }

    #[cfg(any(feature = "sentinel", feature = "tls"))]
    fn ours(&self, name: &str) -> Option<&str> {
        self.ours.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Returns the nodes as redis takes them.
    fn infos(&self) -> Result<Vec<redis::ConnectionInfo>, InvalidUrl> {
        let info = |node: &String| node.as_str().into_connection_info().map_err(|_| InvalidUrl::Malformed);
        self.nodes.iter().map(info).collect()
    }

    #[cfg(feature = "tls")]
    fn certificates(&self) -> Result<Option<redis::TlsCertificates>, InvalidUrl> {
        let file = |name| self.ours(name).map(std::fs::read).transpose().map_err(|_| InvalidUrl::Certificate);
        let (root_cert, client_cert, client_key) = (file("cacert")?, file("cert")?, file("key")?);
        let client_tls = match (client_cert, client_key) {
            (Some(client_cert), Some(client_key)) => Some(redis::ClientTlsConfig { client_cert, client_key }),
            (None, None) => None,
            _ => return Err(InvalidUrl::Certificate),
        };
        let certificates = redis::TlsCertificates { client_tls, root_cert };
        if self.is_secure && self.ours.iter().any(|(name, _)| !name.starts_with("sentinel")) {
            // What is wrong with them is told now.
            let info = self.infos()?.swap_remove(0);
            redis::Client::build_with_tls(info, certificates.clone()).map_err(|_| InvalidUrl::Certificate)?;
            return Ok(Some(certificates));
        }
        Ok(None)
    }

    fn server(self) -> Result<RedisStore, InvalidUrl> {
        let info = self.infos()?.swap_remove(0);
        #[cfg(feature = "tls")]
        if let Some(certificates) = self.certificates()? {
            let client = redis::Client::build_with_tls(info, certificates).map_err(|_| InvalidUrl::Certificate)?;
            return Ok(RedisStore::with_client(client));
        }
        Ok(RedisStore::with_client(redis::Client::open(info).map_err(|_| InvalidUrl::Malformed)?))
    }

    #[cfg(feature = "cluster")]
    fn cluster(self) -> Result<RedisStore, InvalidUrl> {
        const WAIT: std::time::Duration = std::time::Duration::from_secs(2);
        let nodes = self.infos()?;
        #[cfg(feature = "tls")]
        let certificates = self.certificates()?;
        let client = move || {
            let builder = redis::cluster::ClusterClient::builder(nodes.clone());
            let builder = builder.connection_timeout(WAIT).response_timeout(WAIT);
            #[cfg(feature = "tls")]
            if let Some(certificates) = &certificates {
                return builder.certs(certificates.clone());
            }
            builder
        };
        client().build().map_err(|_| InvalidUrl::Malformed)?;
        Ok(RedisStore::with_cluster(client))
    }

    #[cfg(not(feature = "cluster"))]
    fn cluster(self) -> Result<RedisStore, InvalidUrl> {
        Err(InvalidUrl::Feature)
    }

    #[cfg(feature = "sentinel")]
    fn sentinel(self) -> Result<RedisStore, InvalidUrl> {
        let (service, database) = self.path.split_once('/').unwrap_or((&self.path, "0"));
        if service.is_empty() {
            return Err(InvalidUrl::Service);
        }
        let database = database.parse().map_err(|_| InvalidUrl::Malformed)?;
        let nodes = self.infos()?;
        #[cfg(feature = "tls")]
        let nodes = match self.certificates()? {
            None => nodes,
            Some(certificates) => {
                let with = |node| redis::Client::build_with_tls(node, certificates.clone());
                let clients = nodes.into_iter().map(with).collect::<redis::RedisResult<Vec<_>>>();
                let clients = clients.map_err(|_| InvalidUrl::Certificate)?;
                clients.iter().map(|client| client.get_connection_info().clone()).collect()
            }
        };
        let settings = nodes[0].redis_settings().clone();
        let mut own = redis::RedisConnectionInfo::default().set_protocol(settings.protocol());
        if let Some(user) = self.ours("sentinel_user") {
            own = own.set_username(user);
        }
        if let Some(password) = self.ours("sentinel_password") {
            own = own.set_password(password);
        }
        let master = nodes[0].clone().set_redis_settings(settings.set_db(database));
        let sentinels = nodes.into_iter().map(|node| node.set_redis_settings(own.clone())).collect();
        Ok(RedisStore::with_sentinel(sentinels, service, master))
    }

    #[cfg(not(feature = "sentinel"))]
    fn sentinel(self) -> Result<RedisStore, InvalidUrl> {
        Err(InvalidUrl::Feature)
    }
}

/// Decodes what is written in percent.
fn decoded(text: &str) -> Result<String, InvalidUrl> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let byte = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or(InvalidUrl::Malformed)?);
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    String::from_utf8(bytes).map_err(|_| InvalidUrl::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_several_nodes_is_one_url_for_each() {
        let url = "Redis+Sentinel://u:p%40@a:1,b:2/sessions/3?protocol=resp3&sentinel_password=a%20b";
        let location = Location::parse(url).expect("a service");
        let nodes = ["redis://u:p%40@a:1/?protocol=resp3", "redis://u:p%40@b:2/?protocol=resp3"].map(str::to_owned);
        assert_eq!((location.kind, &*location.nodes, &*location.path), (Kind::Sentinel, &nodes[..], "sessions/3"));
        assert_eq!(location.ours("sentinel_password"), Some("a b"));
        let location = Location::parse("valkey+cluster://a:1").expect("a cluster of one");
        assert_eq!((location.kind, &*location.nodes), (Kind::Cluster, &["valkey://a:1/".to_owned()][..]));
        let location = Location::parse("valkey+unix:///run/valkey.sock?db=2").expect("a socket");
        assert_eq!((location.kind, &*location.nodes[0]), (Kind::Server, "redis+unix:///run/valkey.sock?db=2"));
    }

    #[test]
    fn a_url_that_leads_nowhere_is_refused() {
        for (url, refusal) in [
            ("redis", InvalidUrl::Scheme),
            ("http://a", InvalidUrl::Scheme),
            ("redis+x://a", InvalidUrl::Scheme),
            ("rediss+unix:///a", InvalidUrl::Scheme),
            ("redis+cluster://", InvalidUrl::Malformed),
            ("redis+cluster://a:1,", InvalidUrl::Malformed),
            ("redis://a?protocl=resp3", InvalidUrl::Malformed),
            ("redis://a?cacert=%f", InvalidUrl::Malformed),
        ] {
            assert_eq!(Location::parse(url), Err(refusal), "{url}");
        }
    }
}
