//! New ids beside requests that have the old one: one wins, nothing is lost, and the browser's cookie is the live one.

use session_core::SessionIndex;

use crate::support::{App, Browser, owner, set_cookie};

#[tokio::test]
async fn a3_a_stale_write_after_a_rotation_leaves_the_new_session_and_the_cookie_alone() {
    let app = App::new();
    let mut browser = app.browser().await;
    let before = browser.clone();
    let slow = app.visit(&browser);
    let session = slow.open().await;
    let old = session.key().expect("it is stored");
    app.request(&mut browser, async |session| session.rotate()).await;
    assert_ne!(browser, before);
    session.set("n", &9).expect("a number is JSON");
    assert!(set_cookie(&slow.finish().await).is_none());
    assert!(!app.is_live(&old).await);
    assert_eq!(app.value(&browser, "n").await, Some(0.into()));
    assert!(app.visit(&before).open().await.is_new());
}

#[tokio::test]
async fn of_two_rotations_at_once_one_wins_and_the_other_leaves_the_cookie_alone() {
    let app = App::new();
    let browser = app.browser().await;
    let (one, two) = (app.visit(&browser), app.visit(&browser));
    one.open().await.rotate();
    two.open().await.rotate();
    assert!(set_cookie(&one.finish().await).is_some());
    assert!(set_cookie(&two.finish().await).is_none());
    assert_eq!(app.store.inner.count(session_core::Scope::All).await.expect("it counts"), 1);
}

#[tokio::test]
async fn a_rotation_that_meets_a_write_keeps_both() {
    let app = App::new();
    let mut browser = app.browser().await;
    let slow = app.visit(&browser);
    let session = slow.open().await;
    session.rotate();
    session.set("mine", &1).expect("a number is JSON");
    app.request(&mut browser, async |session| session.set("theirs", &2).expect("a number is JSON")).await;
    let before = browser.clone();
    browser.learn(&slow.finish().await);
    assert_ne!(browser, before);
    assert!(app.visit(&before).open().await.is_new());
    assert_eq!(app.visit(&browser).open().await.keys(), ["n", "theirs", "mine"]);
}

#[tokio::test]
async fn a11_a_rotation_and_then_a_logout_leave_nothing() {
    let app = App::new();
    let steps: [fn(&session_http::Session); 3] = [
        |session| session.rotate(),
        |session| session.login("ada").expect("a short name is an owner"),
        |session| session.regenerate(),
    ];
    for step in steps {
        for save_between in [false, true] {
            let mut browser = app.browser().await;
            app.request(&mut browser, async |session| {
                step(session);
                if save_between {
                    session.save().await.expect("the store works");
                }
                session.logout();
            })
            .await;
            assert_eq!(browser, Browser::default());
            assert_eq!(app.store.inner.count(session_core::Scope::All).await.expect("it counts"), 0);
        }
    }
}

#[tokio::test]
async fn a_slow_request_and_a_login_in_every_order() {
    // Loads and commits before the login, loads before and commits after, loads and commits after.
    for order in 0..3 {
        let app = App::new();
        let anonymous = app.browser().await;
        let mut browser = anonymous.clone();
        let slow = app.visit(&anonymous);
        let login = app.visit(&anonymous);
        let of_login = login.open().await;
        of_login.login("ada").expect("a short name is an owner");
        if order < 2 {
            slow.open().await.set("slow", &1).expect("a number is JSON");
        }
        if order == 0 {
            assert!(set_cookie(&slow.finish().await).is_none());
        }
        browser.learn(&login.finish().await);
        if order == 2 {
            // The old id is dead at once, and a request that only reads with it changes nothing.
            assert!(slow.open().await.is_new());
        }
        if order > 0 {
            assert!(set_cookie(&slow.finish().await).is_none(), "order {order}");
        }
        let session = app.visit(&browser).open().await;
        assert_eq!(session.owner(), Some(owner("ada")));
        assert_eq!(session.keys(), if order == 0 { vec!["n", "slow"] } else { vec!["n"] });
        assert!(app.visit(&anonymous).open().await.is_new());
    }
}

#[tokio::test]
async fn a_slow_logout_of_an_id_that_was_rotated_away_ends_what_it_became() {
    let app = App::new();
    let mut browser = app.browser().await;
    let slow = app.visit(&browser);
    slow.open().await.logout();
    app.request(&mut browser, async |session| session.rotate()).await;
    assert!(set_cookie(&slow.finish().await).is_some_and(|(_, flags)| flags.contains("Max-Age=0")));
    assert!(app.visit(&browser).open().await.is_new());
}
