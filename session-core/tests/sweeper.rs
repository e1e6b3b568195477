//! The sweeper on a real store, with a timer that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use session_core::{Clock, Data, ManualClock, Record, SessionKey, SessionStore, Sweeper, SystemClock};
use session_store_memory::MemoryStore;
use tokio::sync::Notify;

const LIFETIME: Duration = Duration::from_secs(60);

async fn store_of(count: u32) -> (MemoryStore, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let store = MemoryStore::new().with_clock(clock.clone());
    let record = Record::new(Data::empty(), clock.now(), clock.now().saturating_add(LIFETIME));
    for number in 0..count {
        let key = SessionKey::parse(&format!("k-{number}")).expect("the test's key is a key");
        store.create(&key, &record).await.expect("the key is new");
    }
    (store, clock)
}

#[tokio::test]
async fn a_pass_removes_what_is_expired_in_batches() {
    let (store, clock) = store_of(25).await;
    let sweeper = Sweeper::new(store.clone()).with_batch(10);
    let nothing = sweeper.pass().await.expect("memory does not fail");
    assert_eq!((nothing.removed, nothing.batches), (0, 1));
    clock.advance(LIFETIME);
    let all = sweeper.pass().await.expect("memory does not fail");
    assert_eq!((all.removed, all.batches), (25, 3));
}

#[tokio::test]
async fn a_report_is_an_object_for_serde_with_its_time_in_milliseconds() {
    let (store, _) = store_of(0).await;
    let mut report = Sweeper::new(store).pass().await.expect("memory does not fail");
    report.elapsed = Duration::from_micros(12_900);
    let text = serde_json::to_string(&report).expect("numbers are JSON");
    assert_eq!(text, r#"{"removed":0,"batches":1,"elapsed_ms":12}"#);
}

#[tokio::test]
async fn it_passes_after_every_pause_reports_and_stops_when_told() {
    let (store, clock) = store_of(3).await;
    clock.advance(LIFETIME);
    let (tick, stop, reported) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let pauses = Arc::new(std::sync::Mutex::new(Vec::new()));
    let removed = Arc::new(AtomicU32::new(0));
    let sleep = {
        let (tick, pauses) = (tick.clone(), pauses.clone());
        move |pause| {
            let tick = tick.clone();
            pauses.lock().expect("nobody panics with it").push(pause);
            async move { tick.notified().await }
        }
    };
    let told = stop.clone();
    let task = tokio::spawn({
        let (removed, reported) = (removed.clone(), reported.clone());
        Sweeper::new(store).with_interval(Duration::from_secs(100)).run(
            sleep,
            async move { told.notified().await },
            move |outcome| {
                let report = outcome.expect("memory does not fail");
                removed.fetch_add(u32::try_from(report.removed).unwrap_or(u32::MAX), Ordering::SeqCst);
                reported.notify_one();
            },
        )
    });
    for _ in 0..2 {
        tick.notify_one();
        reported.notified().await;
    }
    assert_eq!(removed.load(Ordering::SeqCst), 3);
    stop.notify_one();
    task.await.expect("the sweeper ends without a panic");
    let pauses = pauses.lock().expect("nobody panics with it");
    assert!(pauses.len() >= 2 && pauses.iter().all(|pause| (50..=150).contains(&pause.as_secs())), "{pauses:?}");
}

#[tokio::test]
async fn the_longest_interval_has_a_pause() {
    let (store, _) = store_of(0).await;
    // Half of all pauses are longer than the interval.
    for _ in 0..64 {
        let pauses = std::sync::Mutex::new(Vec::new());
        let sleep = |pause| {
            pauses.lock().expect("nobody panics with it").push(pause);
            std::future::pending::<()>()
        };
        Sweeper::new(store.clone()).with_interval(Duration::MAX).run(sleep, async {}, |_| {}).await;
        let pauses = pauses.into_inner().expect("nobody panicked with it");
        assert!(pauses.len() == 1 && pauses[0] >= Duration::MAX / 2, "{pauses:?}");
    }
}
