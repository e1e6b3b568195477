//! Servers that are full, far away, set up oddly or behind TLS; connections that break in every way; callers on several runtimes.
//!
//! Each test starts the servers that it needs with the `redis-server` on the path.

mod server;
mod tls;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use session_core::{
    BoxError, Clock, Data, Error, LayoutError, Record, Scope, SessionIndex, SessionKey, SessionStore, SystemClock,
};
use session_store_redis::RedisStore;

use crate::server::{Server, Weather, line_to};

fn main() -> ExitCode {
    let trials = vec![
        trial("with memory full, what ends sessions and touches works", memory_is_full),
        trial("setup refuses a server that drops what it is to keep, and another layout", setups),
        trial("a socket is a server like any other", socket),
        trial("a wrong password is no outage, and is not told", passwords),
        trial("a server that is not there is told in words", absent),
        trial("every call after a pause succeeds where the server dropped the connection", dropped),
        trial("a call after a pause finds out soon that its connection is forgotten", forgotten),
        trial("a greeting that is slower than the time-out does not keep calls away for ever", slow_greeting),
        trial("a create that broke is not sent again", broken_create),
        trial("a runtime that stands still holds nobody else up", runtimes),
        trial("what a replica does not have is not acknowledged, though nothing was left to write", nothing_to_write),
        trial("what is long comes in steps", steps),
        trial("a server behind TLS, with a certificate of one's own and without", tls::server),
        trial("Sentinel with users, passwords and TLS", tls::sentinel),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test with servers of its own. Without the program it is ignored, and in CI it fails.
fn trial<F>(name: &str, test: fn() -> F) -> Trial
where
    F: Future<Output = Result<(), BoxError>> + 'static,
{
    let has_server = std::process::Command::new("redis-server").arg("--version").output().is_ok();
    let run = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(test()).map_err(|error| Failed::from(format!("{error:?}")))
    };
    let trial = Trial::test(name, run).with_kind("redis-server");
    trial.with_ignored_flag(!has_server && std::env::var_os("CI").is_none())
}

fn check(is_so: bool, otherwise: impl FnOnce() -> String) -> Result<(), BoxError> {
    if is_so { Ok(()) } else { Err(otherwise().into()) }
}

fn key(number: usize) -> SessionKey {
    format!("key-{number}").parse().unwrap_or_else(|_| unreachable!("letters, digits and a hyphen make a key"))
}

fn record() -> Result<Record, BoxError> {
    let now = SystemClock.now();
    Ok(Record::new(Data::parse("{}")?, now, now.saturating_add(Duration::from_secs(3600))).with_owner("ada".parse()?))
}

/// An error with all its causes, as a log has it.
fn words(error: &Error) -> String {
    let mut words = format!("{error} {error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words = format!("{words} {error} {error:?}");
        cause = error.source();
    }
    words
}

async fn memory_is_full() -> Result<(), BoxError> {
    let mut server = Server::start(&[]).await?;
    let store = RedisStore::open(&server.url()).await?;
    for number in 0..20 {
        store.create(&key(number), &record()?).await?;
    }
    server.tell(&["CONFIG", "SET", "maxmemory", "1"]).await?;
    let refused = store.create(&key(100), &record()?).await;
    check(matches!(&refused, Err(error @ Error::Unavailable(_)) if words(error).contains("memory is full")), || {
        format!("a create: {refused:?}")
    })?;
    let later = SystemClock.now().saturating_add(Duration::from_secs(7200));
    store.touch(&key(0), later).await?;
    check(store.delete(&key(1)).await?, || "nothing was deleted".into())?;
    store.delete_expired(10).await?;
    check(store.count(Scope::All).await? == 19, || "19 are left".into())?;
    check(store.delete_owned(&"ada".parse()?, Some(&key(2))).await? == 18, || "18 end".into())?;
    check(store.clear().await? == 1, || "the last one is cleared".into())?;
    server.tell(&["CONFIG", "SET", "maxmemory", "0"]).await?;
    store.create(&key(100), &record()?).await?;
    Ok(())
}

async fn setups() -> Result<(), BoxError> {
    let mut server = Server::start(&["--maxmemory", "100mb"]).await?;
    let store = RedisStore::open(&server.url()).await?;
    let absent = store.verify().await;
    let why = |answer: &session_core::Result<()>| answer.as_ref().err().and_then(|error| error.layout().cloned());
    check(why(&absent) == Some(LayoutError::Absent), || format!("{absent:?}"))?;
    store.setup().await?;
    store.setup().await?;
    store.verify().await?;
    server.tell(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await?;
    let dropping = store.setup().await;
    check(matches!(why(&dropping), Some(LayoutError::Incomplete { .. })), || format!("{dropping:?}"))?;
    server.tell(&["SET", "sessions:{one}:layout", "9"]).await?;
    let newer = store.setup().await;
    check(matches!(why(&newer), Some(LayoutError::Newer { found: 9, .. })), || format!("{newer:?}"))
}

async fn socket() -> Result<(), BoxError> {
    let server = Server::start(&[]).await?;
    for scheme in ["redis+unix", "Valkey+Unix", "unix"] {
        let store = RedisStore::open(&format!("{scheme}://{}?db=3", server.folder.join("socket").display())).await?;
        store.create(&key(0), &record()?).await?;
        check(store.delete(&key(0)).await?, || format!("{scheme} has lost it"))?;
    }
    Ok(())
}

async fn passwords() -> Result<(), BoxError> {
    let mut server = Server::start(&[]).await?;
    server.tell(&["ACL", "SETUSER", "shop", "on", ">pa:ss/w?rd#%@", "~*", "+@all"]).await?;
    server.tell(&["ACL", "SETUSER", "poor", "on", ">poor", "~*", "+get"]).await?;
    server.tell(&["CONFIG", "SET", "requirepass", "hidden"]).await?;
    let at = format!("127.0.0.1:{}", server.port);
    let store = RedisStore::open(&format!("redis://shop:pa%3Ass%2Fw%3Frd%23%25%40@{at}")).await?;
    store.create(&key(0), &record()?).await?;
    for (url, wanted) in [
        (format!("redis://shop:wrong-word@{at}"), "password"),
        (format!("redis://{at}"), "NOAUTH"),
        (format!("redis+cluster://:wrong-word@{at}"), "password"),
        (format!("redis://poor:poor@{at}/0"), "NOPERM"),
        (format!("redis://:hidden@{at}/99"), "redis"),
    ] {
        let store = RedisStore::open(&url).await?;
        let refused = store.delete(&key(0)).await;
        let is_right = matches!(&refused, Err(error @ Error::Backend(_))
            if words(error).contains(wanted) && !words(error).contains("wrong-word") && !words(error).contains("key-0"));
        check(is_right, || format!("{url}: {refused:?}"))?;
    }
    // Not escaped, a password is not what was meant. It is not told either.
    for url in ["redis://u:se?cret@127.0.0.1:1", "redis://u:se#cret@127.0.0.1:1", "redis://u:se/cret@127.0.0.1:1"] {
        match RedisStore::open(url).await {
            Err(error) => check(!words(&error).contains("cret"), || words(&error))?,
            Ok(store) => check(!format!("{store:?}").contains("cret"), || format!("{store:?}"))?,
        }
    }
    Ok(())
}

async fn absent() -> Result<(), BoxError> {
    for (url, wanted) in [
        ("redis://127.0.0.1:1", "refused"),
        ("redis+cluster://127.0.0.1:1", "refused"),
        ("redis+sentinel://127.0.0.1:1/main", "refused"),
        ("redis://nobody.invalid", "lookup"),
    ] {
        let refused = RedisStore::open(url).await?.with_timeout(Duration::from_secs(20)).load(&key(0)).await;
        check(matches!(&refused, Err(error @ Error::Unavailable(_)) if words(error).contains(wanted)), || {
            format!("{url}: {refused:?}")
        })?;
    }
    Ok(())
}

async fn dropped() -> Result<(), BoxError> {
    let mut server = Server::start(&[]).await?;
    let store = RedisStore::open(&server.url()).await?;
    for round in 0..4 {
        store.create(&key(0), &record()?).await?;
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        server.tell(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await?;
        let answer = match round {
            0 => store.delete(&key(0)).await.map(u64::from),
            1 => store.delete_owned(&"ada".parse()?, None).await,
            2 => store.clear().await,
            _ => store.delete_expired(1).await.map(|_| 1),
        };
        check(matches!(answer, Ok(1)), || format!("call {round}: {answer:?}"))?;
    }
    Ok(())
}

async fn forgotten() -> Result<(), BoxError> {
    let (server, weather) = (Server::start(&[]).await?, Arc::new(Weather::default()));
    let port = line_to(server.port, Arc::clone(&weather)).await?;
    let store = RedisStore::open(&format!("redis://127.0.0.1:{port}")).await?;
    store.create(&key(0), &record()?).await?;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    weather.forget();
    let start = Instant::now();
    let deleted = store.delete(&key(0)).await;
    check(matches!(deleted, Ok(true)), || format!("{deleted:?}"))?;
    check(start.elapsed() < Duration::from_secs(4), || format!("it took {:?}", start.elapsed()))
}

async fn slow_greeting() -> Result<(), BoxError> {
    let (server, weather) = (Server::start(&[]).await?, Arc::new(Weather::default()));
    weather.greets_after.store(1_500, Ordering::Relaxed);
    let port = line_to(server.port, weather).await?;
    let url = format!("redis://127.0.0.1:{port}");
    let store = RedisStore::open(&url).await?.with_timeout(Duration::from_millis(400));
    let start = Instant::now();
    while let Err(error) = store.load(&key(0)).await {
        check(matches!(error, Error::Unavailable(_)), || format!("{error:?}"))?;
        check(start.elapsed() < Duration::from_secs(9), || "no call succeeds".into())?;
    }
    Ok(())
}

async fn broken_create() -> Result<(), BoxError> {
    let (mut server, weather) = (Server::start(&[]).await?, Arc::new(Weather::default()));
    let port = line_to(server.port, Arc::clone(&weather)).await?;
    let store = RedisStore::open(&format!("redis://127.0.0.1:{port}")).await?;
    // From now on the server knows the script.
    store.create(&key(0), &record()?).await?;
    let before = server.scripts().await?;
    weather.is_cut.store(true, Ordering::Relaxed);
    let created = store.create(&key(1), &record()?).await;
    check(matches!(created, Err(Error::Unavailable(_))), || format!("{created:?}"))?;
    let sent = server.scripts().await? - before;
    check(sent == 1, || format!("it was sent {sent} times"))?;
    // What knows itself again is sent again.
    store.load(&key(0)).await?;
    weather.is_cut.store(true, Ordering::Relaxed);
    store.touch(&key(1), SystemClock.now().saturating_add(Duration::from_secs(7200))).await?;
    Ok(())
}

async fn runtimes() -> Result<(), BoxError> {
    let server = Server::start(&[]).await?;
    let store = RedisStore::open(&server.url()).await?;
    let first = store.clone();
    // It makes its call, and is never polled again; then it ends.
    let still = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(first.load(&key(0))).map_err(std::io::Error::other)?;
        Ok::<_, std::io::Error>(runtime)
    })
    .await??;
    for _ in 0..2 {
        let start = Instant::now();
        store.create(&key(0), &record()?).await?;
        store.delete(&key(0)).await?;
        check(start.elapsed() < Duration::from_secs(3), || format!("it took {:?}", start.elapsed()))?;
    }
    still.shutdown_background();
    store.load(&key(0)).await?;
    Ok(())
}

async fn nothing_to_write() -> Result<(), BoxError> {
    let master = Server::start(&["--repl-diskless-sync-delay", "0"]).await?;
    let port = master.port.to_string();
    let replica = Server::start(&["--replicaof", "127.0.0.1", &port]).await?;
    let start = Instant::now();
    let plain = RedisStore::open(&master.url()).await?;
    let careful = plain.clone().with_replicas_acknowledging(1);
    while careful.create(&key(0), &record()?).await.is_err() {
        drop(plain.delete(&key(0)).await);
        check(start.elapsed() < Duration::from_secs(30), || "the replica does not acknowledge".into())?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The connection that will ask has written before, and that has been acknowledged.
    careful.touch(&key(0), SystemClock.now().saturating_add(Duration::from_secs(7200))).await?;
    // The replica stands still from now on; what it has acknowledged stays acknowledged.
    replica.stop()?;
    let other = RedisStore::open(&master.url()).await?;
    check(other.delete(&key(0)).await?, || "it was there".into())?;
    let again = careful.delete(&key(0)).await;
    check(matches!(again, Err(Error::Unavailable(_))), || format!("a logout that no replica has: {again:?}"))
}

async fn steps() -> Result<(), BoxError> {
    const SESSIONS: usize = 5_000;
    let mut server = Server::start(&[]).await?;
    let clock = Arc::new(session_core::ManualClock::new(SystemClock.now()));
    let store = RedisStore::open(&server.url()).await?.with_clock(Arc::clone(&clock));
    let fill = async || {
        for numbers in (0..SESSIONS).collect::<Vec<_>>().chunks(250) {
            let created = numbers.iter().map(|number| {
                let store = &store;
                async move { store.create(&key(*number), &record().map_err(Error::backend)?).await }
            });
            futures_util::future::try_join_all(created).await?;
        }
        Ok::<_, Error>(())
    };
    for (call, least) in [("delete_owned", 10), ("clear", 10), ("a sweep", 10)] {
        fill().await?;
        let before = server.scripts().await?;
        let ended = match call {
            "delete_owned" => store.delete_owned(&"ada".parse()?, None).await?,
            "clear" => store.clear().await?,
            _ => {
                clock.advance(Duration::from_secs(3601));
                u64::from(store.delete_expired(u32::MAX).await?)
            }
        };
        let scripts = server.scripts().await? - before;
        check(ended == SESSIONS as u64, || format!("{call}: {ended}"))?;
        check((least..40).contains(&scripts), || format!("{call} made {scripts} steps"))?;
        clock.set(SystemClock.now());
    }
    Ok(())
}
