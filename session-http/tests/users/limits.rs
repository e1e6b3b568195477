//! The limit of a user's sessions holds for fifty logins at once from any browser, and a login costs a handful of calls
//! (S14).

use std::sync::Arc;
use std::time::Duration;

use session_http::{Error, SessionLimit};
use tokio::sync::Barrier;
use tokio::time::Instant;

use crate::support::servers::log_in;
use crate::support::{App, Browser, MINUTE, Trouble};

const POLICIES: [SessionLimitOf; 2] = [SessionLimit::end_oldest, SessionLimit::reject_new];

type SessionLimitOf = fn(u32) -> SessionLimit;

/// When the logins store what they do.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Storing {
    AtTheEnd,
    /// By a save too, before the response is ready.
    Early,
    /// By a save, and what was set afterwards cannot be stored.
    EarlyAndNotAtTheEnd,
}

/// What the browser has whose fifty requests log a user in.
#[derive(Debug, Clone, Copy)]
enum Before {
    Nothing,
    Cart,
    OwnSession,
    AnothersSession,
}

/// Fifty requests that one browser sent log this user in at once: all are opened before the first is stored.
async fn fifty_at_once(app: &Arc<App>, browser: &Browser, storing: Storing) {
    app.store.yield_before_calls();
    if storing == Storing::EarlyAndNotAtTheEnd {
        app.store.set_trouble_at("update", Trouble::Down);
    }
    let all_are_open = Arc::new(Barrier::new(50));
    let logins: Vec<_> = (0..50)
        .map(|_| {
            let (app, browser, all_are_open) = (app.clone(), browser.clone(), all_are_open.clone());
            tokio::spawn(async move {
                let visit = app.visit(&browser);
                let session = visit.open().await;
                log_in(&session, "ada");
                all_are_open.wait().await;
                if storing != Storing::AtTheEnd {
                    // One that is refused is refused again at the end.
                    let _ = session.save().await;
                    session.set("after", &1).expect("a number is JSON");
                }
                visit.finish().await;
            })
        })
        .collect();
    for login in logins {
        login.await.expect("no login panics");
    }
    app.store.set_trouble_at("update", Trouble::None);
}

