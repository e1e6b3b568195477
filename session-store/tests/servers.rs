//! URLs of servers open stores that work, and two openings of one URL share their sessions.
//!
//! Without its server a test is ignored; where `CI` is set, it fails.

use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use session_core::{Clock, Data, Record, SessionIndex as _, SessionKey, SessionStore as _, SystemClock};

/// The variables that name servers, and the Cargo feature of each one's store.
const SERVERS: &[(&str, bool)] = &[
    ("SESSION_TEST_POSTGRES_URL", cfg!(feature = "postgres")),
    ("SESSION_TEST_MARIADB_URL", cfg!(feature = "mysql")),
    ("SESSION_TEST_MYSQL_URL", cfg!(feature = "mysql")),
    ("SESSION_TEST_REDIS_URL", cfg!(feature = "redis")),
    ("SESSION_TEST_REDIS_CLUSTER_URL", cfg!(feature = "redis")),
    ("SESSION_TEST_REDIS_SENTINEL_URL", cfg!(feature = "redis")),
    ("SESSION_TEST_MONGO_URL", cfg!(feature = "mongodb")),
    ("SESSION_TEST_MONGO_REPLICA_URL", cfg!(feature = "mongodb")),
];

fn main() -> std::process::ExitCode {
    let trials = SERVERS.iter().filter(|(_, is_compiled_in)| *is_compiled_in).map(|(variable, _)| {
        let is_ignored = std::env::var_os(variable).is_none() && std::env::var_os("CI").is_none();
        Trial::test(*variable, || opens(variable)).with_ignored_flag(is_ignored)
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

#[tokio::main(flavor = "current_thread")]
async fn opens(variable: &str) -> Result<(), Failed> {
    let url = std::env::var(variable).map_err(|_| format!("{variable} does not name a server"))?;
    let joint = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{joint}namespace=facade_{}&timeout_ms=4000&max_data_bytes=1000", std::process::id());
    let (store, other) = (session_store::open(&url).await?, session_store::open(&url).await?);

    let (key, now) = (SessionKey::parse("k")?, SystemClock.now());
    let record = Record::new(Data::parse(r#"{"n":1}"#)?, now, now.saturating_add(Duration::from_secs(60)));
    store.create(&key, &record).await?;
    assert_eq!(other.load(&key).await?.map(|(record, _)| record), Some(record.clone()));
    let mut large = record;
    large.data = Data::parse(format!(r#"{{"n":"{}"}}"#, "x".repeat(1000)))?;
    let refusal = store.create(&SessionKey::parse("large")?, &large).await.err();
    assert!(matches!(refusal, Some(session_core::Error::TooLarge { limit: 1000, .. })), "{refusal:?}");
    assert_eq!(other.clear().await?, 1);

    // What another process has set up is verified; what nobody has is not made.
    session_store::open(&format!("{url}&setup=verify")).await?;
    let absent = session_store::open(&format!("{url}&setup=verify").replace("facade_", "absent_")).await;
    assert!(absent.is_err(), "what is not there was verified");

    let capitals = url[..4].to_uppercase() + &url[4..];
    assert_eq!(session_store::open(&capitals).await?.clear().await?, 0);

    let misspelt = session_store::open(&format!("{url}&name_space=x")).await;
    assert!(misspelt.is_err(), "a parameter that nobody knows was accepted");
    appears_later(&url).await
}

/// Started without its database, a store works as soon as it is there. Here the way to one server leads over a port that opens late.
async fn appears_later(url: &str) -> Result<(), Failed> {
    let (before, rest) = url.split_once("127.0.0.1:").ok_or("the server is not on this machine")?;
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    if rest.contains("127.0.0.1:") || url.contains("cluster") || url.contains("sentinel") {
        return Ok(()); // Their servers name themselves.
    }
    let late = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
    let url = format!("{before}127.0.0.1:{late}{}&connect=later", &rest[port.len()..])
        .replace("timeout_ms=4000", "timeout_ms=1000");
    let store = session_store::open(&url).await?;
    assert!(store.clear().await.is_err(), "nobody listens there");

    let listener = tokio::net::TcpListener::bind(("127.0.0.1", late)).await?;
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let address = format!("127.0.0.1:{port}");
            tokio::spawn(async move {
                let mut far = tokio::net::TcpStream::connect(address).await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    for _ in 0..20 {
        if store.clear().await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("the database is there, and the store does not find it".into())
}
