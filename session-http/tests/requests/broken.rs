//! What a handler or a browser did, and a session was not what it should have been afterwards: a case each.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use http::Method;
use serde_json::json;
use session_core::Expiry;
use session_http::{Error, FailurePolicy, LoadFailure, Secrets, Session, SessionConfig};
use session_store_encrypted::{EncryptedStore, EncryptionKey, EncryptionKeys};

use crate::support::servers::log_in;
use crate::support::{App, Browser, HOUR, MINUTE, SECRET, Visit, owner};

/// An application that goes on without a session where it cannot be loaded.
fn anonymous_in_an_outage() -> App {
    App::with(|config| config.with_failure(FailurePolicy::default().with_load(LoadFailure::Anonymous)))
}

async fn logged_in(app: &App) -> Browser {
    let mut browser = Browser::default();
    assert_eq!(app.login(&mut browser, "ada").await, 200);
    browser
}

async fn with_number(app: &App, number: i32) -> Browser {
    let mut browser = Browser::default();
    app.request(&mut browser, async |session| session.set("n", &number).expect("a number is JSON")).await;
    browser
}

/// Begins a request that presents the cookies of several browsers.
fn visit_of_all(app: &App, browsers: &[&Browser]) -> Visit {
    let values = browsers.iter().filter_map(|browser| browser.cookie.as_deref());
    app.visit_with(&values.map(|value| format!("{}={value}", app.cookie_name())).collect::<Vec<_>>())
}

/// Nobody knows during the outage which one lives, so the logout asks for both.
#[tokio::test]
async fn a_logout_after_an_outage_ends_the_live_one_of_two_cookies() {
    let app = anonymous_in_an_outage();
    let (dead, live) = (logged_in(&app).await, logged_in(&app).await);
    app.request(&mut dead.clone(), async |session| session.logout()).await;
    app.clock.advance(5 * MINUTE);
    assert!(app.is_logged_in(&live).await);
    app.store.set_down(true);
    let visit = visit_of_all(&app, &[&dead, &live]);
    let session = visit.open().await;
    assert!(session.is_read_only());
    app.store.set_down(false);
    session.logout();
    let response = visit.finish().await;
    assert!(response.status() != 200 || !app.is_logged_in(&live).await, "a success, and the user is still in");
}

/// It is one among too many to look at all of them.
#[tokio::test]
async fn a_logout_of_what_another_server_rotated_is_no_silent_success() {
    for max_age in [None, Some(200 * HOUR)] {
        let app = App::new();
        let mut browser = Browser::default();
        let remembered = async |session: &Session| {
            log_in(session, "ada");
            session.set_max_age(max_age);
        };
        app.request(&mut browser, remembered).await;
        for _ in 0..8 {
            logged_in(&app).await;
        }
        let visit = app.visit(&browser);
        let session = visit.open().await;
        app.neighbour(|config| config).request(&mut browser, async |session| session.rotate()).await;
        session.logout();
        let status = visit.finish().await.status();
        assert!(status != 200 || !app.is_logged_in(&browser).await, "{max_age:?}: a success, and the user is still in");
    }
}

/// Neither the handler nor the session that is begun in its place has them.
#[tokio::test]
async fn after_a_reload_that_finds_the_session_ended_begin_anew_has_no_old_values() {
    let app = App::new();
    let mut browser = Browser::default();
    let fill = async |session: &Session| {
        log_in(session, "ada");
        session.set("cart", &["secret"]).expect("text is JSON");
        session.set("n", &5).expect("a number is JSON");
    };
    app.request(&mut browser, fill).await;
    let visit = app.visit(&browser);
    let session = visit.open().await;
    app.request(&mut browser.clone(), async |session| session.logout()).await;
    assert!(matches!(session.reload().await, Err(Error::Ended)));
    assert_eq!((session.owner(), session.keys()), (None, Vec::new()));
    session.begin_anew();
    session.set("n", &5).expect("a number is JSON");
    session.modify("cart", |cart: &mut Vec<String>| cart.push("tea".into())).expect("it is a list");
    browser.learn(&visit.finish().await);
    assert_eq!(app.value(&browser, "cart").await, Some(json!(["tea"])));
    assert_eq!(app.value(&browser, "n").await, Some(json!(5)), "it is stored though the old one had the same");
}

/// The handler changed the password and says that the others are out.
#[tokio::test]
async fn end_other_sessions_of_a_session_that_was_not_loaded_is_an_error() {
    let app = anonymous_in_an_outage();
    let (here, _) = (logged_in(&app).await, logged_in(&app).await);
    app.store.set_down(true);
    let session = app.visit(&here).open().await;
    app.store.set_down(false);
    session.reauthenticate();
    let ended = session.end_other_sessions().await;
    assert!(ended.is_err(), "{ended:?}");
}

/// Which of them is the user's is not known.
#[tokio::test]
async fn end_other_sessions_with_two_live_cookies_is_an_error() {
    let app = App::new();
    let (one, two) = (logged_in(&app).await, logged_in(&app).await);
    let ended = visit_of_all(&app, &[&one, &two]).open().await.end_other_sessions().await;
    assert!(ended.is_err(), "{ended:?}");
}

