//! What a client gets when the store fails, hangs or is slow: nothing waits longer than it may, nobody is logged out by
//! an outage, and nothing is written over a session that could not be loaded (S13, S17, S18).

use std::time::Duration;

use http::{Response, header};
use session_core::{Error as StoreError, Scope, SessionIndex};
use session_http::{CommitFailure, Error, FailurePolicy, LoadFailure, LogoutFailure, Session};
use tokio::time::Instant;

use crate::support::{App, Browser, HOUR, Trouble, assert_unavailable, owner, set_cookie};

const LIMIT: Duration = Duration::from_secs(2);

/// How a store can be in trouble for longer than a request waits.
const TROUBLES: [Trouble; 4] =
    [Trouble::Down, Trouble::Hangs, Trouble::Slow(Duration::from_secs(60)), Trouble::Late(Duration::from_secs(60))];

fn app(policy: FailurePolicy) -> App {
    App::with(|config| config.with_failure(policy).with_store_timeout(LIMIT))
}

fn anonymous() -> FailurePolicy {
    FailurePolicy::default().with_load(LoadFailure::Anonymous)
}

/// Everything that a handler may do, none of which may reach a session that was not loaded.
const ACTS: [fn(&Session); 7] = [
    |session| session.set("n", &9).expect("a number is JSON"),
    |session| session.modify("n", |n: &mut u8| *n = 9).expect("nothing is stored"),
    |session| session.login("ada").expect("a short name is an owner"),
    |session| session.rotate(),
    |session| session.clear(),
    |session| session.touch(),
    |session| session.set_max_age(Some(HOUR)),
];

async fn live(app: &App) -> u64 {
    app.store.inner.count(Scope::All).await.expect("the memory store counts")
}

