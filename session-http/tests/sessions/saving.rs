//! What a handler does to its session while another task of the same request is saving it.

use session_core::{Scope, SessionIndex};
use session_http::Session;

use crate::support::{App, Browser, owner};

/// Saves, and does `meanwhile` between the decision what to write and the call of the store.
async fn save_and(session: &Session, meanwhile: impl FnOnce(&Session)) {
    let (saved, ()) = tokio::join!(session.save(), async { meanwhile(session) });
    saved.expect("the store works");
}

#[tokio::test]
async fn changes_during_a_save_are_seen_and_stored_by_the_next_one() {
    let app = App::new();
    app.store.yield_before_calls();
    for is_new in [true, false] {
        let mut browser = if is_new { Browser::default() } else { app.browser().await };
        let visit = app.visit(&browser);
        let session = visit.open().await;
        session.modify("list", |list: &mut Vec<u8>| list.push(1)).expect("a list is JSON");
        save_and(&session, |session| {
            session.modify("list", |list: &mut Vec<u8>| list.push(2)).expect("it is a list");
            session.set("late", &1).expect("a number is JSON");
            assert_eq!(session.get("list").expect("it is a list"), Some(vec![1, 2]));
        })
        .await;
        assert_eq!(session.get("list").expect("it is a list"), Some(vec![1, 2]));
        browser.learn(&visit.finish().await);
        let session = app.visit(&browser).open().await;
        assert_eq!(session.get("list").expect("it is a list"), Some(vec![1, 2]));
        assert_eq!(session.get("late").expect("it is a number"), Some(1));
    }
}

#[tokio::test]
async fn a_logout_during_a_save_ends_what_the_save_stored() {
    let app = App::new();
    app.store.yield_before_calls();
    let steps: [fn(&Session); 4] = [
        |session| session.set("n", &1).expect("a number is JSON"),
        |session| session.rotate(),
        |session| session.login("ada").expect("a short name is an owner"),
        |session| session.touch(),
    ];
    for step in steps {
        for is_new in [true, false] {
            let mut browser = if is_new { Browser::default() } else { app.browser().await };
            app.clock.advance(crate::support::MINUTE);
            app.request(&mut browser, async |session| {
                step(session);
                save_and(session, Session::logout).await;
                assert!(session.is_new() && session.is_empty());
            })
            .await;
            assert_eq!(browser.cookie, None);
            assert_eq!(app.store.inner.count(Scope::All).await.expect("it counts"), 0);
        }
    }
}

#[tokio::test]
async fn a_wish_during_a_save_is_fulfilled_by_the_next_one() {
    let app = App::new();
    app.store.yield_before_calls();
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| {
        session.rotate();
        save_and(session, |session| session.login("ada").expect("a short name is an owner")).await;
        assert_eq!(session.owner(), Some(owner("ada")));
    })
    .await;
    let session = app.visit(&browser).open().await;
    assert_eq!((session.owner(), session.get("n").expect("it is a number")), (Some(owner("ada")), Some(0)));
}

#[tokio::test]
async fn two_saves_at_once_create_one_session() {
    let app = App::new();
    app.store.yield_before_calls();
    let session = app.visit(&Browser::default()).open().await;
    session.set("n", &1).expect("a number is JSON");
    let (one, two) = tokio::join!(session.save(), session.save());
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(app.store.inner.count(Scope::All).await.expect("it counts"), 1);
}

#[tokio::test]
async fn a_save_that_is_cancelled_loses_nothing_that_the_next_one_does_not_find() {
    let app = App::new();
    app.store.yield_before_calls();
    let browser = app.browser().await;
    let visit = app.visit(&browser);
    let session = visit.open().await;
    session.modify("n", |n: &mut u8| *n += 1).expect("it is a number");
    tokio::select! {
        biased;
        _ = session.save() => panic!("the store waits once"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(visit.finish().await.status(), 200);
    assert_eq!(app.value(&browser, "n").await, Some(1.into()));
}

#[tokio::test]
async fn what_was_saved_is_not_done_again_when_a_later_change_conflicts() {
    let app = App::new();
    let mut browser = app.browser().await;
    let visit = app.visit(&browser);
    let session = visit.open().await;
    session.modify("n", |n: &mut u8| *n += 1).expect("it is a number");
    session.save().await.expect("the store works");
    session.set("late", &1).expect("a number is JSON");
    app.request(&mut browser, async |session| session.modify("n", |n: &mut u8| *n += 1).expect("it is a number")).await;
    visit.finish().await;
    assert_eq!(app.value(&browser, "n").await, Some(2.into()));
}