/// Another tab emptied the cart that this request saw full.
#[tokio::test]
async fn an_update_that_refuses_looked_at_what_is_stored() {
    let app = App::new();
    let browser = with_number(&app, 5).await;
    let session = app.visit(&browser).open().await;
    app.request(&mut browser.clone(), async |session| session.set("n", &0).expect("a number is JSON")).await;
    let add = |n: &mut i32| {
        let is_full = *n >= 5;
        *n += i32::from(!is_full);
        if is_full { Err("full") } else { Ok(*n) }
    };
    assert_eq!(session.update("n", add).await.expect("it is stored"), Ok(1));
}

/// What was stored meanwhile is greater than what this request saw.
#[tokio::test]
async fn an_update_that_changes_nothing_returns_what_is_stored() {
    let app = App::new();
    let browser = with_number(&app, 5).await;
    let session = app.visit(&browser).open().await;
    app.request(&mut browser.clone(), async |session| session.set("n", &7).expect("a number is JSON")).await;
    let at_least_five = |n: &mut i32| {
        *n = (*n).max(5);
        Ok::<_, ()>(*n)
    };
    assert_eq!(session.update("n", at_least_five).await.expect("it is stored"), Ok(7));
}

/// Its absolute end counts from the last time that the user proved who they are.
#[tokio::test]
async fn a_second_login_of_the_same_user_begins_a_new_life() {
    let app = App::with(|config| config.with_expiry(Expiry::absolute(24 * HOUR).expect("not zero")));
    let mut browser = logged_in(&app).await;
    app.clock.advance(23 * HOUR + HOUR / 2);
    assert_eq!(app.login(&mut browser, "ada").await, 200);
    app.clock.advance(HOUR);
    assert!(app.is_logged_in(&browser).await);
}

/// The handler caught the panic, and its client gets an answer.
#[tokio::test]
async fn a_closure_that_panics_when_it_runs_again_fails_once() {
    let app = App::new();
    let browser = with_number(&app, 0).await;
    let visit = app.visit(&browser);
    let session = visit.open().await;
    app.request(&mut browser.clone(), async |session| session.set("n", &100).expect("a number is JSON")).await;
    let (updating, saving) = (session.clone(), session);
    let add = |n: &mut i32| {
        assert!(*n < 50, "the handler did not expect so many");
        *n += 1;
        Ok::<_, ()>(())
    };
    assert!(tokio::spawn(async move { updating.update("n", add).await }).await.is_err(), "it panics");
    assert!(tokio::spawn(async move { saving.save().await }).await.is_ok(), "the panic is over");
    assert!(tokio::spawn(async move { visit.finish().await }).await.is_ok(), "the client gets an answer");
}

/// However the request stops wanting it, it is not dropped under the lock that the look takes.
#[test]
fn a_closure_whose_value_looks_at_the_session_when_it_is_dropped_does_not_hang() {
    struct Looks(Session);
    impl Drop for Looks {
        fn drop(&mut self) {
            self.0.keys();
        }
    }
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it starts");
        runtime.block_on(async {
            for end in [Session::clear, Session::unset, Session::logout, |_: &Session| ()] {
                let visit = App::new().visit(&Browser::default());
                let session = visit.open().await;
                let looks = Looks(session.clone());
                let count = move |n: &mut usize| *n += looks.0.keys().len() + 1;
                session.modify("n", count).expect("it is a number");
                end(&session);
                visit.abandon().await;
            }
        });
        done.send(()).expect("the test waits");
    });
    is_done.recv_timeout(Duration::from_secs(5)).expect("it hangs");
}

/// A request that was loaded before extends it by the age that it had; the next one sees that and shortens it.
#[tokio::test]
async fn a_short_age_is_kept_although_another_tab_extends_the_session() {
    let app = App::new();
    let mut browser = with_number(&app, 0).await;
    app.clock.advance(HOUR / 2);
    let visit = app.visit_by(&Method::GET, &browser);
    assert_eq!(visit.open().await.get::<i32>("n").expect("it is a number"), Some(0));
    app.request(&mut browser, async |session| session.set_max_age(Some(MINUTE))).await;
    visit.finish().await;
    app.clock.advance(MINUTE / 2);
    app.request(&mut browser, async |session| assert!(session.contains("n"))).await;
    app.clock.advance(MINUTE + Duration::from_secs(1));
    assert_eq!(app.value(&browser, "n").await, None, "it outlives its minute");
}

/// The index lists it as the user's, which is enough.
#[tokio::test]
async fn a_device_whose_record_cannot_be_read_can_be_ended() {
    let plain = App::new();
    let key = plain.key(&logged_in(&plain).await).await;
    let encryption = EncryptionKey::new("test", &[7; 32]).expect("it has 32 bytes");
    let store = EncryptedStore::new(plain.store.clone(), "test", EncryptionKeys::new([encryption]).expect("one"));
    let config = SessionConfig::new(Arc::new(store), Secrets::new([SECRET]).expect("it is long enough"));
    let app = App { config: config.with_clock(plain.clock.clone()).into(), ..plain };
    let session = app.visit(&logged_in(&app).await).open().await;
    assert_eq!(session.owner(), Some(owner("ada")));
    let devices = session.sessions().await.expect("the index works");
    assert!(devices.iter().any(|device| device.key == key));
    assert!(session.end_session(&key).await.expect("the store works"));
    assert!(!app.is_live(&key).await);
}
