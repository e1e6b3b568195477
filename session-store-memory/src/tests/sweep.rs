//! The lazy order of expiries: what was extended is filed once, and nothing that is over is missed.

use std::collections::BTreeMap;

use session_core::{Record, Revision, Scope, SessionIndex, SessionKey, SessionStore};

use super::{at, owner, record, sizes, store};
use crate::key::StoredKey;
use crate::node::Node;
use crate::shard::Shard;

/// A key of the first shard.
fn first_shard(number: u64) -> SessionKey {
    SessionKey::parse(&format!("00{number:062x}")).expect("digits make a key")
}

fn shard_of(count: u64, expires_at: i64) -> Shard {
    let mut shard = Shard::default();
    (0..count).for_each(|number| shard.insert(Node::new(StoredKey::new(&first_shard(number)), &record(expires_at))));
    shard
}

#[tokio::test]
async fn a_session_that_is_touched_again_and_again_has_one_entry_and_ends_once() {
    let (store, clock) = store();
    let key = first_shard(1);
    store.create(&key, &record(2000)).await.expect("a new key");
    for end in 2000..=5000 {
        store.touch(&key, at(end)).await.expect("it is live");
    }
    assert_eq!(sizes(&store), [1, 1, 0]);
    for (now, removed, left) in [(2000, 0, 1), (4999, 0, 1), (5000, 1, 0), (6000, 0, 0)] {
        clock.set(at(now));
        assert_eq!(store.count(Scope::All).await.expect("memory answers"), left, "counted at {now}");
        assert_eq!(store.delete_expired(10).await.expect("memory answers"), removed, "swept at {now}");
        assert_eq!(sizes(&store), [left as usize, left as usize, 0], "at {now}");
    }
}

#[tokio::test]
async fn an_update_that_ends_a_session_sooner_is_swept_in_time() {
    // The entry is filed at 2000: after the new end, and before it.
    for end in [1500, 5000] {
        let (store, clock) = store();
        let key = first_shard(1);
        let revision = store.create(&key, &record(2000)).await.expect("a new key");
        store.touch(&key, at(9000)).await.expect("it is live");
        store.update(&key, revision, &record(end)).await.expect("the revision is right");
        for (now, removed) in [(end - 1, 0), (end, 1)] {
            clock.set(at(now));
            assert_eq!(store.delete_expired(10).await.expect("memory answers"), removed, "swept at {now}");
        }
        assert_eq!(sizes(&store), [0, 0, 0]);
    }
}

#[tokio::test]
async fn a_sweep_removes_up_to_its_limit_however_many_extended_sessions_it_meets() {
    for limit in [1, 4, 100] {
        let (store, clock) = store();
        for number in 0..1000 {
            store.create(&first_shard(number), &record(2000)).await.expect("a new key");
            if number % 100 != 0 {
                store.touch(&first_shard(number), at(3000)).await.expect("it is live");
            }
        }
        clock.set(at(2000));
        let mut left = 10;
        while left > 0 {
            let removed = store.delete_expired(limit).await.expect("memory answers");
            assert_eq!(removed, limit.min(left), "of {left} that are left");
            left -= removed;
        }
        assert_eq!(store.delete_expired(limit).await.expect("memory answers"), 0);
        assert_eq!(sizes(&store), [990, 990, 0]);
    }
}

#[test]
fn a_step_of_the_sweep_looks_at_so_many_records_and_never_twice() {
    let mut shard = shard_of(100, 2000);
    for number in 0..100 {
        let slot = shard.find(&StoredKey::new(&first_shard(number))).expect("it was put there");
        shard.extend(slot, at(3000));
    }
    for step in 0..4 {
        assert!(shard.is_due(at(2000)), "after {step} steps");
        assert!(shard.sweep(at(2000), 32, usize::MAX).is_empty(), "all are live");
    }
    assert!(!shard.is_due(at(2999)), "all were filed again");
    assert_eq!(shard.sweep(at(3000), 32, usize::MAX).len(), 32);
    assert_eq!(shard.sweep(at(3000), 32, 7).len(), 7);
    assert_eq!(shard.usage().expiries, 61);
}

