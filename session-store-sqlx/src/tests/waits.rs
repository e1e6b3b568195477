//! What waits: for other processes, for calls that are under way when the store is closed, and for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use session_core::{Clock, Error, ManualClock, SessionIndex, SessionStore, SystemClock, Timestamp};

use super::{Folder, HOUR, key, record};
use crate::{SqliteOptions, SqliteStore};

/// Counts how often it is asked.
#[derive(Debug)]
struct CountingClock {
    clock: ManualClock,
    asked: AtomicU32,
}

impl Clock for CountingClock {
    fn now(&self) -> Timestamp {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.clock.now()
    }
}

#[tokio::test]
async fn what_expires_while_a_write_waits_for_another_process_is_not_revived() {
    let folder = Folder::new();
    let clock = Arc::new(CountingClock { clock: ManualClock::new(SystemClock.now()), asked: AtomicU32::new(0) });
    let store = folder.store().await.with_clock(Arc::clone(&clock));
    store.create(&key("a"), &record("{}")).await.expect("a new key");
    let other = folder.pool(1).await;
    let holder = other.begin_with("BEGIN IMMEDIATE").await.expect("nobody else writes");
    let mut asked = clock.asked.load(Ordering::SeqCst);
    let touch = tokio::spawn({
        let (store, later) = (store.clone(), SystemClock.now().saturating_add(HOUR * 5));
        async move { store.touch(&key("a"), later).await }
    });
    // It asks for the time, finds the lock taken, and asks again.
    for step in [HOUR * 2, HOUR] {
        while clock.asked.load(Ordering::SeqCst) == asked && !touch.is_finished() {
            tokio::task::yield_now().await;
        }
        clock.clock.advance(step);
        asked = clock.asked.load(Ordering::SeqCst);
    }
    holder.rollback().await.expect("the lock was held");
    let touched = touch.await.expect("no task panics");
    assert!(matches!(touched, Err(Error::NotFound)), "{touched:?}");
}

#[tokio::test]
async fn a_pool_does_not_get_a_spoilt_connection_back() {
    let folder = Folder::new();
    let ours = folder.store().await;
    for number in 0..100 {
        ours.create(&key(number), &record("{}")).await.expect("a new key");
    }
    let pool = folder.pool(1).await;
    let store = SqliteStore::new(pool.clone());
    let mut connection = pool.acquire().await.expect("nobody else has it");
    // Lets a transaction begin, and ends each longer statement; then SQLite undoes the transaction by itself.
    connection.lock_handle().await.expect("it is alive").set_progress_handler(500, || false);
    drop(connection);
    let cut = store.clear().await;
    assert!(matches!(cut, Err(Error::Unavailable(_))), "{cut:?}");
    let mut connection = pool.acquire().await.expect("nobody else has it");
    connection.lock_handle().await.expect("it is alive").remove_progress_handler();
    drop(connection);
    assert_eq!(store.clear().await.expect("nothing ends it"), 100);
}

#[tokio::test]
async fn closing_waits_for_what_is_under_way_and_refuses_what_comes_later() {
    let folder = Folder::new();
    for round in 0..10 {
        let store = folder.store().await;
        let (first, last) = (key(format_args!("{round}-first")), key(format_args!("{round}-last")));
        let (record, mut log) = (record("{}"), folder.file().into_os_string());
        log.push("-wal");
        // One after the other, on the one thread of this runtime: a read and a write begin before the store is closed.
        let close = async {
            store.close().await;
            assert!(!std::path::Path::new(&log).exists(), "the file is whole");
        };
        let (read, written, (), late) =
            tokio::join!(store.load(&last), store.create(&first, &record), close, store.create(&last, &record));
        assert_eq!(read.expect("it began before"), None);
        written.expect("it began before");
        assert!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
        let late = store.create(&last, &record).await;
        assert!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
        let late = store.load(&last).await;
        assert!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
        store.close().await;
        let store = folder.store().await;
        assert!(store.load(&first).await.expect("a good file").is_some());
        assert_eq!(store.load(&last).await.expect("a good file"), None);
        store.close().await;
    }
}

#[tokio::test]
async fn a_time_may_be_as_long_as_can_be() {
    let folder = Folder::new();
    let file = folder.file();
    let options = SqliteOptions::new(file.to_str().expect("a plain path")).expect("a file");
    let store = options.with_busy_timeout(Duration::MAX).open().await.expect("a good file");
    store.setup().await.expect("the file is ours");
    assert_eq!(store.load(&key("a")).await.expect("a good file"), None);
    store.create(&key("a"), &record("{}")).await.expect("a new key");
}
