//! The counters miss nothing: conflicts, however they end, and all that is ended at once.

use session_core::{Data, Record, SessionKey, SessionStore};
use session_http::{Secrets, SessionConfig};

use crate::counted::Counted;
use crate::support::{App, Browser, HOUR, SECRET, owner};

const CONFLICTS: &str = "session_conflict_total";

/// Begins a request that writes, and lets another one write first.
async fn conflict(handler: impl AsyncFnOnce(&session_http::Session)) -> (App, u64) {
    let counted = Counted::default();
    let _guard = metrics::set_default_local_recorder(&counted);
    let app = App::new();
    let mut browser = app.browser().await;
    let visit = app.visit(&browser);
    handler(&visit.open().await).await;
    app.request(&mut browser, async |session| session.set("n", &7).expect("a number is JSON")).await;
    visit.finish().await;
    (app, counted.take(CONFLICTS))
}

#[tokio::test]
async fn a_conflict_that_ends_with_a_merge_is_counted() {
    assert_eq!(conflict(async |session| session.set("m", &1).expect("a number is JSON")).await.1, 1);
}

#[tokio::test]
async fn a_conflict_after_which_the_session_is_empty_is_counted() {
    assert_eq!(conflict(async |session| session.remove("n")).await.1, 1);
}

#[tokio::test]
async fn a_conflict_after_which_there_is_nothing_to_write_is_counted() {
    // Both set the same.
    assert_eq!(conflict(async |session| session.set("n", &7).expect("a number is JSON")).await.1, 1);
}

#[tokio::test]
async fn a_conflict_after_which_the_change_fails_is_counted() {
    // What was a list is a number when the change is made again.
    let counted = Counted::default();
    let _guard = metrics::set_default_local_recorder(&counted);
    let app = App::new();
    let mut browser = app.browser().await;
    let visit = app.visit(&browser);
    visit.open().await.modify("list", |list: &mut Vec<u32>| list.push(1)).expect("there is none");
    app.request(&mut browser, async |session| session.set("list", &7).expect("a number is JSON")).await;
    assert_eq!(visit.finish().await.status(), 500);
    assert_eq!(counted.take(CONFLICTS), 1);
}

#[tokio::test]
async fn all_of_more_than_a_thousand_sessions_that_end_at_once_are_counted() {
    const OTHERS: u64 = 1500;
    let counted = Counted::default();
    let _guard = metrics::set_default_local_recorder(&counted);
    let app = App::configured(|store, clock| {
        let secrets = Secrets::new([SECRET]).expect("the secret is long enough");
        SessionConfig::new(store, secrets).with_clock(clock)
    });
    let (now, end) = (app.now(), app.now().saturating_add(HOUR));
    for number in 0..OTHERS {
        let key = SessionKey::parse(&format!("key{number}")).expect("the test's key is short");
        let record = Record::new(Data::empty(), now, end).with_owner(owner("ada"));
        app.store.inner.create(&key, &record).await.expect("the key is free");
    }
    let mut browser = Browser::default();
    app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
    let ended = app.visit(&browser).open().await.end_other_sessions().await;
    assert_eq!(ended.expect("the store works"), OTHERS);
    let reason = "session_destroyed_total reason=ended from another session of the user";
    assert_eq!(counted.take(reason), OTHERS);
}