#[tokio::test]
async fn a_rotation_over_an_expired_record_of_its_shard_removes_the_right_two() {
    let (store, clock) = store();
    let (from, to, last) = (first_shard(1), first_shard(2), record(9000));
    // The removal of the expired record moves the other one, which was last.
    store.create(&to, &record(1500)).await.expect("a new key");
    let revision = store.create(&from, &last).await.expect("a new key");
    clock.set(at(1500));
    let revision = store.rotate(&from, revision, &to, &last).await.expect("what lived there has expired");
    assert_eq!(store.load(&from).await.expect("memory answers"), None);
    assert_eq!(store.load(&to).await.expect("memory answers"), Some((last, revision)));
    assert_eq!(sizes(&store), [1, 1, 0]);
}

/// Numbers that look random and are the same in every run.
fn random(state: &mut u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % below
    }
}

#[tokio::test]
async fn whatever_happens_in_a_shard_every_order_finds_what_is_there() {
    let (store, clock) = store();
    let (mut seed, names) = (1, ["ada", "bob"]);
    let mut random = random(&mut seed);
    // What is stored, live or not.
    let mut model: BTreeMap<SessionKey, (Record, Revision)> = BTreeMap::new();
    for now in 1000..5000 {
        clock.set(at(now));
        let key = first_shard(random(60));
        let mut new = record(now + i64::try_from(random(200)).expect("it is small"));
        new.owner = names.get(usize::try_from(random(3)).expect("it is small")).map(|name| owner(name));
        let live = model.get(&key).filter(|(record, _)| record.is_live(at(now))).cloned();
        match (random(8), live) {
            (0..4, None) => {
                let revision = store.create(&key, &new).await.expect("it is not live");
                model.insert(key, (new, revision));
            }
            (0 | 1, Some((_, revision))) => {
                let revision = store.update(&key, revision, &new).await.expect("the revision is right");
                model.insert(key, (new, revision));
            }
            (2 | 3, Some((mut record, revision))) => {
                store.touch(&key, new.expires_at).await.expect("it is live");
                record.expires_at = record.expires_at.max(new.expires_at);
                model.insert(key, (record, revision));
            }
            (4, live) => {
                assert_eq!(store.delete(&key).await.expect("memory answers"), live.is_some());
                model.remove(&key);
            }
            (5, Some((_, revision))) => {
                let to = first_shard(60 + random(60));
                let outcome = store.rotate(&key, revision, &to, &new).await;
                if let Ok(revision) = outcome {
                    model.remove(&key);
                    model.insert(to, (new, revision));
                }
            }
            (6, _) => {
                let expired = model.values().filter(|(record, _)| !record.is_live(at(now))).count();
                let removed = store.delete_expired(3).await.expect("memory answers");
                assert_eq!(removed as usize, expired.min(3), "at {now}");
                assert_eq!(sizes(&store)[0], model.len() - removed as usize, "at {now}");
                // Which ones are left is the store's choice.
                store.delete_expired(u32::MAX).await.expect("memory answers");
                model.retain(|_, (record, _)| record.is_live(at(now)));
            }
            _ => {}
        }
        let owned = model.values().filter(|(record, _)| record.owner.is_some()).count();
        assert_eq!(sizes(&store), [model.len(), model.len(), owned], "at {now}");
        let live = || model.iter().filter(|(_, (record, _))| record.is_live(at(now)));
        assert_eq!(store.count(Scope::All).await.expect("memory answers"), live().count() as u64, "at {now}");
        for name in names.map(owner) {
            let owned = live().filter(|(_, (record, _))| record.owner.as_ref() == Some(&name)).count();
            assert_eq!(store.count(Scope::Owner(&name)).await.expect("memory answers"), owned as u64, "at {now}");
        }
        for (key, stored) in live() {
            assert_eq!(store.load(key).await.expect("memory answers").as_ref(), Some(stored), "at {now}");
        }
    }
}
