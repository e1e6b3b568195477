//! "Log out everywhere else" beside somebody who has the same id and is faster: afterwards nobody but this browser has
//! a session of the user, or the user is told that it failed.

use session_http::Session;

use crate::support::servers::interleavings;
use crate::support::{App, Browser, Visit};

/// What somebody with the same id may do to keep it.
const MOVES: [fn(&Session); 3] = [
    |session| session.rotate(),
    |session| session.reauthenticate(),
    |session| session.set("n", &1).expect("a number is JSON"),
];

/// How the user's own request stands when everything has been said to the browser.
struct Outcome {
    was_told_yes: bool,
    is_user_in: bool,
    is_thief_in: bool,
    live: u64,
}

/// Runs the user's steps (`o` opens and reauthenticates, `e` ends the others, `c` commits) and the thief's (`O` opens
/// and acts, `C` commits) in an order.
async fn run(app: &App, servers: [&App; 2], order: &str, act: fn(&Session)) -> Outcome {
    let mut user = Browser::default();
    app.login(&mut user, "ada").await;
    let mut thief = user.clone();
    let (own, other): (Visit, Visit) = (servers[0].visit(&user), servers[1].visit(&thief));
    let mut was_told_yes = true;
    for step in order.chars() {
        match step {
            'o' => own.open().await.reauthenticate(),
            'e' => was_told_yes &= own.open().await.end_other_sessions().await.is_ok(),
            'c' => {
                let response = own.finish().await;
                was_told_yes &= response.status() == 200;
                user.learn(&response);
            }
            'O' => act(&other.open().await),
            _ => thief.learn(&other.finish().await),
        }
    }
    let (is_user_in, is_thief_in) = (app.is_logged_in(&user).await, app.is_logged_in(&thief).await);
    Outcome { was_told_yes, is_user_in, is_thief_in, live: app.live_of("ada").await }
}

/// Runs every order, on one server or on two.
async fn every_order(is_one_server: bool) {
    for order in interleavings(&["oec", "OC"]) {
        for (number, act) in MOVES.into_iter().enumerate() {
            let app = App::indexed();
            let there = app.neighbour(|config| config);
            let outcome = run(&app, [&app, if is_one_server { &app } else { &there }], &order, act).await;
            if outcome.was_told_yes {
                assert!(outcome.is_user_in, "{order} {number}: the user is logged in");
                assert!(!outcome.is_thief_in, "{order} {number}: nobody else is");
                assert_eq!(outcome.live, 1, "{order} {number}");
            }
        }
    }
}

#[tokio::test]
async fn after_the_others_were_ended_nobody_else_is_in_or_the_answer_is_an_error() {
    every_order(true).await;
}

#[tokio::test]
async fn after_the_others_were_ended_nobody_else_is_in_or_the_answer_is_an_error_on_two_servers() {
    every_order(false).await;
}

#[tokio::test]
async fn who_moves_after_the_call_is_too_late_and_the_user_hears_no_error() {
    for order in ["oeOCc", "oeOcC", "oecOC", "oOeCc", "oOecC", "OoecC"] {
        for (number, act) in MOVES.into_iter().enumerate() {
            let app = App::indexed();
            let outcome = run(&app, [&app, &app], order, act).await;
            assert!(outcome.was_told_yes && outcome.is_user_in && !outcome.is_thief_in, "{order} {number}");
        }
    }
}

#[tokio::test]
async fn the_id_from_before_the_call_is_dead_at_once() {
    let app = App::indexed();
    let mut user = Browser::default();
    app.login(&mut user, "ada").await;
    let thief = user.clone();
    let visit = app.visit(&user);
    let session = visit.open().await;
    session.end_other_sessions().await.expect("the store works");
    assert!(!app.is_logged_in(&thief).await, "before the response is ready");
    user.learn(&visit.finish().await);
    assert!(app.is_logged_in(&user).await);
}
