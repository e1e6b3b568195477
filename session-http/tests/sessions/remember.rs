//! "Remember me": an age of a session's own, which is kept with it.

use std::time::Duration;

use session_core::{Scope, SessionIndex};
use session_http::{CookiePolicy, Error, Session};

use crate::support::{App, Browser, HOUR, MINUTE, set_cookie};

fn remember(session: &Session) {
    session.login("ada").expect("a short name is an owner");
    session.set_max_age(Some(10 * HOUR));
}

fn max_age<B>(response: &http::Response<B>) -> Option<String> {
    Some(set_cookie(response)?.1.split_once("Max-Age=")?.1.to_owned())
}

#[tokio::test]
async fn an_age_of_its_own_takes_the_place_of_the_idle_time_out_and_is_kept() {
    let app = App::new();
    let mut browser = app.browser().await;
    let login = app.request(&mut browser, async |session| remember(session)).await;
    assert_eq!(max_age(&login).as_deref(), Some("36000"));
    app.clock.advance(9 * HOUR);
    let use_of_it = app.request(&mut browser, async |session| assert_eq!(session.keys(), ["n"])).await;
    assert_eq!(max_age(&use_of_it).as_deref(), Some("36000"), "the cookie is renewed with the session");
    app.request(&mut browser, async |session| session.rotate()).await;
    app.clock.advance(9 * HOUR);
    let late = app.request(&mut browser, async |session| session.clear()).await;
    assert_eq!(max_age(&late).as_deref(), Some("21600"), "the absolute lifetime of a day still ends it");
    app.clock.advance(6 * HOUR);
    assert!(app.visit(&browser).open().await.is_new());
}

#[tokio::test]
async fn it_can_be_taken_back() {
    let app = App::new();
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| remember(session)).await;
    let back = app.request(&mut browser, async |session| session.set_max_age(None)).await;
    assert_eq!((set_cookie(&back).is_some(), max_age(&back)), (true, None));
    app.clock.advance(HOUR);
    assert!(app.visit(&browser).open().await.is_new());
}

#[tokio::test]
async fn it_is_bounded_begins_no_session_and_its_name_is_taken() {
    let app = App::new();
    let mut browser = Browser::default();
    app.request(&mut browser, async |session| {
        session.set_max_age(Some(Duration::MAX));
        assert!(session.is_empty());
    })
    .await;
    assert_eq!(app.store.inner.count(Scope::All).await.expect("it counts"), 0);
    app.request(&mut browser, async |session| {
        session.set_max_age(Some(Duration::MAX));
        session.set("n", &0).expect("a number is JSON");
        assert!(matches!(session.set("__max_age", &1), Err(Error::ReservedName)));
        session.remove("__max_age");
    })
    .await;
    let response = app.request(&mut browser, async |session| session.set_max_age(Some(Duration::ZERO))).await;
    assert_eq!(max_age(&response).as_deref(), Some("1"));
    let longest = app.request(&mut browser, async |session| session.set_max_age(Some(Duration::MAX))).await;
    let remaining = (24 * HOUR).min(CookiePolicy::LONGEST_MAX_AGE).as_secs().to_string();
    assert_eq!(max_age(&longest), Some(remaining));
    app.request(&mut browser, async |session| session.remove("n")).await;
    assert_eq!(browser, Browser::default(), "without values it is an empty session");
}

#[tokio::test]
async fn it_survives_a_write_of_another_request() {
    let app = App::new();
    let mut browser = app.browser().await;
    let slow = app.visit(&browser);
    let session = slow.open().await;
    session.set_max_age(Some(10 * HOUR));
    session.clear();
    session.set("mine", &1).expect("a number is JSON");
    app.request(&mut browser, async |session| session.set("n", &1).expect("a number is JSON")).await;
    assert_eq!(max_age(&slow.finish().await).as_deref(), Some("36000"));
    app.clock.advance(HOUR + MINUTE);
    assert_eq!(app.visit(&browser).open().await.keys(), ["mine"]);
}

#[tokio::test]
async fn none_is_a_cookie_that_ends_with_the_browser_though_the_policy_has_an_age() {
    let policy = CookiePolicy::builder().with_max_age(24 * HOUR).build().expect("it is valid");
    let app = App::with(|config| config.with_cookie(policy));
    let mut browser = Browser::default();
    let login = app
        .request(&mut browser, async |session| {
            session.login("ada").expect("a short name is an owner");
            session.set_max_age(None);
        })
        .await;
    assert_eq!((set_cookie(&login).is_some(), max_age(&login)), (true, None));
    app.clock.advance(HOUR / 2);
    let read = app.request(&mut browser, async |_| ()).await;
    assert_eq!(set_cookie(&read), None, "it is not renewed either");
    app.clock.advance(HOUR / 2);
    let rotation = app.request(&mut browser, async |session| session.rotate()).await;
    assert_eq!((set_cookie(&rotation).is_some(), max_age(&rotation)), (true, None));
    let remembered = app.request(&mut browser, async |session| session.set_max_age(Some(2 * HOUR))).await;
    assert_eq!(max_age(&remembered).as_deref(), Some("7200"));
    app.request(&mut browser, async |session| session.set_max_age(None)).await;
    app.clock.advance(HOUR);
    assert!(app.visit(&browser).open().await.is_new(), "the configuration's idle time-out ends it");
}
