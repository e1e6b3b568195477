//! A login as another user: the session of the first one is deleted, and then the new one is created.
//!
//! In this order, as the deletion decides between two clicks: who finds the session there begins the new one, and the other joins it. And
//! whatever fails, the browser is one user or nobody: in the other order both would be live where the deletion fails. What is lost where it stops
//! between the two is a session that was to end.

use http::Method;

use crate::support::servers::{drop_when_held, interleavings, log_in};
use crate::support::{App, Browser, Trouble, Visit};

/// A browser that is logged in as bob, and a request of it that logs in as ada.
async fn bob_becomes_ada() -> (App, Browser, Visit) {
    let (app, mut browser) = (App::new(), Browser::default());
    app.login(&mut browser, "bob").await;
    let visit = app.visit_by(&Method::POST, &browser);
    log_in(&visit.open().await, "ada");
    app.store.calls();
    (app, browser, visit)
}

async fn live(app: &App) -> (u64, u64) {
    (app.live_of("bob").await, app.live_of("ada").await)
}

/// The user tries again.
async fn gets_in(app: &App, mut browser: Browser) {
    assert_eq!(app.login(&mut browser, "ada").await, 200);
    assert!(app.is_logged_in(&browser).await);
    assert_eq!(live(app).await, (0, 1));
}

#[tokio::test]
async fn the_first_one_ends_and_then_the_other_begins() {
    let (app, _, visit) = bob_becomes_ada().await;
    assert_eq!(visit.finish().await.status(), 200);
    assert_eq!((app.store.calls(), live(&app).await), (vec!["delete", "create"], (0, 1)));
}

#[tokio::test]
async fn nobody_is_logged_in_where_the_new_one_cannot_begin() {
    for trouble in [Trouble::Down, Trouble::OnItsWay] {
        let (app, mut browser, visit) = bob_becomes_ada().await;
        app.store.set_trouble_at("create", trouble);
        let response = visit.finish().await;
        app.store.set_trouble_at("create", Trouble::None);
        assert_eq!((response.status().as_u16(), live(&app).await), (503, (0, 0)), "{trouble:?}");
        browser.learn(&response);
        gets_in(&app, browser).await;
    }
}

#[tokio::test]
async fn nobody_is_logged_in_where_the_process_ends_between_the_two() {
    let (app, browser, visit) = bob_becomes_ada().await;
    app.store.set_trouble_at("create", Trouble::Holds);
    drop_when_held(&app.store, visit.finish()).await;
    drop(visit);
    app.store.set_trouble_at("create", Trouble::None);
    assert_eq!(live(&app).await, (0, 0));
    gets_in(&app, browser).await;
}

#[tokio::test]
async fn the_first_one_stays_alone_where_it_cannot_be_ended() {
    let (app, mut browser, visit) = bob_becomes_ada().await;
    app.store.set_trouble_at("delete", Trouble::Down);
    let response = visit.finish().await;
    app.store.set_trouble_at("delete", Trouble::None);
    assert_eq!((response.status().as_u16(), live(&app).await), (503, (1, 0)));
    browser.learn(&response);
    gets_in(&app, browser).await;
}

#[tokio::test]
async fn two_clicks_begin_one_session() {
    for order in interleavings(&["lc", "LC"]) {
        let (app, mut browser) = (App::new(), Browser::default());
        app.login(&mut browser, "bob").await;
        let clicks = [app.visit_by(&Method::POST, &browser), app.visit_by(&Method::POST, &browser)];
        for step in order.chars() {
            let click = &clicks[usize::from(step.is_uppercase())];
            if step.eq_ignore_ascii_case(&'l') {
                log_in(&click.open().await, "ada");
            } else {
                browser.learn(&click.finish().await);
            }
        }
        assert_eq!(live(&app).await, (0, 1), "{order}");
        assert!(app.is_logged_in(&browser).await, "{order}");
    }
}
