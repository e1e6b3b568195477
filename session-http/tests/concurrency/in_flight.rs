//! A login or a logout in one tab and a slow request in another, in every order: the user ends up as the tab says, and
//! no cookie of the slow request replaces the one of the login.

use session_core::{Scope, SessionIndex, SessionKey, SessionStore};
use session_http::{Error, Session};

use crate::support::log::{drops, start_log};
use crate::support::{App, Browser, HOUR, MINUTE, Visit, owner, set_cookie};

async fn live(app: &App) -> u64 {
    app.store.inner.count(Scope::All).await.expect("the memory store counts")
}

/// The orders of load (`l`) and commit (`c`) of the slow request and load (`L`) and commit (`C`) of the fast one.
const ORDERS: [&str; 6] = ["lcLC", "lLcC", "lLCc", "LlcC", "LlCc", "LClc"];

type Act = fn(&Session);

/// What the slow request may write, each of which needs a cookie if it begins a session.
const WRITES: [Act; 4] = [
    |session| session.set("slow", &1).expect("a number is JSON"),
    |session| session.modify("slow", |n: &mut u32| *n += 1).expect("a number is JSON"),
    |session| {
        session.regenerate();
        session.set("slow", &1).expect("a number is JSON");
    },
    |session| {
        session.logout();
        session.set("slow", &1).expect("a number is JSON");
    },
];

/// Runs both requests in an order; the browser learns the answers as they come.
async fn interleave(order: &str, browser: &mut Browser, slow: (&Visit, Act), fast: (&Visit, Act)) {
    for step in order.chars() {
        match step {
            'l' => slow.1(&slow.0.open().await),
            'L' => fast.1(&fast.0.open().await),
            'c' => browser.learn(&slow.0.finish().await),
            _ => browser.learn(&fast.0.finish().await),
        }
    }
}

#[tokio::test]
async fn a_login_and_a_slow_write_in_every_order() {
    start_log();
    for order in ORDERS {
        for write in &WRITES[..2] {
            let app = App::new();
            let mut browser = app.browser().await;
            let (slow, fast) = (app.visit(&browser), app.visit(&browser));
            let before = drops();
            let login: Act = |session| {
                session.login("ada").expect("a short name is an owner");
                session.set("cart", "tea").expect("text is JSON");
            };
            interleave(order, &mut browser, (&slow, *write), (&fast, login)).await;
            let session = app.visit(&browser).open().await;
            assert_eq!(session.owner(), Some(owner("ada")), "{order}");
            assert_eq!(session.get("cart").expect("it is text"), Some("tea".to_owned()), "{order}");
            assert_eq!(session.get("n").expect("it is a number"), Some(0), "{order}");
            let is_kept = session.get::<u32>("slow").expect("it is a number").is_some();
            assert_eq!(is_kept, order.find('c') < order.find('C'), "{order}");
            assert_eq!(drops() - before, usize::from(!is_kept), "{order}: a change that is dropped shows as an event");
            assert_eq!(live(&app).await, 1, "{order}");
        }
    }
}

#[tokio::test]
async fn a_login_is_not_undone_by_a_slow_regeneration_of_the_old_session_and_is_by_a_slow_logout() {
    for order in ["lLCc", "LlCc", "LClc"] {
        for (write, user) in [(&WRITES[2], Some(owner("ada"))), (&WRITES[3], None)] {
            let app = App::new();
            let mut browser = app.browser().await;
            let (slow, fast) = (app.visit(&browser), app.visit(&browser));
            interleave(
                order,
                &mut browser,
                (&slow, *write),
                (&fast, |session| session.login("ada").expect("a short name is an owner")),
            )
            .await;
            assert_eq!(app.visit(&browser).open().await.owner(), user, "{order}");
            assert_eq!(live(&app).await, 1, "{order}");
        }
    }
}

