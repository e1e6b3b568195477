//! A master is killed under load: how long until calls succeed again, and what becomes of acknowledged writes.
//!
//! Run by `scripts/failover`, which starts servers of its own for it: `SESSION_FAILOVER` is what to kill, `cluster` or `sentinel`;
//! for the long test `SESSION_FAILOVER_REPLICAS` says how many replicas acknowledge a write, and `SESSION_FAILOVER_LAG` how many
//! milliseconds before the master dies the line to its replica breaks. Both tests show as ignored otherwise.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use session_core::{BoxError, Clock, Data, Record, Revision, SessionKey, SessionStore, SystemClock};
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

/// The whole of it: what becomes of the load while a master dies and comes back.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "kills its servers; run scripts/failover"]
async fn acknowledged_writes_survive() -> Result<(), BoxError> {
    let (kind, url) = named()?;
    let replicas: u32 = std::env::var("SESSION_FAILOVER_REPLICAS")?.parse()?;
    let lag = std::env::var("SESSION_FAILOVER_LAG")?.parse()?;
    let store = open(&url, replicas).await?;
    let load = Load::start(&store);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (killed, again) = kill_a_master(&kind, &url, lag).await?;
    // Where every master has one replica, the one that took over has none until the old one is back.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let _again = again.start()?;
    // Sentinel makes a replica of an old master when it has seen it for ten seconds.
    tokio::time::sleep(Duration::from_secs(18)).await;
    let Seen { answers, mut done, refused } = load.stop().await?;

    let (undone, lost, old) = compare(&store, &answers).await?;
    let before = done.iter().filter(|when| **when < killed).count();
    done.sort_unstable();
    let pause = done.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
    println!(
        "{kind}, {replicas} replicas acknowledge, lag {lag} ms: {} sessions, {before} lives before the kill and {} after; {refused} calls \
         refused; longest time without a success {} ms; logouts undone {undone}, sessions lost {lost}, updates lost {old}",
        answers.len(),
        done.len() - before,
        pause.as_millis(),
    );
    assert!(done.last().is_some_and(|last| *last > killed + Duration::from_secs(22)), "calls do not succeed again");
    assert!(replicas == 0 || (undone, lost, old) == (0, 0, 0), "a write that a replica acknowledged is gone");
    Ok(())
}

/// In a few seconds: the line to the replica breaks, the master dies, and nothing that the replica acknowledged is gone.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "kills its servers; run scripts/failover --short"]
async fn no_acknowledged_logout_is_undone() -> Result<(), BoxError> {
    let (kind, url) = named()?;
    let (careful, plain) = (open(&url, 1).await?, open(&url, 0).await?);
    let load = Load::start(&careful);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (killed, _) = kill_a_master(&kind, &url, 50).await?;
    // The one that took over has no replica that could acknowledge.
    while let Err(error) = write_everywhere(&plain).await {
        assert!(killed.elapsed() < Duration::from_secs(30), "calls do not succeed again: {error:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let pause = killed.elapsed();
    let Seen { answers, refused, .. } = load.stop().await?;
    let (undone, lost, old) = compare(&plain, &answers).await?;
    let gone = answers.values().filter(|told| **told == Told::Gone).count();
    println!(
        "{kind}: {} sessions, {gone} logouts acknowledged; calls succeed again after {} ms, {refused} were refused; \
         logouts undone {undone}, sessions lost {lost}, updates lost {old}",
        answers.len(),
        pause.as_millis()
    );
    assert!(gone > 0, "nothing was acknowledged before the master died");
    assert_eq!((undone, lost, old), (0, 0, 0), "a write that a replica acknowledged is gone");
    Ok(())
}

fn named() -> Result<(String, String), BoxError> {
    let kind = std::env::var("SESSION_FAILOVER")?;
    let url = std::env::var(format!("SESSION_TEST_REDIS_{}_URL", kind.to_uppercase()))?;
    Ok((kind, url))
}

async fn open(url: &str, replicas: u32) -> Result<RedisStore, BoxError> {
    Ok(RedisStore::open(url).await?.with_timeout(Duration::from_secs(1)).with_replicas_acknowledging(replicas))
}

/// Writes to so many keys that each master has some.
async fn write_everywhere(store: &RedisStore) -> session_core::Result<()> {
    for _ in 0..32 {
        let key: SessionKey = format!("{:016x}", Revision::fresh().number()).parse().expect("visible ascii");
        store.create(&key, &record(0)).await?;
    }
    Ok(())
}

/// Counts logouts that are undone, sessions that are lost and updates that are lost.
async fn compare(store: &RedisStore, answers: &HashMap<SessionKey, Told>) -> Result<(u32, u32, u32), BoxError> {
    let (mut undone, mut lost, mut old) = (0, 0, 0);
    for (key, told) in answers {
        let seen = store.load(key).await?.map(|(record, _)| record.data.get::<u64>("n").ok().flatten());
        match (told, seen) {
            (Told::Gone, Some(_)) => undone += 1,
            (Told::Live(_), None) => lost += 1,
            (Told::Live(n), Some(seen)) if seen < Some(*n) => old += 1,
            _ => {}
        }
    }
    Ok((undone, lost, old))
}

/// Clients that log in, write and log out.
struct Load {
    writers: Vec<tokio::task::JoinHandle<()>>,
    answers: Answers,
    is_over: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
    done: Arc<Mutex<Vec<Instant>>>,
}

/// What they were told.
struct Seen {
    answers: HashMap<SessionKey, Told>,
    /// When lives were over.
    done: Vec<Instant>,
    refused: u64,
}

impl Load {
    fn start(store: &RedisStore) -> Self {
        let (answers, is_over) = (Answers::default(), Arc::new(AtomicBool::new(false)));
        let (refused, done) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::<Instant>::new())));
        let writers = (0..WRITERS).map(|writer| {
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
        });
        Self { writers: writers.collect(), answers, is_over, refused, done }
    }

    async fn stop(self) -> Result<Seen, BoxError> {
        self.is_over.store(true, Ordering::Relaxed);
        for writer in self.writers {
            writer.await?;
        }
        let done = std::mem::take(&mut *self.done.lock().expect("no writer panics"));
        let answers = std::mem::take(&mut *self.answers.lock().expect("no writer panics"));
        Ok(Seen { answers, done, refused: self.refused.load(Ordering::Relaxed) })
    }
}

fn record(n: u64) -> Record {
    let (data, now) = (Data::parse(format!(r#"{{"n":{n}}}"#)).expect("an object"), SystemClock.now());
    Record::new(data, now, now.saturating_add(Duration::from_secs(3600))).with_owner("ada".parse().expect("an owner"))
}

/// Logs in, writes, and for two of three sessions logs out. Keeps what was acknowledged; what was refused may be so or not.
async fn life(store: &RedisStore, key: &SessionKey, answers: &Answers) -> session_core::Result<()> {
    let tell = |told| {
        answers.lock().expect("no writer panics").insert(key.clone(), told);
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
async fn kill_a_master(kind: &str, url: &str, lag: u64) -> Result<(Instant, Server), BoxError> {
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