/// Lets fifty logins of each kind of browser come at once, under both policies.
async fn never_more_than_three(storing: Storing) {
    let mut wrong = Vec::new();
    for policy in POLICIES {
        for before in [Before::Nothing, Before::Cart, Before::OwnSession, Before::AnothersSession] {
            let app = Arc::new(App::limited(policy(3)));
            let mut browser = Browser::default();
            match before {
                Before::Nothing => {}
                Before::Cart => browser = app.shopper().await,
                Before::OwnSession => assert_eq!(app.login(&mut browser, "ada").await, 200),
                Before::AnothersSession => assert_eq!(app.login(&mut browser, "bob").await, 200),
            }
            fifty_at_once(&app, &browser, storing).await;
            let live = app.live_of("ada").await;
            if !(1..=3).contains(&live) {
                wrong.push((live, policy(3), before));
            }
        }
    }
    assert!(wrong.is_empty(), "live sessions under a limit of three: {wrong:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_logins_at_once_from_any_browser_keep_the_limit() {
    never_more_than_three(Storing::AtTheEnd).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_logins_at_once_that_save_early_keep_the_limit() {
    never_more_than_three(Storing::Early).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_logins_at_once_whose_commits_fail_after_their_saves_keep_the_limit() {
    never_more_than_three(Storing::EarlyAndNotAtTheEnd).await;
}

#[tokio::test]
async fn a_login_that_was_saved_and_whose_commit_failed_counts() {
    let app = App::limited(SessionLimit::end_oldest(1));
    app.login(&mut Browser::default(), "ada").await;
    let visit = app.visit(&Browser::default());
    let session = visit.open().await;
    log_in(&session, "ada");
    session.save().await.expect("the store works");
    session.set("n", &1).expect("a number is JSON");
    app.store.set_trouble_at("update", Trouble::Down);
    assert_eq!(visit.finish().await.status(), 503);
    assert_eq!(app.live_of("ada").await, 1);
}

/// A login is opened on a session, the session is logged out, another device logs in, and the slow login ends.
async fn slow_login(app: &App) -> (u64, u16) {
    let mut browser = Browser::default();
    app.login(&mut browser, "ada").await;
    let slow = app.visit(&browser);
    log_in(&slow.open().await, "ada");
    app.request(&mut browser, async |session| session.logout()).await;
    assert_eq!(app.login(&mut Browser::default(), "ada").await, 200, "there is room");
    let response = slow.finish().await;
    (app.live_of("ada").await, response.status().as_u16())
}

#[tokio::test]
async fn a_login_that_was_opened_on_a_session_that_ended_takes_no_second_place() {
    assert_eq!(slow_login(&App::limited(SessionLimit::reject_new(1))).await.0, 1);
}

#[tokio::test]
async fn a_login_that_was_opened_on_a_session_that_ended_is_not_answered_with_success() {
    assert_ne!(slow_login(&App::limited(SessionLimit::reject_new(1))).await.1, 200);
}

#[tokio::test]
async fn a_login_beside_five_others_costs_a_handful_of_calls() {
    let app = App::limited(SessionLimit::end_oldest(5));
    for _ in 0..5 {
        app.clock.advance(MINUTE);
        app.login(&mut Browser::default(), "ada").await;
    }
    for _ in 0..3 {
        app.clock.advance(MINUTE);
        app.store.calls();
        assert_eq!(app.login(&mut Browser::default(), "ada").await, 200);
        let calls = app.store.calls();
        assert!(calls.len() <= 12, "{} calls: {calls:?}", calls.len());
        assert_eq!(app.live_of("ada").await, 5);
    }
}

/// A user with 4,000 sessions, for whom a limit of five is switched on; each call takes as long as a timer of two
/// milliseconds does.
async fn four_thousand() -> App {
    let app = App::limited(SessionLimit::end_oldest(5));
    let without_limit = app.neighbour(|config| config);
    for _ in 0..4000 {
        without_limit.login(&mut Browser::default(), "ada").await;
    }
    assert_eq!(app.live_of("ada").await, 4000);
    app.store.calls();
    app.store.set_trouble(Trouble::Slow(Duration::from_millis(3)));
    app
}

/// Lets go on what the layer finishes when the response has been sent.
async fn after_the_response() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_login_beside_four_thousand_others_takes_the_time_of_a_login() {
    let app = four_thousand().await;
    let (mut browser, start) = (Browser::default(), Instant::now());
    assert_eq!(app.login(&mut browser, "ada").await, 200);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(app.is_logged_in(&browser).await);
}

#[tokio::test(start_paused = true)]
async fn a_login_beside_four_thousand_others_makes_a_bounded_number_of_calls() {
    let app = four_thousand().await;
    app.login(&mut Browser::default(), "ada").await;
    let calls = app.store.calls().len();
    assert!(calls <= 150, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn the_excess_of_four_thousand_shrinks_with_each_login() {
    let app = four_thousand().await;
    let mut before = 4000;
    for _ in 0..5 {
        app.login(&mut Browser::default(), "ada").await;
        after_the_response().await;
        let live = app.live_of("ada").await;
        assert!(live < before || live == 5, "{live} live after a login, {before} before");
        before = live;
    }
}

#[tokio::test(start_paused = true)]
async fn the_excess_of_four_thousand_is_gone_after_some_logins_and_the_last_stay() {
    let app = four_thousand().await;
    let (mut last, mut before) = (Vec::new(), 4000);
    for _ in 0..400 {
        app.clock.advance(Duration::from_millis(10));
        let mut browser = Browser::default();
        app.login(&mut browser, "ada").await;
        after_the_response().await;
        last.push(browser);
        let live = app.live_of("ada").await;
        if live <= 5 || live >= before {
            break;
        }
        before = live;
    }
    assert_eq!(app.live_of("ada").await, 5);
    for browser in last.iter().rev().take(5) {
        assert!(app.is_logged_in(browser).await);
    }
}

#[tokio::test]
async fn a_refused_login_leaves_the_session_of_the_visitor_alone_though_it_saved_early() {
    let app = App::limited(SessionLimit::reject_new(1));
    app.login(&mut Browser::default(), "ada").await;
    let mut visitor = app.shopper().await;
    let before = visitor.clone();
    let response = app
        .request(&mut visitor, async |session| {
            log_in(session, "ada");
            assert!(matches!(session.save().await, Err(Error::TooManySessions)));
        })
        .await;
    assert_eq!((response.status().as_u16(), &visitor), (403, &before));
}