#[tokio::test]
async fn a_logout_and_a_slow_write_in_every_order() {
    start_log();
    for order in ORDERS {
        for (number, write) in WRITES.iter().enumerate() {
            let app = App::new();
            let mut browser = app.browser().await;
            app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
            let (slow, fast) = (app.visit(&browser), app.visit(&browser));
            let before = drops();
            interleave(order, &mut browser, (&slow, *write), (&fast, |session| session.logout())).await;
            let is_first = order.find('c') < order.find('C');
            if number < 2 || !is_first {
                assert_eq!((browser.cookie.as_ref(), live(&app).await), (None, 0), "{order}");
            }
            if !is_first {
                assert!(drops() > before, "{order}: a change that is dropped shows as an event");
            }
        }
    }
}

#[tokio::test]
async fn a_request_that_finds_its_id_replaced_is_gone_until_a_minute_has_passed() {
    let app = App::new();
    let old = app.browser().await;
    let mut browser = old.clone();
    app.request(&mut browser, async |session| session.rotate()).await;
    let visit = app.visit(&old);
    let session = visit.open().await;
    assert!(session.is_new() && session.is_empty());
    session.set("n", &7).expect("a number is JSON");
    assert!(matches!(session.save().await, Err(Error::Ended)));
    assert_eq!(session.get::<u32>("n").expect("nothing is no error"), None);
    assert!(set_cookie(&visit.finish().await).is_none());

    app.clock.advance(MINUTE);
    let mut visitor = old.clone();
    app.request(&mut visitor, async |session| session.set("n", &7).expect("a number is JSON")).await;
    assert_ne!(visitor, old);
    assert_eq!(app.value(&visitor, "n").await, Some(7.into()));
}

#[tokio::test]
async fn a_login_with_an_id_that_was_just_replaced_begins_a_session() {
    let app = App::new();
    let old = app.browser().await;
    app.request(&mut old.clone(), async |session| session.logout()).await;
    let mut browser = old.clone();
    app.request(&mut browser, async |session| {
        session.set("dropped", &1).expect("a number is JSON");
        session.login("ada").expect("a short name is an owner");
    })
    .await;
    let session = app.visit(&browser).open().await;
    assert_eq!((session.owner(), session.keys()), (Some(owner("ada")), vec!["dropped".to_owned()]));
}

#[tokio::test]
async fn a_visitor_whose_session_expired_gets_a_new_one_when_he_writes() {
    let app = App::new();
    let mut browser = app.browser().await;
    app.clock.advance(HOUR);
    app.request(&mut browser, async |session| session.set("n", &1).expect("a number is JSON")).await;
    assert_eq!(app.value(&browser, "n").await, Some(1.into()));
}

#[tokio::test]
async fn a_session_of_another_user_is_remembered_too_and_one_that_was_emptied_is_begun_anew() {
    let app = App::new();
    let ends: [(bool, Act); 2] =
        [(false, Session::clear), (true, |session| session.login("bob").expect("a short name is an owner"))];
    for (is_owned, end) in ends {
        let mut browser = app.browser().await;
        if is_owned {
            app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
        }
        let old = browser.clone();
        app.request(&mut browser, async |session| end(session)).await;
        let visit = app.visit(&old);
        visit.open().await.set("n", &1).expect("a number is JSON");
        let response = visit.finish().await;
        assert_eq!((response.status() == 409, set_cookie(&response).is_none()), (is_owned, is_owned));
    }
}

#[tokio::test]
async fn a_rotation_that_failed_leaves_the_session_usable() {
    let app = App::new();
    let mut browser = app.browser().await;
    let key: SessionKey = app.visit(&browser).open().await.key().expect("it is stored");
    let visit = app.visit(&browser);
    visit.open().await.rotate();
    app.store.set_down(true);
    assert_eq!(visit.finish().await.status(), 503);
    app.store.set_down(false);
    app.request(&mut browser, async |session| session.set("n", &2).expect("a number is JSON")).await;
    assert!(app.store.inner.load(&key).await.expect("it works").is_some());
    assert_eq!(app.value(&browser, "n").await, Some(2.into()));
}
