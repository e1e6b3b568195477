//! What the suite needs of Redis, in commands and not through the store.
#![allow(dead_code, reason = "each of the three suites uses a part")]

use std::time::Duration;

use conformance_tests::{Damage, Need, Space, Suite};
use redis::aio::MultiplexedConnection;
use session_core::{BoxError, Clock, SessionKey};
use session_store_redis::RedisStore;

/// Makes the suite for the server that the variable names.
pub(crate) fn suite(name: &str, variable: &'static str) -> Suite {
    let Ok(url) = std::env::var(variable) else {
        return Suite::absent(name, format!("{variable} names no server; scripts/servers starts one"));
    };
    let url: &'static str = url.leak();
    let suite = Suite::new(name, move |space| open(url, space))
        .reopens()
        .spans_processes()
        .collects_garbage()
        .collects_now(move |space| collect(url, space))
        .shows_raw(move |space| raw(url, space))
        .shows_bytes(
            move |space| async move { Ok(raw(url, space).await?.into_iter().map(String::into_bytes).collect()) },
        )
        .damages(move |space, key, damage| self::damage(url, space, key, damage));
    if Location::of(url).has_lines() {
        suite.uses_lines()
    } else {
        let reason = "lines are laid to one server, or to several at ports of five digits of 127.0.0.1, without TLS";
        [Need::RoundTrips, Need::Gaps, Need::Outage].into_iter().fold(suite, |suite, need| suite.lacks(need, reason))
    }
}

async fn open(url: &str, space: Space) -> Result<RedisStore, BoxError> {
    // Where the case is about waiting, it shall not wait for long; everywhere else a busy machine shall not matter.
    let timeout = space.timeout().unwrap_or(Duration::from_secs(20));
    let url = Location::of(url).over_lines(&space).await?;
    Ok(RedisStore::open(&url).await?.with_prefix(space.namespace())?.with_clock(space.clock()).with_timeout(timeout))
}

/// An URL in its parts.
struct Location<'a> {
    scheme: &'a str,
    user: &'a str,
    hosts: Vec<&'a str>,
    path: &'a str,
}

impl<'a> Location<'a> {
    fn of(url: &'a str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = hosts.rsplit_once('@').unwrap_or(("", hosts));
        Self { scheme, user, hosts: hosts.split(',').collect(), path }
    }

    fn has_lines(&self) -> bool {
        let is_ours = |host: &&str| host.strip_prefix("127.0.0.1:").is_some_and(|port| port.len() == 5);
        !self.scheme.starts_with("rediss") && (self.scheme == "redis" || self.hosts.iter().all(is_ours))
    }

    /// Returns the URL of the same servers over lines of the space.
    async fn over_lines(self, space: &Space) -> Result<String, BoxError> {
        let Self { scheme, user, hosts, path } = &self;
        let mut servers: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        if *scheme == "redis+sentinel" {
            // Sentinels name it.
            servers.push(master(&servers[0], path).await?);
        }
        let lines =
            if self.has_lines() { space.lines_to(servers.iter().map(String::as_str)).await? } else { Vec::new() };
        let hosts = lines.get(..hosts.len()).map_or_else(|| hosts.join(","), |lines| lines.join(","));
        let at = if user.is_empty() { "" } else { "@" };
        Ok(format!("{scheme}://{user}{at}{hosts}/{path}"))
    }
}

/// Asks a sentinel where the master is.
async fn master(sentinel: &str, service: &str) -> Result<String, BoxError> {
    let client = redis::Client::open(format!("redis://{sentinel}"))?;
    let mut sentinel = client.get_multiplexed_async_connection().await?;
    let mut ask = redis::cmd("SENTINEL");
    let (host, port): (String, u16) =
        ask.arg("get-master-addr-by-name").arg(service).query_async(&mut sentinel).await?;
    Ok(format!("{host}:{port}"))
}

/// Connects to every server that holds records.
async fn masters(url: &str) -> Result<Vec<MultiplexedConnection>, BoxError> {
    let Location { scheme, hosts, path, .. } = Location::of(url);
    let mut addresses: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    if scheme == "redis+sentinel" {
        addresses = vec![master(&addresses[0], path).await?];
    }
    let mut masters = Vec::new();
    for address in addresses {
        // A node that is gone holds nothing.
        let Ok(mut node) = redis::Client::open(format!("redis://{address}"))?.get_multiplexed_async_connection().await
        else {
            continue;
        };
        let role: Vec<redis::Value> = redis::cmd("ROLE").query_async(&mut node).await?;
        if matches!(role.first(), Some(redis::Value::BulkString(role)) if role == b"master") {
            masters.push(node);
        }
    }
    Ok(masters)
}

/// Finds the keys that match a pattern.
async fn scan(node: &mut MultiplexedConnection, pattern: &str) -> Result<Vec<String>, BoxError> {
    let (mut cursor, mut keys) = (0, Vec::new());
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(10_000);
        let (next, found): (u64, Vec<String>) = scan.query_async(node).await?;
        keys.extend(found);
        if next == 0 {
            return Ok(keys);
        }
        cursor = next;
    }
}

/// The keys of the namespace with what they hold. A key without an end is an error wherever it is seen.
async fn raw(url: &str, space: Space) -> Result<Vec<String>, BoxError> {
    let mut lines = Vec::new();
    for mut node in masters(url).await? {
        for key in scan(&mut node, &format!("{}:{{*", space.namespace())).await? {
            let end: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut node).await?;
            if end == -1 {
                return Err(format!("{key} has no end").into());
            }
            let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut node).await?;
            let held: Vec<String> = match &*kind {
                "zset" => redis::cmd("ZRANGE").arg(&key).arg(0).arg(-1).query_async(&mut node).await?,
                _ => vec![redis::cmd("GET").arg(&key).query_async(&mut node).await?],
            };
            lines.push(format!("{key} {}", held.join(" ")));
        }
    }
    Ok(lines)
}

/// Removes what Redis would have removed if its clock were the case's.
async fn collect(url: &str, space: Space) -> Result<(), BoxError> {
    for mut node in masters(url).await? {
        for key in scan(&mut node, &format!("{}:{{*", space.namespace())).await? {
            let end: i64 = redis::cmd("PEXPIRETIME").arg(&key).query_async(&mut node).await?;
            if end <= space.clock().now().unix_millis() {
                redis::cmd("DEL").arg(&key).exec_async(&mut node).await?;
            }
        }
    }
    Ok(())
}

async fn damage(url: &str, space: Space, key: SessionKey, damage: Damage) -> Result<(), BoxError> {
    for mut node in masters(url).await? {
        for name in scan(&mut node, &format!("{}:{{*}}:key:{key}", space.namespace())).await? {
            let stored: String = redis::cmd("GET").arg(&name).query_async(&mut node).await?;
            let start = stored.find('{').ok_or("a record has its data at the end")?;
            let damaged = match damage {
                Damage::Data(text) => format!("{}{text}", &stored[..start]),
                Damage::Format => format!("9{}", &stored[1..]),
                other => return Err(format!("redis cannot be damaged so: {other:?}").into()),
            };
            let mut set = redis::cmd("SET");
            set.arg(&name).arg(damaged).arg("KEEPTTL").exec_async(&mut node).await?;
        }
    }
    Ok(())
}
