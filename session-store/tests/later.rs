//! A store whose URL says `connect=later` opens without its database, and its calls work as soon as the database is there.
#![cfg(all(feature = "postgres", feature = "mysql"))]

use session_core::{Error, Scope};
use session_store::OpenError;
use std::time::{Duration, Instant};

/// Redis is not connected to before the first call in any case.
const URLS: [&str; 2] = ["postgres://u:p@127.0.0.1:1/db", "mysql://u:p@127.0.0.1:1/db"];

#[tokio::test]
async fn a_database_that_is_away_is_waited_for_only_where_the_url_says_so() {
    for url in URLS {
        let refusal = session_store::open(&format!("{url}?timeout_ms=500")).await.err();
        assert!(matches!(refusal, Some(OpenError::Store(Error::Unavailable(_)))), "{url}: {refusal:?}");
        let opened = session_store::open_closable(&format!("{url}?timeout_ms=500&connect=later")).await;
        let opened = opened.unwrap_or_else(|error| panic!("{url}: {error:?}"));
        let refusal = opened.store.count(Scope::All).await;
        assert!(matches!(refusal, Err(Error::Unavailable(_))), "{url}: {refusal:?}");
        opened.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_callers_hear_within_the_time_out() {
    // Somebody listens there and never says a word.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = silent.local_addr().expect("it has an address").port();
    let url = format!("postgres://u:p@127.0.0.1:{port}/db?timeout_ms=700&connect=later");
    let store = session_store::open(&url).await.expect("it starts without its database");
    let start = Instant::now();
    let calls = (0..500).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.count(Scope::All).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(matches!(call.await.expect("no call panics"), Err(Error::Unavailable(_))));
    }
    assert!(start.elapsed() < Duration::from_secs(5), "the last one heard after {:?}", start.elapsed());
}

#[tokio::test]
async fn what_a_retry_does_not_cure_is_told_at_once() {
    let refusal = session_store::open("postgres://h/db?connect=later&nobody_knows=this").await.err();
    assert!(matches!(refusal, Some(OpenError::UnknownParameter(_))), "{refusal:?}");
}
