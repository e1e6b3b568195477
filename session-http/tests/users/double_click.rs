//! A login form that is sent twice: the user ends with one session and everything that was in it, whatever the order of
//! steps and of answers, on one server and on two.

use std::pin::pin;
use std::time::Duration;

use session_core::Expiry;
use session_http::{Session, SessionLimit};

use crate::support::servers::{drop_when_held, interleavings, log_in};
use crate::support::{App, Browser, HOUR, Trouble, Visit};

/// Runs two logins of one user under one cookie in an order of their loads and commits; returns what the browser keeps
/// when the answers arrive in that order, and in the other.
async fn two_logins(order: &str, one: &Visit, two: &Visit, before: &Browser) -> [Browser; 2] {
    let mut answers = Vec::new();
    for step in order.chars() {
        let visit = if step.is_lowercase() { one } else { two };
        if step.eq_ignore_ascii_case(&'l') {
            log_in(&visit.open().await, "ada");
        } else {
            answers.push(visit.finish().await);
        }
    }
    let (mut in_order, mut overtaken) = (before.clone(), before.clone());
    answers.iter().for_each(|answer| in_order.learn(answer));
    answers.iter().rev().for_each(|answer| overtaken.learn(answer));
    [in_order, overtaken]
}

fn orders() -> Vec<String> {
    interleavings(&["lc", "LC"])
}

#[tokio::test]
async fn one_session_is_live_afterwards() {
    for order in orders() {
        let app = App::new();
        let before = app.shopper().await;
        two_logins(&order, &app.visit(&before), &app.visit(&before), &before).await;
        assert_eq!((app.live_of("ada").await, app.live().await), (1, 1), "{order}");
    }
}

#[tokio::test]
async fn the_browser_keeps_its_cart() {
    for order in orders() {
        let app = App::new();
        let before = app.shopper().await;
        let [browser, _] = two_logins(&order, &app.visit(&before), &app.visit(&before), &before).await;
        assert!(app.is_logged_in(&browser).await, "{order}");
        assert_eq!(app.value(&browser, "cart").await, Some("tea".into()), "{order}");
    }
}

#[tokio::test]
async fn the_browser_keeps_its_cart_when_the_second_answer_overtakes_the_first() {
    for order in orders() {
        let app = App::new();
        let before = app.shopper().await;
        let [_, browser] = two_logins(&order, &app.visit(&before), &app.visit(&before), &before).await;
        assert!(app.is_logged_in(&browser).await, "{order}");
        assert_eq!(app.value(&browser, "cart").await, Some("tea".into()), "{order}");
    }
}

#[tokio::test]
async fn what_both_logins_set_is_there() {
    for order in orders() {
        let app = App::new();
        let mut browser = app.shopper().await;
        let (one, two) = (app.visit(&browser), app.visit(&browser));
        for step in order.chars() {
            let (visit, name) = if step.is_lowercase() { (&one, "one") } else { (&two, "two") };
            if step.eq_ignore_ascii_case(&'l') {
                let session = visit.open().await;
                log_in(&session, "ada");
                session.set(name, &1).expect("a number is JSON");
            } else {
                browser.learn(&visit.finish().await);
            }
        }
        let session = app.visit(&browser).open().await;
        let values = ["cart", "one", "two"].map(|name| session.get::<serde_json::Value>(name).ok().flatten().is_some());
        assert_eq!(values, [true; 3], "{order}");
    }
}

#[tokio::test]
async fn two_servers_end_with_one_session_and_its_cart_too() {
    for order in orders() {
        let app = App::new();
        let other = app.neighbour(|config| config);
        let before = app.shopper().await;
        let [browser, _] = two_logins(&order, &app.visit(&before), &other.visit(&before), &before).await;
        assert_eq!(app.value(&browser, "cart").await, Some("tea".into()), "{order}");
        assert_eq!(app.live_of("ada").await, 1, "{order}");
    }
}

#[tokio::test]
async fn three_clicks_end_with_one_session_and_its_cart_too() {
    for order in interleavings(&["1a", "2b", "3c"]) {
        let app = App::new();
        let mut browser = app.shopper().await;
        let visits = [app.visit(&browser), app.visit(&browser), app.visit(&browser)];
        for step in order.chars() {
            match step {
                '1'..='3' => log_in(&visits[step as usize - '1' as usize].open().await, "ada"),
                _ => browser.learn(&visits[step as usize - 'a' as usize].finish().await),
            }
        }
        assert_eq!(app.value(&browser, "cart").await, Some("tea".into()), "{order}");
        assert_eq!(app.live_of("ada").await, 1, "{order}");
    }
}

/// A click that the store holds at its rotation, or at its answer, and a second one that overtakes it there; returns
/// what the browser has when the second answer came first.
async fn overtaken(trouble: Trouble) -> (App, Browser) {
    let app = App::new();
    let mut browser = app.shopper().await;
    let (one, two) = (app.visit(&browser), app.visit(&browser));
    log_in(&one.open().await, "ada");
    log_in(&two.open().await, "ada");
    app.store.set_trouble_at("rotate", trouble);
    let mut first = pin!(one.finish());
    drop_when_held(&app.store, &mut first).await;
    app.store.set_trouble_at("rotate", Trouble::None);
    browser.learn(&two.finish().await);
    app.store.release();
    browser.learn(&first.await);
    (app, browser)
}

