//! Requests of one browser at once, through the `Session` of tower-sessions.

use std::sync::Arc;

use session_core::{Clock as _, ManualClock, Scope, SessionIndex as _, SessionStore as _, SystemClock};
use session_store_memory::MemoryStore;
use session_tower_sessions::TowerSessionsStore;
use time::Duration;
use tower_sessions::cookie::time;
use tower_sessions::session::Id;
use tower_sessions::{ExpiredDeletion as _, Expiry, Session};

type Store = Arc<TowerSessionsStore<Arc<MemoryStore>>>;

fn store() -> (Store, Arc<MemoryStore>) {
    let memory = Arc::new(MemoryStore::new());
    (Arc::new(TowerSessionsStore::new(memory.clone())), memory)
}

/// A request that presents an id.
fn request(store: &Store, id: Id) -> Session {
    Session::new(Some(id), store.clone(), None)
}

async fn first_visit(store: &Store) -> Id {
    let session = Session::new(None, store.clone(), None);
    session.insert("visits", 1).await.expect("stored");
    session.save().await.expect("stored");
    session.id().expect("it has one now")
}

#[tokio::test]
async fn no_request_loses_what_another_has_stored() {
    let (store, _) = store();
    let id = first_visit(&store).await;
    let requests: Vec<_> = (0..20).map(|_| request(&store, id)).collect();
    for session in &requests {
        assert_eq!(session.get::<u32>("visits").await.expect("stored"), Some(1));
    }
    for (number, session) in requests.iter().enumerate() {
        session.insert(&format!("item-{number}"), number).await.expect("loaded");
        session.save().await.expect("a conflict is no error");
    }
    let after = request(&store, id);
    for number in 0..20 {
        assert_eq!(after.get::<usize>(&format!("item-{number}")).await.expect("stored"), Some(number));
    }
    assert_eq!(after.get::<u32>("visits").await.expect("stored"), Some(1));
}

#[tokio::test]
async fn a_removal_and_a_second_save_are_merged_too() {
    let (store, _) = store();
    let id = first_visit(&store).await;
    let (slow, fast) = (request(&store, id), request(&store, id));
    slow.remove::<u32>("visits").await.expect("loaded");
    slow.insert("a", 1).await.expect("loaded");
    fast.insert("b", 2).await.expect("loaded");
    fast.save().await.expect("stored");
    slow.save().await.expect("stored");
    slow.insert("c", 3).await.expect("loaded");
    slow.save().await.expect("stored");
    let after = request(&store, id);
    assert_eq!(after.get::<u32>("visits").await.expect("stored"), None);
    for (name, value) in [("a", 1), ("b", 2), ("c", 3)] {
        assert_eq!(after.get::<u32>(name).await.expect("stored"), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_slow_request_does_not_undo_a_logout() {
    let (store, memory) = store();
    let id = first_visit(&store).await;
    let (slow, reading, logout) = (request(&store, id), request(&store, id), request(&store, id));
    slow.insert("late", true).await.expect("loaded");
    reading.get::<u32>("visits").await.expect("loaded");
    logout.flush().await.expect("deleted");
    slow.save().await.expect_err("what it wrote is nowhere, and its client must not believe so");
    reading.save().await.expect("it loses nothing");
    assert_eq!(memory.count(Scope::All).await.expect("memory does not fail"), 0);
}

#[tokio::test]
async fn a_change_of_the_id_keeps_the_values_and_ends_the_old_one() {
    let (store, memory) = store();
    let id = first_visit(&store).await;
    let session = request(&store, id);
    session.cycle_id().await.expect("deleted");
    session.insert("user", "ada").await.expect("loaded");
    session.save().await.expect("stored");
    let new = session.id().expect("it has one");
    assert_ne!(new, id);
    assert_eq!(request(&store, new).get::<u32>("visits").await.expect("stored"), Some(1));
    assert_eq!(request(&store, id).get::<u32>("visits").await.expect("nothing there"), None);
    assert_eq!(memory.count(Scope::All).await.expect("memory does not fail"), 1);
}

#[tokio::test]
async fn a_cleared_session_is_stored_as_it_is_then() {
    let (store, _) = store();
    let id = first_visit(&store).await;
    let session = request(&store, id);
    session.clear().await;
    session.insert("only", 1).await.expect("no load is needed");
    session.save().await.expect("stored");
    let after = request(&store, id);
    assert_eq!(after.get::<u32>("visits").await.expect("stored"), None);
    assert_eq!(after.get::<u32>("only").await.expect("stored"), Some(1));
}

#[tokio::test]
async fn an_end_moves_later_and_earlier() {
    let (store, memory) = store();
    let id = first_visit(&store).await;
    let key = store.key_of(&id.to_string()).expect("an id");
    for hours in [1, 24, 2] {
        let session = request(&store, id);
        session.get::<u32>("visits").await.expect("loaded");
        session.set_expiry(Some(Expiry::OnInactivity(Duration::hours(hours))));
        session.save().await.expect("stored");
        let (record, _) = memory.load(&key).await.expect("memory does not fail").expect("it is live");
        let left = record.expires_at.saturating_since(SystemClock.now()).as_secs().div_ceil(3600);
        assert_eq!(i64::try_from(left).expect("a few hours"), hours);
    }
}

#[tokio::test]
async fn what_expired_is_gone_and_swept() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let memory = Arc::new(MemoryStore::new().with_clock(clock.clone()));
    let store = Arc::new(TowerSessionsStore::new(memory.clone()).with_clock(clock.clone()));
    let id = first_visit(&store).await;
    clock.advance(std::time::Duration::from_secs(15 * 24 * 3600));
    assert_eq!(request(&store, id).get::<u32>("visits").await.expect("nothing there"), None);
    store.delete_expired().await.expect("swept");
    assert_eq!(memory.delete_expired(10).await.expect("memory does not fail"), 0, "something was left");
}
