//! A store that acted and whose answer came too late, or to nobody: the next attempt finds what the first one did.

use session_http::Session;

use crate::support::servers::{drop_when_held, log_in};
use crate::support::{App, Browser, Trouble};

const LATE: Trouble = Trouble::Late(std::time::Duration::from_secs(11));

/// The browser, whose login got no answer, logs in again, and has what it had.
async fn logs_in_again(app: &App, browser: &Browser) {
    let mut browser = browser.clone();
    let status = app.login(&mut browser, "ada").await;
    assert_eq!(status, 200);
    assert_eq!(app.value(&browser, "cart").await, Some("tea".into()), "the cart is there");
    assert_eq!(app.live().await, 1, "no session is out of reach");
}

#[tokio::test]
async fn a_login_whose_client_left_during_the_commit_keeps_the_cart_when_it_comes_again() {
    let app = App::new();
    let browser = app.shopper().await;
    let visit = app.visit(&browser);
    log_in(&visit.open().await, "ada");
    app.store.set_trouble_at("rotate", Trouble::HoldsAnswer);
    drop_when_held(&app.store, visit.finish()).await;
    app.store.set_trouble_at("rotate", Trouble::None);
    app.store.release();
    visit.abandon().await;
    logs_in_again(&app, &browser).await;
}

#[tokio::test]
async fn a_login_whose_commit_was_dropped_with_all_of_its_request_keeps_the_cart_when_it_comes_again() {
    let app = App::new();
    let browser = app.shopper().await;
    let visit = app.visit(&browser);
    log_in(&visit.open().await, "ada");
    app.store.set_trouble_at("rotate", Trouble::HoldsAnswer);
    drop_when_held(&app.store, visit.finish()).await;
    drop(visit);
    app.store.set_trouble_at("rotate", Trouble::None);
    logs_in_again(&app, &browser).await;
}

#[tokio::test]
async fn a_login_whose_answer_did_not_arrive_keeps_the_cart_when_it_comes_again() {
    let app = App::new();
    let browser = app.shopper().await;
    app.login(&mut browser.clone(), "ada").await;
    logs_in_again(&app, &browser).await;
}

#[tokio::test]
async fn a_login_whose_answer_did_not_arrive_keeps_the_cart_when_it_comes_again_to_another_server() {
    let app = App::new();
    let browser = app.shopper().await;
    app.login(&mut browser.clone(), "ada").await;
    logs_in_again(&app.neighbour(|config| config), &browser).await;
}

#[tokio::test]
async fn a_login_whose_answer_was_lost_twice_keeps_the_cart() {
    let app = App::new();
    let browser = app.shopper().await;
    app.login(&mut browser.clone(), "ada").await;
    app.login(&mut browser.clone(), "ada").await;
    logs_in_again(&app, &browser).await;
}

#[tokio::test(start_paused = true)]
async fn a_login_that_the_store_did_after_the_time_out_keeps_the_cart_when_it_comes_again() {
    let app = App::new();
    let mut browser = app.shopper().await;
    app.store.set_trouble_at("rotate", LATE);
    assert_eq!(app.login(&mut browser, "ada").await, 503);
    app.store.set_trouble_at("rotate", Trouble::None);
    logs_in_again(&app, &browser).await;
}

/// Starts a save, which is cancelled after the store acted.
async fn cancelled_save(app: &App, session: &Session, call: &'static str) {
    app.store.set_trouble_at(call, Trouble::HoldsAnswer);
    drop_when_held(&app.store, session.save()).await;
    app.store.set_trouble_at(call, Trouble::None);
    app.store.release();
}

#[tokio::test]
async fn a_login_whose_save_was_cancelled_is_committed_with_the_cart() {
    let app = App::new();
    let mut browser = app.shopper().await;
    app.request(&mut browser, async |session| {
        log_in(session, "ada");
        cancelled_save(&app, session, "rotate").await;
    })
    .await;
    assert!(app.is_logged_in(&browser).await);
    assert_eq!(app.value(&browser, "cart").await, Some("tea".into()));
    assert_eq!(app.live().await, 1);
}

