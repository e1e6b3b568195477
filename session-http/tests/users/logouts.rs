//! A logout that meets a rotation ends what the id became, or fails loudly; no cookie that the browser had before it
//! lets in afterwards.

use http::{Method, Response};
use session_http::Session;

use crate::support::servers::{interleavings, log_in};
use crate::support::{App, Browser, MINUTE};

const ROTATIONS: [fn(&Session); 3] =
    [|session| session.rotate(), |session| session.reauthenticate(), |session| log_in(session, "ada")];

async fn ada(app: &App) -> Browser {
    let mut browser = app.shopper().await;
    app.login(&mut browser, "ada").await;
    browser
}

/// What is true of every logout: it was an error, or nobody is logged in.
async fn assert_out_or_loud(app: &App, browser: &Browser, response: &Response<String>, of: &str) {
    if response.status() == 200 {
        assert_eq!(app.live_of("ada").await, 0, "{of}: it was answered with success");
        assert!(!app.is_logged_in(browser).await, "{of}");
    }
}

#[tokio::test]
async fn a_logout_that_meets_the_rotation_of_another_tab_ends_what_the_id_became() {
    for order in interleavings(&["lL", "rR"]) {
        for (number, rotate) in ROTATIONS.into_iter().enumerate() {
            if number == 2 && order.find('L') < order.find('r') {
                // A login that came after the logout.
                continue;
            }
            let app = App::new();
            let mut browser = ada(&app).await;
            let (logout, tab) = (app.visit_by(&Method::POST, &browser), app.visit_by(&Method::POST, &browser));
            let mut status = 0;
            for step in order.chars() {
                match step {
                    'l' => logout.open().await.logout(),
                    'r' => rotate(&tab.open().await),
                    'R' => browser.learn(&tab.finish().await),
                    _ => {
                        let response = logout.finish().await;
                        status = response.status().as_u16();
                        browser.learn(&response);
                    }
                }
            }
            assert_eq!((status, app.live_of("ada").await), (200, 0), "{order} {number}");
        }
    }
}

#[tokio::test]
async fn a_logout_under_an_id_that_was_rotated_three_times_ends_what_it_became() {
    let app = App::new();
    let mut browser = ada(&app).await;
    let logout = app.visit_by(&Method::POST, &browser);
    for rotate in ROTATIONS {
        app.request(&mut browser, async |session| rotate(session)).await;
    }
    logout.open().await.logout();
    assert_eq!((logout.finish().await.status().as_u16(), app.live_of("ada").await), (200, 0));
}

#[tokio::test]
async fn a_logout_that_does_not_reach_the_end_is_an_error() {
    for (rotations, wait) in [(3 * 3, MINUTE / 60), (1, 3 * MINUTE)] {
        let app = App::new();
        let mut browser = ada(&app).await;
        let logout = app.visit_by(&Method::POST, &browser);
        logout.open().await.logout();
        for _ in 0..rotations {
            app.request(&mut browser, async |session| session.rotate()).await;
        }
        app.clock.advance(wait);
        let response = logout.finish().await;
        assert_out_or_loud(&app, &browser, &response, &format!("{rotations} rotations")).await;
    }
}

#[tokio::test]
async fn a_logout_on_another_server_than_the_rotation_ends_it_or_is_an_error() {
    // One that is loaded after the rotation has an id that this server has never seen, and one before it is not met by
    // it.
    for order in ["lrLR", "lrRL", "rlLR", "rlRL"] {
        for rotate in ROTATIONS {
            let app = App::new();
            let other = app.neighbour(|config| config);
            let mut browser = ada(&app).await;
            let (logout, tab) = (other.visit_by(&Method::POST, &browser), app.visit_by(&Method::POST, &browser));
            let mut answer = Response::new(String::new());
            for step in order.chars() {
                match step {
                    'l' => logout.open().await.logout(),
                    'r' => rotate(&tab.open().await),
                    'R' => browser.learn(&tab.finish().await),
                    _ => {
                        answer = logout.finish().await;
                        browser.learn(&answer);
                    }
                }
            }
            assert_out_or_loud(&app, &browser, &answer, order).await;
        }
    }
}

#[tokio::test]
async fn a_logout_under_the_id_from_before_the_login_ends_it_or_is_an_error() {
    let app = App::new();
    let before = app.shopper().await;
    app.login(&mut before.clone(), "ada").await;
    let logout = app.visit_by(&Method::POST, &before);
    logout.open().await.logout();
    let response = logout.finish().await;
    assert_out_or_loud(&app, &before, &response, "the answer of the login was lost").await;
}

#[tokio::test]
async fn a_logout_of_a_session_that_has_ended_is_no_error() {
    let app = App::new();
    let mut browser = ada(&app).await;
    let second = app.visit_by(&Method::POST, &browser);
    second.open().await.logout();
    app.request(&mut browser, async |session| session.logout()).await;
    assert_eq!(second.finish().await.status(), 200);
}

