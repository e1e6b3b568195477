//! What the session keeps for itself is out of reach of the application, by every call that takes a name; and two
//! applications' keys never meet.

use std::time::Duration;

use session_core::{SessionId, SessionKey};
use session_http::Error;

use crate::support::{App, Browser};

#[tokio::test]
async fn to_take_a_name_of_the_sessions_own_is_refused() {
    let app = App::new();
    let mut browser = Browser::default();
    app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
    let session = app.visit(&browser).open().await;
    assert!(matches!(session.take::<serde_json::Value>("__login"), Err(Error::ReservedName)));
}

#[tokio::test]
async fn to_take_the_time_of_the_login_does_not_forget_it() {
    let app = App::new();
    let mut browser = Browser::default();
    app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
    app.request(&mut browser, async |session| drop(session.take::<serde_json::Value>("__login"))).await;
    let session = app.visit(&browser).open().await;
    assert!(session.require_fresh(Duration::from_secs(60)).is_ok());
}

#[tokio::test]
async fn to_take_the_age_of_a_session_does_not_forget_it() {
    let app = App::new();
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| session.set_max_age(Some(3 * crate::support::HOUR))).await;
    app.request(&mut browser, async |session| drop(session.take::<serde_json::Value>("__max_age"))).await;
    app.clock.advance(2 * crate::support::HOUR);
    assert_eq!(app.value(&browser, "n").await, Some(0.into()));
}

#[test]
fn two_namespaces_never_make_one_key_of_two_ids() {
    let foreign = |text| SessionId::foreign(text).expect("the test's id is short");
    assert_ne!(SessionKey::derive("a", &foreign("b:x")), SessionKey::derive("a:b", &foreign("x")));
}