#[tokio::test]
async fn a_login_whose_save_was_cancelled_and_that_was_abandoned_keeps_the_cart_when_it_comes_again() {
    let app = App::new();
    let browser = app.shopper().await;
    let visit = app.visit(&browser);
    let session = visit.open().await;
    log_in(&session, "ada");
    cancelled_save(&app, &session, "rotate").await;
    visit.abandon().await;
    logs_in_again(&app, &browser).await;
}

#[tokio::test]
async fn a_rotation_whose_save_was_cancelled_is_committed_under_the_id_that_the_store_has() {
    let app = App::new();
    let mut browser = app.shopper().await;
    app.request(&mut browser, async |session| {
        session.rotate();
        cancelled_save(&app, session, "rotate").await;
        session.set("later", &1).expect("a number is JSON");
    })
    .await;
    let session = app.visit(&browser).open().await;
    assert_eq!((session.keys(), app.live().await), (vec!["cart".to_owned(), "later".to_owned()], 1));
}

#[tokio::test]
async fn a_session_whose_save_was_cancelled_is_created_once() {
    let app = App::new();
    let mut browser = Browser::default();
    app.request(&mut browser, async |session| {
        session.modify("n", |n: &mut u32| *n += 1).expect("a number is stored");
        cancelled_save(&app, session, "create").await;
    })
    .await;
    assert_eq!((app.value(&browser, "n").await, app.live().await), (Some(1.into()), 1));
}

#[tokio::test]
async fn a_modify_whose_save_was_cancelled_counts_once() {
    let app = App::new();
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| {
        session.modify("n", |n: &mut u32| *n += 1).expect("a number is stored");
        cancelled_save(&app, session, "update").await;
    })
    .await;
    assert_eq!(app.value(&browser, "n").await, Some(1.into()));
}

async fn a_modify_whose_save_failed_counts_once(trouble: Trouble) {
    let app = App::new();
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| {
        session.modify("n", |n: &mut u32| *n += 1).expect("a number is stored");
        app.store.set_trouble_at("update", trouble);
        assert!(session.save().await.is_err());
        app.store.set_trouble_at("update", Trouble::None);
    })
    .await;
    assert_eq!(app.value(&browser, "n").await, Some(1.into()));
}

#[tokio::test(start_paused = true)]
async fn a_modify_whose_save_was_answered_after_the_time_out_counts_once() {
    a_modify_whose_save_failed_counts_once(LATE).await;
}

#[tokio::test]
async fn a_modify_whose_first_answer_was_lost_counts_once() {
    a_modify_whose_save_failed_counts_once(Trouble::LosesAnswers).await;
}

#[tokio::test]
async fn a_modify_counts_once_and_that_of_another_request_meanwhile_too() {
    let app = App::new();
    let mut browser = app.browser().await;
    let other = app.visit(&browser);
    app.request(&mut browser, async |session| {
        session.modify("n", |n: &mut u32| *n += 1).expect("a number is stored");
        cancelled_save(&app, session, "update").await;
        other.open().await.modify("n", |n: &mut u32| *n += 10).expect("a number is stored");
        other.finish().await;
    })
    .await;
    assert_eq!(app.value(&browser, "n").await, Some(11.into()));
}

#[tokio::test]
async fn what_arrives_late_was_sent_under_a_key_that_no_later_attempt_has() {
    for name in [None, Some("ada")] {
        let app = App::new();
        let mut browser = Browser::default();
        app.store.set_trouble_at("create", Trouble::OnItsWay);
        let visit = app.visit(&browser);
        let session = visit.open().await;
        session.set("cart", "tea").expect("text is JSON");
        name.into_iter().for_each(|name| log_in(&session, name));
        for _ in 0..2 {
            assert!(session.save().await.is_err());
        }
        app.store.set_trouble_at("create", Trouble::None);
        browser.learn(&visit.finish().await);
        let key = app.key(&browser).await;
        let had = browser.clone();
        assert_eq!(app.request(&mut browser, async |session| session.logout()).await.status(), 200);
        let late = app.store.arrive().await;
        assert_eq!(late.len(), 2, "each attempt was sent");
        assert!(late[0] != late[1] && !late.contains(&key), "{name:?}: under another key each");
        assert!(app.visit(&had).open().await.is_new(), "{name:?}: what was logged out is live again");
    }
}
