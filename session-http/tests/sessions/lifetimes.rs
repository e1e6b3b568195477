//! How long a session lives: never longer than today's policy says, from the login on, and as long as it is used.

use std::time::Duration;

use session_core::Expiry;
use session_http::{SessionConfig, SessionLimit};

use crate::support::servers::log_in;
use crate::support::{App, Browser, HOUR, MINUTE};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn policy(expiry: Expiry) -> impl FnOnce(SessionConfig) -> SessionConfig {
    move |config| config.with_expiry(expiry)
}

fn both(idle: Duration, absolute: Duration) -> Expiry {
    Expiry::idle_and_absolute(idle, absolute).expect("not zero")
}

/// Uses the session every `step` for this long; says whether it is there in the end.
async fn lives(app: &App, browser: &mut Browser, step: Duration, time: Duration) -> bool {
    let start = app.now();
    while app.now().saturating_since(start) < time {
        app.clock.advance(step);
        app.request(browser, async |session| drop(session.keys())).await;
    }
    !app.visit(browser).open().await.is_new()
}

#[tokio::test]
async fn a_new_absolute_lifetime_reaches_sessions_that_exist() {
    let before = App::with(policy(Expiry::idle(30 * DAY).expect("not zero")));
    let mut browser = before.browser().await;
    let today = before.neighbour(policy(both(30 * DAY, DAY)));
    assert!(lives(&today, &mut browser, HOUR, 23 * HOUR).await, "its day is not over");
    assert!(!lives(&today, &mut browser, HOUR, HOUR).await, "it is older than a day");
}

#[tokio::test]
async fn a_shorter_absolute_lifetime_reaches_sessions_that_exist() {
    let before = App::with(policy(both(30 * DAY, 365 * DAY)));
    let mut browser = before.browser().await;
    let today = before.neighbour(policy(both(30 * DAY, DAY)));
    assert!(!lives(&today, &mut browser, 7 * DAY, 182 * DAY).await);
}

#[tokio::test]
async fn an_absolute_lifetime_alone_reaches_sessions_that_exist() {
    let before = App::with(policy(Expiry::idle(30 * DAY).expect("not zero")));
    let mut browser = before.browser().await;
    let today = before.neighbour(policy(Expiry::absolute(DAY).expect("not zero")));
    assert!(!lives(&today, &mut browser, HOUR, 25 * HOUR).await);
}

#[tokio::test]
async fn a_session_of_its_own_age_is_not_older_than_the_policy_of_today_allows() {
    let before = App::with(policy(Expiry::idle(HOUR).expect("not zero")));
    let mut browser = before.browser().await;
    before.request(&mut browser, async |session| session.set_max_age(Some(90 * DAY))).await;
    let today = before.neighbour(policy(both(HOUR, DAY)));
    assert!(!lives(&today, &mut browser, 12 * HOUR, 2 * DAY).await);
}

/// A visitor browses for 23.5 hours and logs in.
async fn late_login() -> (App, Browser) {
    let app = App::new();
    let mut browser = app.browser().await;
    assert!(lives(&app, &mut browser, HOUR / 2, 23 * HOUR + HOUR / 2).await);
    app.request(&mut browser, async |session| log_in(session, "ada")).await;
    (app, browser)
}

#[tokio::test]
async fn a_login_begins_a_new_life() {
    let (app, mut browser) = late_login().await;
    assert!(lives(&app, &mut browser, HOUR / 2, HOUR).await, "an hour after the login");
    assert!(lives(&app, &mut browser, HOUR / 2, 22 * HOUR + HOUR / 2).await, "23.5 hours after the login");
}

#[tokio::test]
async fn a_login_keeps_what_the_visitor_had_in_its_new_life() {
    let (app, mut browser) = late_login().await;
    lives(&app, &mut browser, HOUR / 2, HOUR).await;
    assert_eq!(app.value(&browser, "n").await, Some(0.into()));
}

#[tokio::test]
async fn the_life_of_a_login_ends_too_and_neither_use_nor_a_rotation_prolongs_it() {
    let (app, mut browser) = late_login().await;
    assert!(lives(&app, &mut browser, HOUR / 2, 23 * HOUR).await);
    app.request(&mut browser, async |session| session.rotate()).await;
    assert!(!lives(&app, &mut browser, HOUR / 4, HOUR).await);
}

/// Gives a session an age of its own, and uses it every `step` for `time`.
async fn used(age: Duration, step: Duration, time: Duration) -> bool {
    let app = App::new();
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| session.set_max_age(Some(age))).await;
    lives(&app, &mut browser, step, time).await
}

#[tokio::test]
async fn a_session_of_a_minute_that_is_used_every_ten_seconds_lives() {
    assert!(used(MINUTE, Duration::from_secs(10), 10 * MINUTE).await);
}

#[tokio::test]
async fn a_session_of_an_age_a_little_above_a_minute_lives_while_it_is_used() {
    for seconds in [62, 70, 90, 119] {
        let age = Duration::from_secs(seconds);
        // Used again and again when nine tenths of its age have passed, less a second for the rounding.
        let step = age * 9 / 20 * 2 - Duration::from_secs(1);
        assert!(used(age, step, 20 * step).await, "{age:?}, used every {step:?}");
    }
}

#[test]
fn a_throttle_as_long_as_the_idle_time_out_is_refused() {
    for throttle in [HOUR, 2 * HOUR] {
        assert!(Expiry::idle(HOUR).expect("not zero").with_touch_throttle(throttle).is_err());
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_make_a_login_fresh() {
    let app = App::new();
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| log_in(session, "ada")).await;
    app.clock.set(app.now().saturating_sub(50 * MINUTE));
    let mut fresh = 0;
    for _ in 0..55 {
        app.clock.advance(MINUTE);
        let session = app.visit(&browser).open().await;
        fresh += u32::from(session.require_fresh(5 * MINUTE).is_ok());
    }
    // At the time of the login, as the clock says then, five minutes more, and one before: clocks of two servers
    // differ.
    assert!(fresh <= 7, "fresh in {fresh} of 55 minutes");
}

/// With a limit a login counts as made after all others, whatever their clocks said; its life counts from its own.
#[tokio::test]
async fn a_clock_that_was_ahead_lengthens_no_later_session() {
    let expiry = Expiry::absolute(DAY).expect("not zero");
    let app = App::with(|config| config.with_expiry(expiry).with_session_limit(SessionLimit::end_oldest(3)));
    let today = app.now();
    app.clock.advance(10 * DAY);
    app.login(&mut Browser::default(), "ada").await;
    app.clock.set(today);
    let mut browser = Browser::default();
    app.login(&mut browser, "ada").await;
    assert!(lives(&app, &mut browser, HOUR, 23 * HOUR).await);
    assert!(!lives(&app, &mut browser, HOUR, 2 * HOUR).await, "it lives longer than a day");
}
