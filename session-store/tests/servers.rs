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

    let misspelt = session_store::open(&format!("{url}&name_space=x")).await;
    assert!(misspelt.is_err(), "a parameter that nobody knows was accepted");
    Ok(())
}