#[tokio::test]
async fn a_logout_ends_what_each_id_became_that_it_presents() {
    for is_first in [true, false] {
        let app = App::new();
        let (earlier, current) = (ada(&app).await, app.shopper().await);
        app.request(&mut earlier.clone(), async |session| session.rotate()).await;
        let visit =
            if is_first { app.visit_of_both(&earlier, &current) } else { app.visit_of_both(&current, &earlier) };
        visit.open().await.logout();
        assert_eq!((visit.finish().await.status().as_u16(), app.live().await), (200, 0), "{is_first}");
    }
}

#[tokio::test]
async fn a_logout_ends_what_two_dead_ids_became_that_have_an_heir_in_common() {
    let app = App::new();
    let one = app.shopper().await;
    let mut two = one.clone();
    app.request(&mut two, async |session| session.rotate()).await;
    app.request(&mut two.clone(), async |session| session.reauthenticate()).await;
    // Both are dead, and what became of them is nobody's: the login begins a session beside it.
    let login = app.visit_of_both(&one, &two);
    log_in(&login.open().await, "ada");
    let mut browser = Browser::default();
    browser.learn(&login.finish().await);
    assert_eq!(app.live().await, 2);
    let logout = app.visit_of_both(&one, &browser);
    app.request(&mut browser.clone(), async |session| session.logout()).await;
    logout.open().await.logout();
    assert_eq!((logout.finish().await.status().as_u16(), app.live().await), (200, 0));
}

#[tokio::test]
async fn a_logout_ends_the_session_though_nobody_knows_what_another_id_became() {
    let app = App::new();
    let other = app.neighbour(|config| config);
    let (earlier, current) = (app.shopper().await, ada(&app).await);
    let mut moved = earlier.clone();
    app.request(&mut moved, async |session| session.rotate()).await;
    other.request(&mut moved, async |session| session.rotate()).await;
    let logout = app.visit_of_both(&earlier, &current);
    logout.open().await.logout();
    let response = logout.finish().await;
    assert_eq!((response.status().as_u16(), app.live_of("ada").await), (409, 0));
    assert!(!app.is_logged_in(&current).await);
}

#[tokio::test]
async fn a_logout_of_two_live_sessions_of_which_one_moves_meanwhile_ends_both_or_is_an_error() {
    for (is_elsewhere, expected) in [(false, (200, 0)), (true, (409, 1))] {
        let app = App::new();
        let other = app.neighbour(|config| config);
        let (one, two) = (app.shopper().await, app.shopper().await);
        let logout = app.visit_of_both(&one, &two);
        logout.open().await.logout();
        let server = if is_elsewhere { &other } else { &app };
        server.request(&mut two.clone(), async |session| session.rotate()).await;
        let response = logout.finish().await;
        assert_eq!((response.status().as_u16(), app.live().await), expected, "elsewhere: {is_elsewhere}");
    }
}

/// Two servers, a login sent to both, and a logout with what the browser kept: tries every cookie that it had.
async fn cookies_that_let_in(order: &str) -> Vec<usize> {
    let app = App::new();
    let other = app.neighbour(|config| config);
    let mut browser = app.shopper().await;
    let mut had = vec![browser.clone()];
    let visits = [app.visit_by(&Method::POST, &browser), other.visit_by(&Method::POST, &browser)];
    for step in order.chars() {
        let visit = &visits[usize::from(step.is_uppercase())];
        if step.eq_ignore_ascii_case(&'l') {
            log_in(&visit.open().await, "ada");
        } else {
            browser.learn(&visit.finish().await);
            had.push(browser.clone());
        }
    }
    let logout = other.visit_by(&Method::POST, &browser);
    logout.open().await.logout();
    assert_eq!(logout.finish().await.status(), 200, "{order}");
    let mut found = Vec::new();
    for (number, cookie) in had.iter().enumerate() {
        if app.is_logged_in(cookie).await || other.is_logged_in(cookie).await {
            found.push(number);
        }
    }
    found
}

#[tokio::test]
async fn no_cookie_that_the_browser_had_before_its_logout_lets_in() {
    for order in interleavings(&["lc", "LC"]) {
        assert_eq!(cookies_that_let_in(&order).await, Vec::<usize>::new(), "{order}");
    }
}

#[tokio::test]
async fn a_session_that_began_under_a_dead_id_in_the_same_request_is_ended_once() {
    let app = App::new();
    let mut browser = app.browser().await;
    session_core::SessionIndex::clear(&app.store.inner).await.expect("the memory store clears");
    app.store.calls();
    let handler = async |session: &Session| {
        session.set("n", &1).expect("a number is JSON");
        session.save().await.expect("the store works");
        session.logout();
    };
    app.request(&mut browser, handler).await;
    assert_eq!(app.store.calls(), ["load", "create", "delete"]);
}