#[tokio::test(start_paused = true)]
async fn s17_no_request_waits_longer_than_the_limit_to_load_nor_to_store() {
    for trouble in TROUBLES {
        let app = app(FailurePolicy::default());
        let browser = app.browser().await;
        app.store.set_trouble(trouble);
        let start = Instant::now();
        let visit = app.visit(&browser);
        let (one, two) = tokio::join!(visit.try_open(), visit.try_open());
        assert!(matches!(one, Err(Error::Store(StoreError::Unavailable(_)))), "{trouble:?}");
        assert!(matches!(two, Err(Error::Store(StoreError::Unavailable(_)))), "{trouble:?}");
        assert!(start.elapsed() <= LIMIT + Duration::from_millis(1), "{trouble:?}: {:?}", start.elapsed());
        assert_unavailable(&one.expect_err("the store is in trouble").to_response::<()>());
        app.store.set_trouble(Trouble::None);
        assert_eq!(app.value(&browser, "n").await, Some(0.into()), "nobody is logged out by an outage");

        for act in ACTS {
            let visit = app.visit(&browser);
            act(&visit.open().await);
            app.store.set_trouble(trouble);
            app.store.calls();
            let start = Instant::now();
            let response = visit.finish().await;
            assert!(start.elapsed() <= LIMIT + Duration::from_millis(1), "{trouble:?}: {:?}", start.elapsed());
            app.store.set_trouble(Trouble::None);
            assert_eq!(response.status() == 503, !app.store.calls().is_empty(), "{trouble:?}");
            assert!(set_cookie(&response).is_none());
            // What a store does after the answer was given up cannot be known.
            if !matches!(trouble, Trouble::Late(_)) {
                assert_eq!(app.value(&browser, "n").await, Some(0.into()), "{trouble:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_save_and_a_reload_end_in_time_and_may_be_tried_again() {
    let app = app(FailurePolicy::default());
    let browser = app.browser().await;
    let visit = app.visit(&browser);
    let session = visit.open().await;
    session.modify("n", |n: &mut u8| *n += 1).expect("it is a number");
    app.store.set_trouble(Trouble::Hangs);
    let start = Instant::now();
    let (saved, reloaded) = tokio::join!(session.save(), session.reload());
    assert!(saved.is_err() && reloaded.is_err());
    assert!(start.elapsed() <= LIMIT + Duration::from_millis(1));
    app.store.set_trouble(Trouble::Slow(LIMIT / 2));
    session.reload().await.expect("it is slow and in time");
    session.save().await.expect("it is slow and in time");
    app.store.set_trouble(Trouble::None);
    assert_eq!(visit.finish().await.status(), 200);
    assert_eq!(app.value(&browser, "n").await, Some(1.into()));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_slow_and_in_time_is_no_outage() {
    let app = app(FailurePolicy::default());
    let mut browser = app.browser().await;
    for trouble in [Trouble::Slow(LIMIT / 2), Trouble::Late(LIMIT / 2)] {
        app.store.set_trouble(trouble);
        let response =
            app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
        assert_eq!(response.status(), 200);
        assert_eq!(app.visit(&browser).open().await.owner(), Some(owner("ada")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_that_cannot_reach_the_store_fails_loudly_unless_the_policy_says_otherwise() {
    for trouble in [Trouble::Down, Trouble::Hangs] {
        for logout in [LogoutFailure::Refuse, LogoutFailure::Forget] {
            let app = app(FailurePolicy::default().with_logout(logout));
            let mut browser = app.browser().await;
            let before = browser.clone();
            let visit = app.visit(&browser);
            visit.open().await.logout();
            app.store.set_trouble(trouble);
            let response = visit.finish().await;
            app.store.set_trouble(Trouble::None);
            if logout == LogoutFailure::Refuse {
                assert_unavailable(&response);
            } else {
                assert_eq!(response.status(), 200);
                browser.learn(&response);
                assert_eq!(browser, Browser::default());
            }
            assert_eq!(app.value(&before, "n").await, Some(0.into()), "it lives on in the store");
        }
    }
}

#[tokio::test]
async fn a_commit_that_fails_may_be_delivered_but_never_that_of_a_login() {
    let app = app(FailurePolicy::default().with_commit(CommitFailure::Deliver));
    for (number, act) in ACTS.into_iter().enumerate() {
        let mut browser = app.browser().await;
        let visit = app.visit(&browser);
        let session = visit.open().await;
        act(&session);
        app.store.set_down(true);
        let response = visit.finish().await;
        app.store.set_down(false);
        let _ = session.save().await;
        assert_eq!(response.status() == 503, matches!(number, 2 | 3), "act {number}");
        assert!(set_cookie(&response).is_none());
        assert_eq!(app.value(&browser, "n").await, Some(0.into()), "it is not stored later either");
        let loud = app.visit(&browser);
        loud.open().await.logout();
        app.store.set_down(true);
        assert_unavailable(&loud.finish().await);
        app.store.set_down(false);
        app.request(&mut browser, async |session| session.logout()).await;
    }
    let visit = app.visit(&Browser::default());
    visit.open().await.set("n", &1).expect("a number is JSON");
    app.store.set_down(true);
    let response = visit.finish().await;
    assert_eq!(
        (response.status().as_u16(), set_cookie(&response)),
        (200, None),
        "a session that is not there has no cookie"
    );
}

#[tokio::test]
async fn what_the_program_did_wrong_is_not_delivered() {
    let app = app(FailurePolicy::default().with_commit(CommitFailure::Deliver));
    let mut browser = app.browser().await;
    let slow = app.visit(&browser);
    slow.open().await.modify("n", |n: &mut u8| *n += 1).expect("it is a number");
    app.request(&mut browser, async |session| session.set("n", "text").expect("text is JSON")).await;
    assert_eq!(slow.finish().await.status(), 500);
}

#[tokio::test(start_paused = true)]
async fn s18_an_anonymous_request_during_an_outage_never_writes_over_the_session() {
    for trouble in TROUBLES {
        for is_back in [false, true] {
            for (number, act) in ACTS.into_iter().enumerate() {
                let app = app(anonymous());
                let mut browser = app.browser().await;
                app.request(&mut browser, async |session| session.login("bob").expect("a short name is an owner"))
                    .await;
                app.store.set_trouble(trouble);
                let visit = app.visit(&browser);
                let session = visit.open().await;
                assert!(session.is_read_only() && session.is_new() && session.is_empty());
                assert_eq!(session.owner(), None);
                act(&session);
                app.store.set_trouble(if is_back { Trouble::None } else { trouble });
                app.store.calls();
                let saved = session.save().await;
                let response = visit.finish().await;
                // An empty session that is cleared is as it was, and a touch asks for nothing.
                let is_quiet = matches!(number, 4 | 5);
                assert_eq!(matches!(saved, Err(Error::ReadOnly)), !is_quiet, "act {number}");
                assert_eq!(response.status(), if is_quiet { 200 } else { 503 }, "act {number}");
                assert_eq!(app.store.calls(), [""; 0], "act {number}");
                assert!(set_cookie(&response).is_none());
                assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
                app.store.set_trouble(Trouble::None);
                let session = app.visit(&browser).open().await;
                assert_eq!((session.owner(), session.get("n").expect("a number")), (Some(owner("bob")), Some(0)));
                assert_eq!(live(&app).await, 1);
            }
        }
    }
}

#[tokio::test]
async fn who_presents_nothing_or_something_forged_has_a_session_as_ever() {
    let app = app(anonymous());
    app.store.set_down(true);
    for cookie in [None, Some("forged".to_owned())] {
        assert!(!app.visit(&Browser { cookie }).open().await.is_read_only());
    }
}

#[tokio::test]
async fn a_delivered_commit_and_an_anonymous_load_go_together() {
    let app = app(anonymous().with_commit(CommitFailure::Deliver));
    let browser = app.browser().await;
    app.store.set_down(true);
    let visit = app.visit(&browser);
    visit.open().await.set("n", &9).expect("a number is JSON");
    app.store.set_down(false);
    assert_eq!(visit.finish().await.status(), 200);
    assert_eq!(app.value(&browser, "n").await, Some(0.into()));
}

#[tokio::test]
async fn a_logout_of_a_session_that_was_not_loaded_ends_it_when_the_store_is_back() {
    let app = app(anonymous());
    for is_back in [false, true] {
        let mut browser = app.browser().await;
        let before = browser.clone();
        app.store.set_down(true);
        let visit = app.visit(&browser);
        let session = visit.open().await;
        session.logout();
        session.set("message", "see you").expect("text is JSON");
        app.store.set_down(!is_back);
        let response = visit.finish().await;
        app.store.set_down(false);
        browser.learn(&response);
        if is_back {
            assert_eq!(app.visit(&browser).open().await.keys(), ["message"]);
            assert!(app.visit(&before).open().await.is_new());
        } else {
            assert_unavailable(&response);
            assert_eq!(app.value(&before, "n").await, Some(0.into()));
        }
    }
}

#[tokio::test]
async fn an_id_that_a_save_has_given_reaches_the_browser_though_the_commit_fails() {
    let app = app(FailurePolicy::default().with_retry_after(Duration::from_secs(60)));
    let mut browser = app.browser().await;
    let visit = app.visit(&browser);
    let session = visit.open().await;
    session.rotate();
    session.save().await.expect("the store works");
    session.set("n", &1).expect("a number is JSON");
    app.store.set_down(true);
    let response = visit.finish().await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()[header::RETRY_AFTER], "60");
    app.store.set_down(false);
    browser.learn(&response);
    assert_eq!(app.value(&browser, "n").await, Some(0.into()), "the old id is dead, so the new one has to be told");
}

#[tokio::test]
async fn a_refusal_of_the_extractor_gets_the_policys_retry_after() {
    let app = app(FailurePolicy::default().with_retry_after(Duration::from_secs(60)));
    let browser = app.browser().await;
    app.store.set_down(true);
    let visit = app.visit(&browser);
    let error = visit.try_open().await.expect_err("the store is away");
    let mut response: Response<String> = error.to_response();
    assert_eq!(response.headers()[header::RETRY_AFTER], "5");
    visit.finish_response(&mut response).await;
    assert_eq!(response.headers()[header::RETRY_AFTER], "60");
    let mut own = Response::new(String::new());
    own.headers_mut().insert(header::RETRY_AFTER, 7.into());
    visit.finish_response(&mut own).await;
    assert_eq!(own.headers()[header::RETRY_AFTER], "7", "the application's own is left alone");
}
