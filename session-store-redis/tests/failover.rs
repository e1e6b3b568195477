//! A master is killed under load: how long until calls succeed again, and what becomes of acknowledged writes.
//!
//! Run by `scripts/failover`, which starts servers of its own for it: `SESSION_FAILOVER` is what to kill, `cluster` or `sentinel`, and
//! `SESSION_FAILOVER_REPLICAS` how many replicas acknowledge a write,
//! `SESSION_FAILOVER_LAG` how many milliseconds before the master dies the line to its replica breaks. Without the variable the test shows as ignored.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use session_core::{BoxError, Clock, Data, Record, SessionKey, SessionStore, SystemClock};
use session_store_redis::RedisStore;

const WRITERS: usize = 16;

/// What a client was told last about a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// It was created or updated, with this number in its data.
    Live(u64),
    /// It was logged out.
    Gone,
}

type Answers = Arc<Mutex<HashMap<SessionKey, Told>>>;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "kills its servers; run scripts/failover"]
async fn acknowledged_writes_survive() -> Result<(), BoxError> {
    let kind = std::env::var("SESSION_FAILOVER")?;
    let replicas: u32 = std::env::var("SESSION_FAILOVER_REPLICAS")?.parse()?;
    let url = std::env::var(format!("SESSION_TEST_REDIS_{}_URL", kind.to_uppercase()))?;
    let store =
        RedisStore::open(&url).await?.with_timeout(Duration::from_secs(1)).with_replicas_acknowledging(replicas);
    let (answers, is_over) = (Answers::default(), Arc::new(AtomicBool::new(false)));
    let (refused, done) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::<Instant>::new())));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, answers, is_over) = (store.clone(), Arc::clone(&answers), Arc::clone(&is_over));
            let (refused, done) = (Arc::clone(&refused), Arc::clone(&done));
            tokio::spawn(async move {
                let mut session = 0;
                while !is_over.load(Ordering::Relaxed) {
                    session += 1;
                    let key: SessionKey = format!("{writer}-{session}").parse().expect("visible ascii");
                    match life(&store, &key, &answers).await {
                        Ok(()) => done.lock().expect("no writer panics").push(Instant::now()),
                        Err(session_core::Error::Unavailable(_)) => {
                            refused.fetch_add(1, Ordering::Relaxed);
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                        Err(error) => panic!("neither success nor an outage: {error:?}"),
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (killed, again) = kill_a_master(&kind, &url).await?;
    // Where every master has one replica, the one that took over has none until the old one is back.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let _again = again.start()?;
    // Sentinel makes a replica of an old master when it has seen it for ten seconds.
    tokio::time::sleep(Duration::from_secs(18)).await;
    is_over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await?;
    }

    let done = std::mem::take(&mut *done.lock().expect("no writer panics"));
    let answers = std::mem::take(&mut *answers.lock().expect("no writer panics"));
    let (mut undone, mut lost, mut old) = (0, 0, 0);
    for (key, told) in &answers {
        let seen = store.load(key).await?.map(|(record, _)| record.data.get::<u64>("n").ok().flatten());
        match (told, seen) {
            (Told::Gone, Some(_)) => undone += 1,
            (Told::Live(_), None) => lost += 1,
            (Told::Live(n), Some(seen)) if seen < Some(*n) => old += 1,
            _ => {}
        }
    }
    let before = done.iter().filter(|when| **when < killed).count();
    let mut instants: Vec<Instant> = done;
    instants.sort_unstable();
    let pause = instants.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
    println!(
        "{kind}, {replicas} replicas acknowledge, lag {} ms: {} sessions, {before} lives before the kill and {} after; {} calls refused; \
         longest time without a success {} ms; logouts undone {undone}, sessions lost {lost}, updates lost {old}",
        std::env::var("SESSION_FAILOVER_LAG").unwrap_or_else(|_| "0".into()),
        answers.len(),
        instants.len() - before,
        refused.load(Ordering::Relaxed),
        pause.as_millis(),
    );
    assert!(instants.last().is_some_and(|last| *last > killed + Duration::from_secs(22)), "calls do not succeed again");
    assert!(replicas == 0 || (undone, lost, old) == (0, 0, 0), "a write that a replica acknowledged is gone");
    Ok(())
}

/// Logs in, writes, and for two of three sessions logs out. Keeps what was acknowledged; what was refused may be so or not.
async fn life(store: &RedisStore, key: &SessionKey, answers: &Answers) -> session_core::Result<()> {
    let tell = |told| {
        answers.lock().expect("no writer panics").insert(key.clone(), told);
    };
    let now = SystemClock.now();
    let record = |n: u64| {
        let data = Data::parse(format!(r#"{{"n":{n}}}"#)).expect("an object");
        Record::new(data, now, now.saturating_add(Duration::from_secs(3600)))
            .with_owner("ada".parse().expect("an owner"))
    };
    let revision = store.create(key, &record(1)).await?;
    tell(Told::Live(1));
    match store.update(key, revision, &record(2)).await {
        // The master that took over does not know the session.
        Err(session_core::Error::NotFound | session_core::Error::Conflict) => return Ok(()),
        answer => answer?,
    };
    tell(Told::Live(2));
    if key.as_str().ends_with('7') {
        return Ok(());
    }
    // Until it is answered, both are right.
    answers.lock().expect("no writer panics").remove(key);
    store.delete(key).await?;
    tell(Told::Gone);
    Ok(())
}

/// The settings of a server that was killed.
struct Server(HashMap<String, String>);

/// A server that was started again; it ends with the test.
struct Running(Child);

impl Server {
    fn start(&self) -> Result<Running, BoxError> {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]).stdout(Stdio::null());
        let names = ["port", "dir", "cluster-enabled", "cluster-port", "cluster-config-file", "cluster-node-timeout"];
        for name in names {
            command.arg(format!("--{name}")).arg(self.0.get(name).ok_or("redis tells its settings")?);
        }
        Ok(Running(command.spawn()?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop((self.0.kill(), self.0.wait()));
    }
}

/// Kills the process of a master, as the out-of-memory killer does.
async fn kill_a_master(kind: &str, url: &str) -> Result<(Instant, Server), BoxError> {
    let (_, rest) = url.split_once("://").ok_or("an URL has a scheme")?;
    let (hosts, service) = rest.split_once('/').unwrap_or((rest, ""));
    let first = hosts.split(',').next().unwrap_or_default();
    let mut node = connect(first).await?;
    if kind == "sentinel" {
        let mut ask = redis::cmd("SENTINEL");
        let (host, port): (String, u16) =
            ask.arg("get-master-addr-by-name").arg(service).query_async(&mut node).await?;
        node = connect(&format!("{host}:{port}")).await?;
    }
    let info: String = redis::cmd("INFO").arg("server").query_async(&mut node).await?;
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).ok_or("redis tells its process")?;
    let settings: HashMap<String, String> =
        redis::cmd("CONFIG").arg("GET").arg(&["port", "dir", "cluster-*"]).query_async(&mut node).await?;
    // The line to its replica breaks some time before the master dies.
    let lag = std::env::var("SESSION_FAILOVER_LAG").unwrap_or_default().parse().unwrap_or(0);
    let replication: String = redis::cmd("INFO").arg("replication").query_async(&mut node).await?;
    let field = |name| replication.split(['\r', ',', ':']).find_map(|field| field.strip_prefix(name));
    let port = field("port=").ok_or("the master has a replica")?;
    let info: String =
        redis::cmd("INFO").arg("server").query_async(&mut connect(&format!("127.0.0.1:{port}")).await?).await?;
    let replica = info.lines().find_map(|line| line.strip_prefix("process_id:")).ok_or("redis tells its process")?;
    if lag > 0 {
        Command::new("kill").args(["-STOP", replica.trim()]).status()?;
        redis::cmd("CLIENT").arg(&["KILL", "TYPE", "replica"]).exec_async(&mut node).await?;
        tokio::time::sleep(Duration::from_millis(lag)).await;
    }
    let killed = Instant::now();
    Command::new("kill").args(["-KILL", pid.trim()]).status()?;
    Command::new("kill").args(["-CONT", replica.trim()]).status()?;
    Ok((killed, Server(settings)))
}

async fn connect(address: &str) -> Result<MultiplexedConnection, BoxError> {
    Ok(redis::Client::open(format!("redis://{address}"))?.get_multiplexed_async_connection().await?)
}
