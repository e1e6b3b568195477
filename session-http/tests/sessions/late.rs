//! A handle that outlives its request, answered, failed or dropped: what it saves joins what is stored.

use session_http::{CommitFailure, Error, FailurePolicy, Session};

use crate::support::log::{logged, start_log};
use crate::support::{Act, App, Browser, HOUR, Trouble, owner, set_cookie};

/// A browser whose session has a cart, an owner and an age of its own.
async fn customer(app: &App) -> Browser {
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| {
        session.set("cart", "tea").expect("text is JSON");
        session.login("ada").expect("a short name is an owner");
        session.set_max_age(Some(10 * HOUR));
    })
    .await;
    browser
}

/// Asserts that a value that was saved after a failed commit joined what is stored.
async fn assert_joined(app: &App, browser: &Browser, session: &Session) {
    assert_eq!(session.get("cart").expect("it is text"), Some("tea".to_owned()), "it shows what is stored");
    assert_eq!(session.get::<u8>("lost").expect("nothing is no error"), None);
    session.set("late", &1).expect("a number is JSON");
    session.save().await.expect("the store is back");
    let stored = app.visit(browser).open().await;
    assert_eq!(stored.keys(), ["n", "cart", "late"]);
    assert!(stored.authenticated_at().is_some() && stored.owner() == Some(owner("ada")));
    assert!(stored.expires_at() > Some(app.now().saturating_add(9 * HOUR)), "its own age is still there");
}

#[tokio::test]
async fn what_is_saved_after_a_failed_commit_joins_what_is_stored() {
    for commit in [CommitFailure::Refuse, CommitFailure::Deliver] {
        let app = App::with(|config| config.with_failure(FailurePolicy::default().with_commit(commit)));
        let browser = customer(&app).await;
        let visit = app.visit(&browser);
        let session = visit.open().await;
        session.set("lost", &1).expect("a number is JSON");
        app.store.set_down(true);
        assert_eq!(visit.finish().await.status() == 503, commit == CommitFailure::Refuse);
        app.store.set_down(false);
        assert_joined(&app, &browser, &session).await;
    }
}

#[tokio::test]
async fn and_so_it_does_after_a_mistake_of_the_program() {
    let app = App::new();
    let mut browser = customer(&app).await;
    let visit = app.visit(&browser);
    let session = visit.open().await;
    session.modify("lost", |n: &mut u8| *n += 1).expect("it is a number");
    app.request(&mut browser, async |session| session.set("lost", "text").expect("text is JSON")).await;
    assert_eq!(visit.finish().await.status(), 500);
    app.request(&mut browser, async |session| session.remove("lost")).await;
    assert_joined(&app, &browser, &session).await;
}

/// Nobody could tell the browser, so it presents its id again.
#[tokio::test]
async fn after_a_late_end_the_browser_begins_a_session() {
    // Who was on the way when the last value was removed begins a session too: it is anonymous, and nobody ended it.
    let ends: [(Act, bool); 2] = [(Session::logout, false), (Session::clear, true)];
    for (is_new, (end, begins_meanwhile)) in [(true, ends[0]), (false, ends[0]), (false, ends[1])] {
        let app = App::new();
        let mut browser = if is_new { Browser::default() } else { app.browser().await };
        let visit = app.visit(&browser);
        let session = visit.open().await;
        session.set("n", &1).expect("a number is JSON");
        browser.learn(&visit.finish().await);
        let on_its_way = app.visit(&browser);
        end(&session);
        session.save().await.expect("it is deleted");
        for (visit, begins) in [(on_its_way, begins_meanwhile), (app.visit(&browser), !begins_meanwhile)] {
            let session = visit.open().await;
            assert!(session.is_new());
            session.set("n", &2).expect("a number is JSON");
            assert_eq!(set_cookie(&visit.finish().await).is_some(), begins);
        }
    }
}

#[tokio::test]
async fn a_request_without_a_response_leaves_its_handles_the_data_and_no_wish() {
    start_log();
    let app = App::new();
    let browser = customer(&app).await;
    let visit = app.visit(&browser);
    let session = visit.open().await;
    session.rotate();
    session.set("lost", &1).expect("a number is JSON");
    visit.abandon().await;
    assert_eq!(logged().matches("nothing committed them").count(), 1, "an event says so");
    assert_joined(&app, &browser, &session).await;
    assert!(matches!(session.login("bob"), Err(Error::HeadSent)));
}

#[tokio::test(start_paused = true)]
async fn after_a_logout_whose_response_was_not_sent_the_browser_begins_a_session() {
    let app = App::new();
    let browser = app.browser().await;
    let visit = app.visit(&browser);
    visit.open().await.logout();
    app.store.set_trouble(Trouble::Late(HOUR));
    tokio::select! {
        biased;
        _ = visit.finish() => panic!("the store does not say so yet"),
        () = std::future::ready(()) => {}
    }
    let unfinished = tokio::spawn(async move { visit.abandon().await });
    tokio::task::yield_now().await;
    app.store.set_trouble(Trouble::None);
    let next = app.visit(&browser);
    next.open().await.set("n", &2).expect("a number is JSON");
    assert!(set_cookie(&next.finish().await).is_some());
    unfinished.await.expect("it comes to its end");
}
