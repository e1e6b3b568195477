//! What is not to be written, not to be lost in silence, and not to be waited for.

use std::sync::Arc;
use std::time::Duration;

use http::{Response, header};
use session_core::SessionStore;
use session_http::{Error, FailurePolicy, LoadFailure, Secrets, SessionConfig, UnreadableSession};
use session_store_encrypted::{EncryptedStore, EncryptionKey, EncryptionKeys};

use crate::support::servers::log_in;
use crate::support::{App, Browser, SECRET, Trouble, Visit};

const SECOND: Duration = Duration::from_secs(1);

fn visit_of_both(app: &App, one: &Browser, other: &Browser) -> Visit {
    let values = [one, other].map(|browser| browser.cookie.as_deref().expect("it has one"));
    app.visit_with(&values.map(|value| format!("{}={value}", app.cookie_name())))
}

/// Only a logout ends what could not be loaded.
#[tokio::test]
async fn what_could_not_be_loaded_is_not_replaced_though_the_store_is_back() {
    let app = App::with(|config| config.with_failure(FailurePolicy::default().with_load(LoadFailure::Anonymous)));
    let mut browser = Browser::default();
    app.login(&mut browser, "ada").await;
    app.store.set_down(true);
    let visit = app.visit(&browser);
    let session = visit.open().await;
    app.store.set_down(false);
    session.regenerate();
    assert!(session.is_read_only());
    session.set("n", &1).expect("a number is JSON");
    assert_eq!(visit.finish().await.status(), 503);
    assert!(app.is_logged_in(&browser).await);
    assert_eq!(app.live().await, 1);
}

/// The answer would be a success, the next request would find as many again, and a session more would be stored each time.
#[tokio::test]
async fn what_is_written_under_two_ids_that_are_live_is_refused_until_a_login() {
    let app = App::new();
    let (one, mut other) = (app.browser().await, app.browser().await);
    for _ in 0..3 {
        let visit = visit_of_both(&app, &one, &other);
        visit.open().await.modify("n", |n: &mut i32| *n += 1).expect("it is a number");
        let response = visit.finish().await;
        assert_eq!(response.status(), 409);
        other.learn(&response);
    }
    assert_eq!(app.live().await, 2);
    let visit = visit_of_both(&app, &one, &other);
    log_in(&visit.open().await, "ada");
    let response = visit.finish().await;
    assert_eq!((response.status().as_u16(), app.live().await), (200, 1));
    other.learn(&response);
    assert!(app.is_logged_in(&other).await);
}

#[tokio::test]
async fn one_that_cannot_be_read_does_not_stand_in_the_way_of_one_that_can() {
    let plain = App::new();
    let unreadable = plain.browser().await;
    let encryption = EncryptionKey::new("test", &[7; 32]).expect("it has 32 bytes");
    let store = EncryptedStore::new(plain.store.clone(), "test", EncryptionKeys::new([encryption]).expect("one"));
    let failure = FailurePolicy::default().with_unreadable(UnreadableSession::LoginAndLogout);
    let config = SessionConfig::new(Arc::new(store), Secrets::new([SECRET]).expect("it is long enough"));
    let app = App { config: config.with_clock(plain.clock.clone()).with_failure(failure).into(), ..plain };
    let mut browser = Browser::default();
    app.login(&mut browser, "ada").await;
    for _ in 0..2 {
        let visit = visit_of_both(&app, &unreadable, &browser);
        let session = visit.open().await;
        assert!(session.owner().is_some() && !session.is_read_only());
        session.modify("n", |n: &mut i32| *n += 1).expect("it is a number");
        assert_eq!(visit.finish().await.status(), 200);
    }
    assert_eq!(app.value(&browser, "n").await, Some(2.into()));
    assert_eq!(app.live().await, 2);
}

/// A client chooses how often it leaves.
#[tokio::test(start_paused = true)]
async fn what_goes_on_after_a_client_left_ends_though_the_store_hangs() {
    let app = App::new();
    let visit = app.visit(&Browser::default());
    let session = visit.open().await;
    session.set("n", &1).expect("a number is JSON");
    session.save().await.expect("the store works");
    app.store.set_trouble(Trouble::Hangs);
    let left = tokio::time::timeout(Duration::from_secs(60), visit.abandon()).await;
    assert!(left.is_ok(), "it waits for ever");
}

#[tokio::test]
async fn an_own_refusal_of_an_outage_asks_to_try_again() {
    let refusal = |error: &Error| Response::builder().status(error.status()).body("away".into()).ok();
    let app = App::with(|config| config.with_refusal(refusal));
    let visit = app.visit(&Browser::default());
    visit.open().await.set("n", &1).expect("a number is JSON");
    app.store.set_down(true);
    let response = visit.finish().await;
    assert_eq!((response.status().as_u16(), response.body().as_str()), (503, "away"));
    assert!(response.headers().contains_key(header::RETRY_AFTER));
}

/// What was made of the user's values is not what an anonymous session begins with.
#[tokio::test(start_paused = true)]
async fn a_reload_that_finds_the_end_by_a_save_that_was_cut_forgets_what_was_set() {
    let app = App::new();
    let mut browser = Browser::default();
    app.login(&mut browser, "ada").await;
    app.request(&mut browser, async |session| session.set("cart", &["secret"]).expect("text is JSON")).await;
    let visit = app.visit(&browser);
    let session = visit.open().await;
    session.modify("cart", |cart: &mut Vec<String>| cart.push("more".into())).expect("it is a list");
    app.store.inner.delete(&session.key().expect("it is stored")).await.expect("the memory store works");
    app.store.set_trouble(Trouble::Slow(Duration::from_millis(100)));
    assert!(tokio::time::timeout(Duration::from_millis(10), session.save()).await.is_err(), "it takes longer");
    assert!(matches!(session.reload().await, Err(Error::Ended)));
    assert_eq!((session.owner(), session.keys()), (None, Vec::new()));
}

/// What became of its id is just being given another one, and nobody has heard whether that was done.
#[tokio::test]
async fn a_logout_under_an_id_of_a_minute_ago_whose_successor_is_moving_is_no_silent_success() {
    let app = App::new();
    let mut browser = Browser::default();
    app.login(&mut browser, "ada").await;
    let mut earlier = browser.clone();
    app.request(&mut browser, async |session| session.rotate()).await;
    app.store.set_trouble_at("rotate", Trouble::Down);
    let failed = app.request(&mut browser.clone(), async |session| session.rotate()).await;
    assert_eq!(failed.status(), 503);
    app.clock.advance(61 * SECOND);
    let response = app.request(&mut earlier, async |session| session.logout()).await;
    assert!(response.status() != 200 || !app.is_logged_in(&browser).await, "a success, and the user is still in");
}
