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
