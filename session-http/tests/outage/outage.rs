//! The store is away: an outage is not a logout (S18), a logout fails loudly (S13), and nothing is told that is not so
//! (A20).

use session_core::{Error as StoreError, Scope, SessionIndex};
use session_http::{Error, Session};
use session_store_memory::MemoryStore;

use crate::support::{App, Browser, HOUR, Trouble, assert_unavailable, set_cookie};

#[tokio::test]
async fn s18_a_session_that_cannot_be_loaded_is_an_error_and_never_empty() {
    let app = App::new();
    let browser = app.browser().await;
    app.store.set_down(true);
    let visit = app.visit(&browser);
    let error = visit.try_open().await.expect_err("the store is away");
    assert!(matches!(error, Error::Store(StoreError::Unavailable(_))));
    assert_unavailable(&error.to_response::<()>());
    assert!(app.visit(&Browser::default()).try_open().await.is_ok(), "who presents nothing needs no store");
    app.store.set_down(false);
    assert_eq!(visit.open().await.get("n").expect("it is a number"), Some(0), "the same request may try again");
}

#[tokio::test]
async fn a_page_that_was_made_without_the_session_is_kept_by_no_cache() {
    let app = App::new();
    let browser = app.browser().await;
    app.store.set_down(true);
    let visit = app.visit(&browser);
    assert!(visit.try_open().await.is_err());
    let page = visit.finish().await;
    assert_eq!(
        (page.status().as_u16(), &page.headers()["cache-control"], &page.headers()["vary"]),
        (200, &"no-store".parse().expect("it is a header"), &"Cookie".parse().expect("it is a header"))
    );
}

#[tokio::test]
async fn a_commit_that_fails_is_told_and_sets_no_cookie() {
    let app = App::new();
    let writes: [fn(&Session); 6] = [
        |session| session.set("n", &9).expect("a number is JSON"),
        |session| session.modify("n", |n: &mut u8| *n = 9).expect("it is a number"),
        |session| session.login("ada").expect("a short name is an owner"),
        |session| session.rotate(),
        |session| session.logout(),
        |session| session.clear(),
    ];
    for write in writes {
        let browser = app.browser().await;
        let visit = app.visit(&browser);
        let session = visit.open().await;
        write(&session);
        app.store.set_down(true);
        assert_unavailable(&visit.finish().await);
        app.store.set_down(false);
        // The client was told that it failed: nothing does it later.
        let _ = session.save().await;
        drop(session);
        let session = app.visit(&browser).open().await;
        assert_eq!((session.get("n").expect("it is a number"), session.owner()), (Some(0), None));
    }
}

#[tokio::test]
async fn a_touch_that_fails_is_told_too_and_the_session_lives() {
    let app = App::new();
    let browser = app.browser().await;
    let visit = app.visit(&browser);
    visit.open().await;
    app.clock.advance(HOUR / 2);
    app.store.set_down(true);
    assert_unavailable(&visit.finish().await);
    app.store.set_down(false);
    assert!(!app.visit(&browser).open().await.is_new());
}

#[tokio::test]
async fn a_new_session_that_cannot_be_stored_is_not_given_to_the_browser() {
    let app = App::new();
    let visit = app.visit(&Browser::default());
    visit.open().await.set("n", &1).expect("a number is JSON");
    app.store.set_down(true);
    assert_unavailable(&visit.finish().await);
    assert_eq!(app.store.inner.count(Scope::All).await.expect("it counts"), 0);
}

#[tokio::test]
async fn an_explicit_save_that_fails_can_be_tried_again() {
    let app = App::new();
    let browser = app.browser().await;
    let visit = app.visit(&browser);
    let session = visit.open().await;
    session.modify("n", |n: &mut u8| *n += 1).expect("it is a number");
    app.store.set_down(true);
    assert!(matches!(session.save().await, Err(Error::Store(StoreError::Unavailable(_)))));
    app.store.set_down(false);
    session.save().await.expect("the store is back");
    assert_eq!(visit.finish().await.status(), 200);
    assert_eq!(app.value(&browser, "n").await, Some(1.into()));
}

#[tokio::test]
async fn data_that_is_too_large_is_the_programs_mistake() {
    let app = App::new();
    let small = MemoryStore::new().with_clock(app.clock.clone()).with_max_data_bytes(100);
    let secrets = session_http::Secrets::new([crate::support::SECRET]).expect("it is long enough");
    let app = App::with(|_| session_http::SessionConfig::new(std::sync::Arc::new(small), secrets));
    let mut browser = app.browser().await;
    let response =
        app.request(&mut browser, async |session| session.set("n", &"x".repeat(100)).expect("text is JSON")).await;
    assert_eq!((response.status().as_u16(), set_cookie(&response)), (500, None));
    assert_eq!(app.value(&browser, "n").await, Some(0.into()));
}

#[tokio::test]
async fn a_closure_that_no_longer_fits_what_others_stored_fails_the_commit() {
    let app = App::new();
    let mut browser = app.browser().await;
    let slow = app.visit(&browser);
    slow.open().await.modify("n", |n: &mut u8| *n += 1).expect("it is a number");
    app.request(&mut browser, async |session| session.set("n", "text").expect("text is JSON")).await;
    assert_eq!(slow.finish().await.status(), 500);
    assert_eq!(app.value(&browser, "n").await, Some("text".into()));
}

#[tokio::test]
async fn an_answer_that_was_lost_logs_nobody_out() {
    let app = App::new();
    let acts: [fn(&Session); 3] = [
        |session| session.login("ada").expect("a short name is an owner"),
        Session::rotate,
        |session| session.regenerate(),
    ];
    for act in acts {
        let mut browser = app.browser().await;
        let visit = app.visit(&browser);
        let session = visit.open().await;
        act(&session);
        session.set("n", &1).expect("a number is JSON");
        let is_deleted = session.is_new();
        app.store.set_trouble(Trouble::LosesAnswers);
        let response = visit.finish().await;
        app.store.set_trouble(Trouble::None);
        browser.learn(&response);
        if is_deleted {
            assert_unavailable(&response);
        } else {
            assert_eq!(app.value(&browser, "n").await, Some(1.into()), "the session goes on under its new id");
        }
    }
}
