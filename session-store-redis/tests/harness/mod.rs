//! What the suite needs of Redis, in commands and not through the store.
#![allow(dead_code, reason = "each of the three suites uses a part")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use conformance_tests::{Damage, Outage, Proxy, Space, Suite};
use redis::aio::MultiplexedConnection;
use session_core::{BoxError, SessionKey};
use session_store_redis::RedisStore;
use tokio::sync::Mutex;

/// Makes the suite for the server that the variable names.
pub(crate) fn suite(name: &str, variable: &'static str) -> Suite {
    let Ok(url) = std::env::var(variable) else {
        return Suite::absent(name, format!("{variable} names no server; scripts/servers starts one"));
    };
    let url: &'static str = url.leak();
    Suite::new(name, move |space| open(url, space))
        .reopens()
        .spans_processes()
        .collects_garbage()
        .shows_raw(move |space| raw(url, space))
        .damages(move |space, key, damage| self::damage(url, space, key, damage))
}

async fn open(url: &str, space: Space) -> Result<RedisStore, BoxError> {
    let is_cut = space.namespace().starts_with("ct_outage");
    let url = match url.split_once("://") {
        Some(("redis", rest)) => {
            let (target, rest) = rest.split_once('/').unwrap_or((rest, ""));
            let (user, target) =
                target.rsplit_once('@').map_or((String::new(), target), |(user, target)| (format!("{user}@"), target));
            format!("redis://{user}{}/{rest}", line_of(&space, target).await?.address())
        }
        _ => url.to_owned(),
    };
    // Where the case is about waiting, it shall not wait for long; everywhere else a busy machine shall not matter.
    let timeout = Duration::from_millis(if is_cut { 500 } else { 20_000 });
    Ok(RedisStore::open(&url).await?.with_prefix(space.namespace())?.with_clock(space.clock()).with_timeout(timeout))
}

/// The lines of the namespaces, each with its own count.
static LINES: Mutex<Option<HashMap<String, Arc<Proxy>>>> = Mutex::const_new(None);

async fn line_of(space: &Space, target: &str) -> Result<Arc<Proxy>, BoxError> {
    let mut lines = LINES.lock().await;
    let lines = lines.get_or_insert_default();
    if let Some(line) = lines.get(space.namespace()) {
        return Ok(Arc::clone(line));
    }
    let line = Arc::new(Proxy::open(target).await?);
    lines.insert(space.namespace().to_owned(), Arc::clone(&line));
    Ok(line)
}

async fn opened(space: &Space) -> Result<Arc<Proxy>, BoxError> {
    let lines = LINES.lock().await;
    let line = lines.as_ref().and_then(|lines| lines.get(space.namespace()));
    line.cloned().ok_or_else(|| "the namespace was never opened".into())
}

pub(crate) async fn round_trips(space: Space) -> Result<u64, BoxError> {
    Ok(opened(&space).await?.round_trips())
}

/// Away in two ways: one case finds a server that answers nothing, the other one that is gone.
pub(crate) async fn outage(space: Space, outage: Outage) -> Result<(), BoxError> {
    let line = opened(&space).await?;
    match outage {
        Outage::Begin if space.namespace().starts_with("ct_outage_01") => line.silence(),
        Outage::Begin => line.cut(),
        _ => line.mend(),
    }
    Ok(())
}

/// Connects to every server that holds records.
async fn masters(url: &str) -> Result<Vec<MultiplexedConnection>, BoxError> {
    let (scheme, rest) = url.split_once("://").ok_or("an URL has a scheme")?;
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut addresses: Vec<String> = hosts.split(',').map(str::to_owned).collect();
    if scheme == "redis+sentinel" {
        let client = redis::Client::open(format!("redis://{}", addresses[0]))?;
        let mut sentinel = client.get_multiplexed_async_connection().await?;
        let mut ask = redis::cmd("SENTINEL");
        let (host, port): (String, u16) =
            ask.arg("get-master-addr-by-name").arg(path).query_async(&mut sentinel).await?;
        addresses = vec![format!("{host}:{port}")];
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

async fn damage(url: &str, space: Space, key: SessionKey, damage: Damage) -> Result<(), BoxError> {
    for mut node in masters(url).await? {
        for name in scan(&mut node, &format!("{}:{{*}}:key:{key}", space.namespace())).await? {
            let stored: String = redis::cmd("GET").arg(&name).query_async(&mut node).await?;
            let (line, _) = stored.split_once('\n').ok_or("a record has a line before its data")?;
            let damaged = match damage {
                Damage::Data(text) => format!("{line}\n{text}"),
                Damage::Format => format!("9{}", &stored[1..]),
                other => return Err(format!("redis cannot be damaged so: {other:?}").into()),
            };
            let mut set = redis::cmd("SET");
            set.arg(&name).arg(damaged).arg("KEEPTTL").exec_async(&mut node).await?;
        }
    }
    Ok(())
}
