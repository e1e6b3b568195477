//! Another process ended the session, or the answer of a login was lost: nothing is dropped without the handler being
//! able to know, and a visitor begins anew at once.

use http::Method;
use session_core::SessionStore;
use session_http::Session;

use crate::support::{App, Browser};

/// Ends the browser's session in the store, as another process does.
async fn end(app: &App, browser: &Browser) {
    let key = app.key(browser).await;
    assert!(app.store.inner.delete(&key).await.expect("the memory store works"));
}

/// A request sets a value; returns its status and what the browser finds then.
async fn set(app: &App, browser: &mut Browser) -> (u16, Option<serde_json::Value>) {
    let visit = app.visit_by(&Method::POST, browser);
    visit.open().await.set("new", &1).expect("a number is JSON");
    let response = visit.finish().await;
    browser.learn(&response);
    (response.status().as_u16(), app.value(browser, "new").await)
}

/// A session is ended elsewhere before the request that does this to it, or between its load and its commit.
async fn ended_elsewhere(act: fn(&Session), is_loaded: bool) -> (u16, Option<serde_json::Value>) {
    let app = App::new();
    let mut browser = app.browser().await;
    let visit = app.visit_by(&Method::POST, &browser);
    if is_loaded {
        act(&visit.open().await);
        end(&app, &browser).await;
    } else {
        end(&app, &browser).await;
        act(&visit.open().await);
    }
    browser.learn(&visit.finish().await);
    set(&app, &mut browser).await
}

#[tokio::test]
async fn after_a_logout_of_what_ended_elsewhere_a_visitor_begins_anew_at_once() {
    for is_loaded in [true, false] {
        assert_eq!(ended_elsewhere(|session| session.logout(), is_loaded).await, (200, Some(1.into())), "{is_loaded}");
    }
}

#[tokio::test]
async fn after_a_rotation_of_what_ended_elsewhere_a_visitor_begins_anew_at_once() {
    for is_loaded in [true, false] {
        assert_eq!(ended_elsewhere(|session| session.rotate(), is_loaded).await, (200, Some(1.into())), "{is_loaded}");
    }
}

#[tokio::test]
async fn after_the_last_value_was_removed_from_what_ended_elsewhere_a_visitor_begins_anew_at_once() {
    for is_loaded in [true, false] {
        assert_eq!(
            ended_elsewhere(|session| session.remove("n"), is_loaded).await,
            (200, Some(1.into())),
            "{is_loaded}"
        );
    }
}

#[tokio::test]
async fn after_a_login_whose_answer_was_lost_a_write_is_there_or_says_that_it_is_not() {
    let app = App::new();
    let mut browser = app.shopper().await;
    app.login(&mut browser.clone(), "ada").await;
    let visit = app.visit_by(&Method::POST, &browser);
    let session = visit.open().await;
    let is_known = session.is_ended();
    session.set("new", &1).expect("a number is JSON");
    let response = visit.finish().await;
    browser.learn(&response);
    let is_there = app.value(&browser, "new").await.is_some();
    assert!(is_there || is_known || response.status() == 409, "dropped, and answered {}", response.status());
}
