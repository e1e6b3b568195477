//! How recently the user proved who they are (S11).

use std::time::Duration;

use session_http::{Error, Session};

use crate::support::{App, Browser, HOUR, MINUTE, owner, set_cookie};

const FIVE: Duration = Duration::from_secs(5 * 60);

fn is_fresh(session: &Session) -> bool {
    let outcome = session.require_fresh(FIVE);
    assert!(matches!(outcome, Ok(()) | Err(Error::NotFresh)));
    outcome.is_ok()
}

#[tokio::test]
async fn a_login_is_fresh_for_as_long_as_is_said_to_the_millisecond_and_use_does_not_renew_it() {
    let app = App::new();
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| {
        assert!(!is_fresh(session), "nobody is logged in");
        session.login("ada").expect("a short name is an owner");
        assert!(is_fresh(session), "before it is stored");
    })
    .await;
    let at = app.now();
    app.clock.advance(FIVE);
    app.request(&mut browser, async |session| {
        assert_eq!(session.authenticated_at(), Some(at));
        assert!(is_fresh(session));
        session.set("n", &1).expect("a number is JSON");
        session.rotate();
        session.clear();
    })
    .await;
    app.clock.advance(Duration::from_millis(1));
    app.request(&mut browser, async |session| {
        assert!(!is_fresh(session));
        assert_eq!((session.authenticated_at(), session.owner()), (Some(at), Some(owner("ada"))));
        assert!(session.keys().is_empty() && session.is_empty());
    })
    .await;
    let refusal = Error::NotFresh.to_response::<()>();
    assert_eq!((refusal.status().as_u16(), refusal.headers().contains_key("retry-after")), (403, false));
}

#[tokio::test]
async fn s11_a_reauthentication_renews_it_under_a_new_id() {
    let app = App::new();
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
    app.clock.advance(HOUR / 2);
    let before = browser.clone();
    let response = app.request(&mut browser, async |session| session.reauthenticate()).await;
    assert!(set_cookie(&response).is_some() && browser != before);
    assert!(app.visit(&before).open().await.is_new());
    let session = app.visit(&browser).open().await;
    assert_eq!((session.authenticated_at(), session.get("n").expect("it is a number")), (Some(app.now()), Some(0)));
    assert!(is_fresh(&session));
}

#[tokio::test]
async fn of_an_anonymous_session_it_only_changes_the_id() {
    let app = App::new();
    let mut browser = app.browser().await;
    let before = browser.clone();
    app.request(&mut browser, async |session| session.reauthenticate()).await;
    assert_ne!(browser, before);
    let session = app.visit(&browser).open().await;
    assert!(session.authenticated_at().is_none() && !is_fresh(&session));
    let response = app.request(&mut Browser::default(), async |session| session.reauthenticate()).await;
    assert!(set_cookie(&response).is_none(), "nothing was set, so nothing is stored");
}

#[tokio::test]
async fn it_is_the_sessions_own_and_ends_with_it() {
    let app = App::new();
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| {
        session.login("ada").expect("a short name is an owner");
        assert!(matches!(session.set("__login", &[0, i64::MAX]), Err(Error::ReservedName)));
        session.remove("__login");
        assert_eq!(session.keys(), ["n"]);
    })
    .await;
    let stored = app.visit(&browser).open().await;
    assert!(is_fresh(&stored));
    app.clock.advance(MINUTE);
    app.request(&mut browser, async |session| {
        session.login("bob").expect("a short name is an owner");
        assert_eq!(session.authenticated_at(), Some(app.now()), "another user's own");
        session.logout();
        assert_eq!(session.authenticated_at(), None);
    })
    .await;
}

#[tokio::test]
async fn it_survives_a_write_of_another_request_and_does_not_undo_a_newer_one() {
    let app = App::new();
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
    app.clock.advance(FIVE + MINUTE);
    let slow = app.visit(&browser);
    let of_slow = slow.open().await;
    of_slow.reauthenticate();
    app.request(&mut browser, async |session| session.set("theirs", &1).expect("a number is JSON")).await;
    browser.learn(&slow.finish().await);
    let session = app.visit(&browser).open().await;
    assert!(is_fresh(&session));
    assert_eq!(session.keys(), ["n", "theirs"]);
}
