//! What is this store's own: that its three orders agree, and that its locks neither deadlock nor stay poisoned.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use session_core::{
    Clock, Data, ManualClock, OwnerId, Page, Record, Scope, SessionIndex, SessionKey, SessionStore, Timestamp,
};

use crate::MemoryStore;

mod sweep;
mod turns;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis).expect("the test's times are in range")
}

fn key(name: impl std::fmt::Display) -> SessionKey {
    SessionKey::parse(&format!("key-{name}")).expect("the test's names make keys")
}

fn owner(name: &str) -> OwnerId {
    OwnerId::parse(name).expect("the test's names make owners")
}

fn record(expires_at: i64) -> Record {
    Record::new(Data::empty(), at(0), at(expires_at))
}

fn store() -> (MemoryStore, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(at(1000)));
    (MemoryStore::new().with_clock(Arc::clone(&clock)), clock)
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future);
}

/// How many entries there are in all: records, by expiry, by owner.
fn sizes(store: &MemoryStore) -> [usize; 3] {
    let usage = store.usage();
    [usage.records, usage.expiries, usage.owned]
}

#[tokio::test]
async fn the_orders_hold_one_entry_per_record_whatever_happened_to_it() {
    let (store, clock) = store();
    let owned = |expires_at| record(expires_at).with_owner(owner("ada"));
    for number in 0..100 {
        store.create(&key(number), &owned(2000)).await.expect("a new key");
    }
    assert_eq!(sizes(&store), [100, 100, 100]);
    for number in 0..100 {
        let (_, revision) = store.load(&key(number)).await.expect("memory answers").expect("it is live");
        match number % 5 {
            0 => drop(store.update(&key(number), revision, &record(3000)).await.expect("the revision is right")),
            1 => store.touch(&key(number), at(3000)).await.expect("it is live"),
            2 => {
                let new = key(format_args!("new-{number}"));
                store.rotate(&key(number), revision, &new, &owned(3000)).await.expect("the revision is right");
            }
            3 => assert!(store.delete(&key(number)).await.expect("memory answers")),
            _ => {}
        }
    }
    assert_eq!(sizes(&store), [80, 80, 60]);
    clock.set(at(2000));
    assert_eq!(store.delete_expired(u32::MAX).await.expect("memory answers"), 20);
    assert_eq!(sizes(&store), [60, 60, 40]);
    // A create over an expired record replaces its entries in both orders.
    clock.set(at(3000));
    for number in (0..100).step_by(5) {
        store.create(&key(number), &owned(4000)).await.expect("the old record has expired");
    }
    assert_eq!(sizes(&store), [60, 60, 60]);
    assert_eq!(store.delete_owned(&owner("ada"), None).await.expect("memory answers"), 20);
    assert_eq!(sizes(&store), [0, 0, 0]);
}

#[tokio::test]
async fn pages_show_every_session_once_across_all_shards() {
    let (store, _) = store();
    let mut expected: Vec<SessionKey> = (0..500).map(key).collect();
    for (number, key) in expected.iter().enumerate() {
        let name = if number % 2 == 0 { "ada" } else { "bob" };
        store.create(key, &record(2000).with_owner(owner(name))).await.expect("a new key");
    }
    for limit in [1, 7, 499, 500, 501] {
        let mut shown = Vec::new();
        let mut page = Page::first(limit);
        loop {
            let listing = store.list(Scope::All, &page).await.expect("memory answers");
            assert!(listing.sessions.len() <= limit as usize);
            shown.extend(listing.sessions.into_iter().map(|session| session.key));
            let Some(next) = listing.next else { break };
            page = Page::first(limit).after(next);
        }
        shown.sort();
        expected.sort();
        assert_eq!(shown, expected, "{limit} at a time");
    }
    // "ad" and "adb" are the neighbours of an owner in the order that their sessions are found by.
    assert_eq!(store.count(Scope::Owner(&owner("ad"))).await.expect("memory answers"), 0);
    assert_eq!(store.count(Scope::Owner(&owner("bob"))).await.expect("memory answers"), 250);
}

#[test]
fn rotations_in_both_directions_do_not_wait_for_each_other() {
    let (store, _) = store();
    std::thread::scope(|threads| {
        for thread in 0..4 {
            let store = store.clone();
            threads.spawn(move || {
                block_on(async {
                    let names = |step: u32| [key(format_args!("{thread}-{step}")), key(step)];
                    for step in 0..2000 {
                        let [mut from, mut to] = names(step);
                        if (step + thread) % 2 == 0 {
                            std::mem::swap(&mut from, &mut to);
                        }
                        // The shared name may be taken by another thread; only the outcome without a lock held matters.
                        let Ok(revision) = store.create(&from, &record(2000)).await else { continue };
                        let _ = store.rotate(&from, revision, &to, &record(2000)).await;
                    }
                });
            });
        }
    });
    let [records, by_expiry, _] = sizes(&store);
    assert_eq!(records, by_expiry);
}

#[test]
fn no_session_of_an_owner_escapes_by_being_rotated() {
    let ada = record(2000).with_owner(owner("ada"));
    for round in 0..200 {
        let (store, _) = store();
        let (started, is_over) = (Barrier::new(4), AtomicBool::new(false));
        std::thread::scope(|threads| {
            let (ada, store, started, is_over) = (&ada, &store, &started, &is_over);
            for thread in 0..3 {
                threads.spawn(move || {
                    block_on(async {
                        let mut from = key(format_args!("{round}-{thread}"));
                        let mut revision = store.create(&from, ada).await.expect("a new key");
                        started.wait();
                        // A session that got away ends its loop too, so that the test fails and does not hang.
                        for step in 0.. {
                            let to = key(format_args!("{round}-{thread}-{step}"));
                            match store.rotate(&from, revision, &to, ada).await {
                                Ok(next) if !is_over.load(Ordering::SeqCst) => (from, revision) = (to, next),
                                _ => break,
                            }
                        }
                    });
                });
            }
            block_on(async {
                started.wait();
                let ended = store.delete_owned(&owner("ada"), None).await;
                is_over.store(true, Ordering::SeqCst);
                assert_eq!(ended.expect("memory answers"), 3, "in round {round}");
            });
        });
        assert_eq!(sizes(&store), [0, 0, 0], "in round {round}");
    }
}

#[tokio::test]
async fn a_clock_that_panics_leaves_the_store_usable_and_unchanged() {
    #[derive(Debug)]
    struct BrokenClock;

    impl Clock for BrokenClock {
        fn now(&self) -> Timestamp {
            panic!("the clock is broken")
        }
    }

    let (store, clock) = store();
    let revision = store.create(&key("a"), &record(2000)).await.expect("a new key");
    let broken = store.clone().with_clock(BrokenClock);
    let outcome = tokio::spawn(async move { broken.rotate(&key("a"), revision, &key("b"), &record(3000)).await }).await;
    assert!(outcome.is_err(), "the panic reaches the caller");
    let loaded = store.load(&key("a")).await.expect("memory answers");
    assert_eq!(loaded, Some((record(2000), revision)));
    clock.advance(Duration::from_secs(1));
    assert_eq!(store.delete_expired(10).await.expect("memory answers"), 1);
    assert_eq!(sizes(&store), [0, 0, 0]);
}
