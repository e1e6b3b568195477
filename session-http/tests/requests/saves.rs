//! Sessions that are saved in the middle of a request, which goes on: with a second login, another try, or an error.

use std::time::Duration;

use http::StatusCode;
use session_http::{Error, FailurePolicy, ServerErrors, Session};

use crate::support::servers::log_in;
use crate::support::{App, Browser, Trouble};

/// A `save` of this request made what the second login finds as its earlier one, and the request ends it.
#[tokio::test]
async fn a_second_login_after_a_logout_or_a_regenerate_of_what_was_saved_is_logged_in() {
    for end in [|session: &Session| session.logout(), |session: &Session| session.regenerate()] {
        let app = App::new();
        let mut browser = app.browser().await;
        let log_in_twice = async |session: &Session| {
            log_in(session, "ada");
            session.save().await.expect("the store works");
            end(session);
            log_in(session, "ada");
        };
        let response = app.request(&mut browser, log_in_twice).await;
        assert_eq!(response.status(), 200);
        assert!(app.is_logged_in(&browser).await);
        assert_eq!(app.live().await, 1);
    }
}

/// The end was done by the first one, and is not done again.
#[tokio::test]
async fn a_save_whose_create_failed_after_a_logout_may_be_called_again() {
    let app = App::new();
    let mut browser = Browser::default();
    app.login(&mut browser, "ada").await;
    let log_out = async |session: &Session| {
        session.logout();
        session.set("flash", "goodbye").expect("text is JSON");
        app.store.set_trouble_at("create", Trouble::Down);
        assert!(matches!(session.save().await, Err(Error::Store(_))));
        app.store.set_trouble_at("create", Trouble::None);
        session.save().await.expect("the store is back");
    };
    assert_eq!(app.request(&mut browser, log_out).await.status(), 200);
    assert_eq!(app.value(&browser, "flash").await, Some("goodbye".into()));
    assert_eq!(app.live().await, 1);
}

/// The session has ended by the write before it; a sweep takes what is left.
#[tokio::test]
async fn a_session_without_values_and_owner_ends_although_only_its_deletion_fails() {
    let app = App::new();
    let mut browser = Browser::default();
    app.login(&mut browser, "ada").await;
    let forget = async |session: &Session| {
        session.forget_owner();
        app.store.set_trouble_at("delete", Trouble::Down);
        let saved = session.save().await;
        app.store.set_trouble_at("delete", Trouble::None);
        assert!(saved.is_ok(), "{saved:?}");
    };
    assert_eq!(app.request(&mut browser, forget).await.status(), 200);
    assert_eq!(app.live().await, 0);
}

/// Whether what the request did is discarded or not, what a `save` of it began is told.
#[tokio::test(start_paused = true)]
async fn an_error_after_a_save_that_was_cut_short_tells_the_id_that_lives() {
    for errors in [ServerErrors::Discard, ServerErrors::Store] {
        let app = App::with(|config| config.with_failure(FailurePolicy::default().with_server_errors(errors)));
        let mut browser = app.browser().await;
        let visit = app.visit(&browser);
        let session = visit.open().await;
        app.store.set_trouble_at("rotate", Trouble::Late(Duration::from_millis(100)));
        session.rotate();
        let saved = tokio::time::timeout(Duration::from_millis(10), session.save()).await;
        assert!(saved.is_err(), "it takes longer");
        browser.learn(&visit.finish_as(StatusCode::GATEWAY_TIMEOUT).await);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(app.value(&browser, "n").await, Some(0.into()), "{errors:?}");
    }
}

/// It is set to what the request loaded, which is not stored any more.
#[tokio::test]
async fn a_value_that_is_set_back_after_a_save_whose_answer_was_lost_is_stored() {
    let app = App::new();
    let mut browser = app.browser().await;
    let set_and_back = async |session: &Session| {
        session.set("n", &1).expect("a number is JSON");
        app.store.set_trouble_at("update", Trouble::LosesAnswers);
        assert!(session.save().await.is_err(), "its answer is lost");
        app.store.set_trouble_at("update", Trouble::None);
        session.set("n", &0).expect("a number is JSON");
        session.save().await.expect("the store is back");
    };
    assert_eq!(app.request(&mut browser, set_and_back).await.status(), 200);
    assert_eq!(app.value(&browser, "n").await, Some(0.into()));
}

/// All three ids were this request's own: what it ended before is not missed.
#[tokio::test]
async fn a_logout_after_a_regenerate_of_another_users_saved_session_succeeds() {
    let app = App::new();
    let mut browser = Browser::default();
    app.login(&mut browser, "ada").await;
    let change_users = async |session: &Session| {
        session.end_other_sessions().await.expect("the store works");
        log_in(session, "bob");
        session.save().await.expect("the store works");
        session.regenerate();
        session.logout();
    };
    assert_eq!(app.request(&mut browser, change_users).await.status(), 200);
    assert_eq!(app.live().await, 0);
}