#[tokio::test]
async fn a_click_that_is_overtaken_at_the_store_leaves_one_session_with_the_cart() {
    for trouble in [Trouble::Holds, Trouble::HoldsAnswer] {
        let (app, browser) = overtaken(trouble).await;
        assert_eq!(app.value(&browser, "cart").await, Some("tea".into()), "{trouble:?}");
        assert_eq!(app.live_of("ada").await, 1, "{trouble:?}");
    }
}

#[tokio::test]
async fn a_second_click_is_no_second_session_to_a_limit() {
    for order in orders() {
        let app = App::limited(SessionLimit::reject_new(1));
        let before = app.shopper().await;
        let (one, two) = (app.visit(&before), app.visit(&before));
        let mut statuses = Vec::new();
        for step in order.chars() {
            let visit = if step.is_lowercase() { &one } else { &two };
            if step.eq_ignore_ascii_case(&'l') {
                log_in(&visit.open().await, "ada");
            } else {
                statuses.push(visit.finish().await.status().as_u16());
            }
        }
        assert_eq!(statuses, [200, 200], "{order}");
    }
}

/// A login, and some time later another one under the id from before; says whether it found the first one's session.
async fn joins_after(seconds: u64, between: fn(&Session)) -> bool {
    let app = App::new();
    let before = app.shopper().await;
    let (mut first, mut second) = (before.clone(), before.clone());
    app.login(&mut first, "ada").await;
    app.clock.advance(Duration::from_secs(seconds));
    app.request(&mut first, async |session| between(session)).await;
    app.login(&mut second, "ada").await;
    let has_joined = app.value(&second, "cart").await.is_some();
    assert_eq!(app.live_of("ada").await, if has_joined { 1 } else { 2 });
    has_joined
}

#[tokio::test]
async fn a_second_click_may_come_half_a_minute_later() {
    assert!(joins_after(29, |_| ()).await);
}

#[tokio::test]
async fn a_login_that_comes_later_under_the_old_id_is_a_new_session() {
    assert!(!joins_after(31, |_| ()).await);
}

#[tokio::test]
async fn a_login_under_an_id_from_before_another_change_of_the_privilege_is_a_new_session() {
    for change in [|session: &Session| session.rotate(), |session: &Session| session.reauthenticate()] {
        assert!(!joins_after(1, change).await);
    }
}

#[tokio::test]
async fn another_user_who_logs_in_under_the_old_id_gets_nothing_of_it() {
    for order in ["lcLC", "lLcC"] {
        let app = App::new();
        let before = app.shopper().await;
        let (mut ada, mut mallory) = (before.clone(), before.clone());
        let (of_ada, of_mallory) = (app.visit(&before), app.visit(&before));
        for step in order.chars() {
            match step {
                'l' => log_in(&of_ada.open().await, "ada"),
                'c' => ada.learn(&of_ada.finish().await),
                'L' => log_in(&of_mallory.open().await, "mallory"),
                _ => mallory.learn(&of_mallory.finish().await),
            }
        }
        assert_eq!(
            app.visit(&ada).open().await.owner().map(|user| user.to_string()).as_deref(),
            Some("ada"),
            "{order}"
        );
        assert_eq!(app.value(&mallory, "cart").await, None, "{order}");
    }
}

#[tokio::test]
async fn who_merely_presents_an_id_from_before_a_login_gets_nothing_of_it() {
    let app = App::new();
    let before = app.shopper().await;
    app.login(&mut before.clone(), "ada").await;
    let mut planted = before.clone();
    app.request(&mut planted, async |session| {
        assert_eq!((session.owner(), session.keys()), (None, Vec::new()));
        session.set("n", &1).expect("a number is JSON");
        session.rotate();
    })
    .await;
    let session = app.visit(&planted).open().await;
    assert_eq!((session.owner(), session.get::<String>("cart").expect("it is text")), (None, None));
}

#[tokio::test]
async fn a_second_click_finds_the_session_among_seven_of_the_user_though_the_other_server_has_another_idle_time_out() {
    let app = App::new();
    let long = Expiry::idle_and_absolute(2 * HOUR, 24 * HOUR).expect("not zero");
    let other = app.neighbour(|config| config.with_expiry(long));
    for _ in 0..6 {
        app.login(&mut Browser::default(), "ada").await;
    }
    let browser = app.shopper().await;
    other.login(&mut browser.clone(), "ada").await;
    app.login(&mut browser.clone(), "ada").await;
    assert_eq!(app.live_of("ada").await, 7, "the second click joined the first one's session");
}

#[tokio::test]
async fn a_second_click_of_a_login_as_another_user_does_not_end_the_session_of_the_first_while_that_moves() {
    let app = App::new();
    let mut dead = app.shopper().await;
    let earlier = dead.clone();
    app.request(&mut dead, async |session| session.logout()).await;
    let mut bob = Browser::default();
    app.login(&mut bob, "bob").await;
    let clicks = [app.visit_of_both(&earlier, &bob), app.visit_of_both(&earlier, &bob)];
    for click in &clicks {
        log_in(&click.open().await, "ada");
    }
    let mut ada = Browser::default();
    ada.learn(&clicks[0].finish().await);
    let tab = app.visit(&ada);
    tab.open().await.rotate();
    app.store.set_trouble_at("rotate", Trouble::Holds);
    drop_when_held(&app.store, tab.finish()).await;
    app.store.set_trouble_at("rotate", Trouble::None);
    app.store.calls();
    ada.learn(&clicks[1].finish().await);
    assert_eq!(app.store.calls().iter().filter(|call| **call == "delete").count(), 1, "of the other user's session");
    assert!(app.is_logged_in(&ada).await);
    assert_eq!(app.live_of("ada").await, 1);
}
