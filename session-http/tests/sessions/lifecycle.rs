//! One browser, one request after the other: what is stored, what is called, and when it ends.

use std::time::Duration;

use session_core::{Expiry, Scope, SessionId, SessionIndex};
use session_http::{Error, Session};

use crate::support::{App, Browser, HOUR, MINUTE, owner, set_cookie};

async fn count(app: &App) -> u64 {
    app.store.inner.count(Scope::All).await.expect("the memory store counts")
}

#[tokio::test]
async fn nothing_is_stored_until_something_is_set() {
    let app = App::new();
    let mut browser = Browser::default();
    let quiet: [fn(&Session); 8] = [
        |_| (),
        |session| assert_eq!(session.get::<u8>("n").expect("nothing is no error"), None),
        |session| session.remove("n"),
        |session| session.clear(),
        |session| session.rotate(),
        |session| session.touch(),
        |session| session.logout(),
        |session| session.modify("list", |list: &mut Vec<u8>| list.retain(|n| *n > 1)).expect("a list is JSON"),
    ];
    for handler in quiet {
        let response = app.request(&mut browser, async |session| handler(session)).await;
        assert!(set_cookie(&response).is_none());
        assert_eq!(app.store.calls(), [""; 0]);
    }
    let response = app.request(&mut browser, async |session| session.set("n", &1).expect("a number is JSON")).await;
    assert!(set_cookie(&response).is_some());
    assert_eq!(app.store.calls(), ["create"]);
}

#[tokio::test]
async fn each_request_makes_the_fewest_calls() {
    let app = App::new();
    let mut browser = app.browser().await;
    type Request = (fn(&Session), &'static [&'static str]);
    let requests: [Request; 6] = [
        (|session| assert_eq!(session.get("n").ok().flatten(), Some(0)), &["load"]),
        (|session| session.set("n", &0).expect("a number is JSON"), &["load"]),
        (|session| session.set("n", &1).expect("a number is JSON"), &["load", "update"]),
        (|session| session.modify("n", |n: &mut u8| *n += 1).expect("it is a number"), &["load", "update"]),
        (|session| session.login("ada").expect("a short name is an owner"), &["load", "rotate"]),
        (|session| session.logout(), &["load", "delete"]),
    ];
    app.store.calls();
    for (handler, calls) in requests {
        app.request(&mut browser, async |session| handler(session)).await;
        assert_eq!(app.store.calls(), calls);
    }
    app.visit(&browser).finish().await;
    assert_eq!(app.store.calls(), [""; 0], "a request that does not ask for its session makes no call");
}

#[tokio::test]
async fn values_come_back_as_they_were_set() {
    let app = App::new();
    let mut browser = Browser::default();
    app.request(&mut browser, async |session| {
        session.set("text", "tea").expect("text is JSON");
        session.set("list", &[1, 2]).expect("a list is JSON");
        session.modify("count", |count: &mut Option<u8>| *count = Some(7)).expect("a number is JSON");
        assert_eq!(session.get("text").expect("it is text"), Some("tea".to_owned()), "read what was just written");
    })
    .await;
    let session = app.visit(&browser).open().await;
    assert_eq!(session.keys(), ["text", "list", "count"]);
    assert_eq!(session.get("list").expect("it is a list"), Some(vec![1, 2]));
    assert!(matches!(session.get::<u8>("text"), Err(Error::UnreadableValue { expected: "u8" })));
    assert!(matches!(session.take::<u8>("text"), Err(Error::UnreadableValue { .. })));
    assert!(session.modify("text", |n: &mut u8| *n = 1).is_err());
    assert_eq!(session.take("text").expect("it is text"), Some("tea".to_owned()));
    assert_eq!(session.take::<String>("text").expect("nothing is no error"), None);
    assert_eq!(session.keys(), ["list", "count"]);
}

#[tokio::test]
async fn s3_an_id_that_was_not_issued_is_never_adopted() {
    let app = App::new();
    let unknown = SessionId::generate().expect("the test machine has randomness");
    let cookie = session_http::CookieFormat::write(
        &session_http::SignedId,
        &unknown,
        &session_http::Secrets::new([crate::support::SECRET]).expect("it is long enough"),
    );
    let mut browser = Browser { cookie: Some(cookie.clone()) };
    let response = app.request(&mut browser, async |session| assert!(session.is_new())).await;
    assert_eq!((app.store.calls(), set_cookie(&response)), (vec!["load"], None), "a load creates nothing (A17)");
    app.request(&mut browser, async |session| session.set("n", &1).expect("a number is JSON")).await;
    assert_ne!(browser.cookie, Some(cookie));
    let presented = app.visit(&browser).open().await.key().expect("it is stored");
    assert_ne!(presented, session_core::SessionKey::derive("session", &unknown));
}

#[tokio::test]
async fn s2_a_stored_key_presented_as_an_id_opens_nothing() {
    let app = App::new();
    let browser = app.browser().await;
    let key = app.visit(&browser).open().await.key().expect("it is stored");
    app.store.calls();
    for forged in [key.as_str(), &key.as_str()[..32], &format!("{}.{}", &key.as_str()[..32], &key.as_str()[..43])] {
        assert!(app.visit(&Browser { cookie: Some(forged.into()) }).open().await.is_new());
    }
    assert_eq!(app.store.calls(), [""; 0]);
}

#[tokio::test]
async fn s11_a_login_changes_the_id_and_the_old_one_is_dead_at_once() {
    let app = App::new();
    let mut browser = app.browser().await;
    let anonymous = browser.clone();
    let created_at = app.visit(&browser).open().await.created_at();
    app.clock.advance(MINUTE);
    app.request(&mut browser, async |session| {
        session.login("ada").expect("a short name is an owner");
        assert_eq!(session.owner(), Some(owner("ada")));
    })
    .await;
    assert!(app.visit(&anonymous).open().await.is_new());
    let session = app.visit(&browser).open().await;
    assert_eq!((session.owner(), session.get("n").ok().flatten()), (Some(owner("ada")), Some(0)));
    assert_eq!(session.created_at(), created_at);

    let again = browser.clone();
    app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
    assert_ne!(browser, again);
    assert_eq!(app.visit(&browser).open().await.keys(), ["n"], "the same user keeps the data");
}

#[tokio::test]
async fn another_users_login_gets_nothing_of_the_first() {
    let app = App::new();
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
    let of_ada = browser.clone();
    app.clock.advance(MINUTE);
    app.request(&mut browser, async |session| {
        session.set("early", &1).expect("a number is JSON");
        session.login("bob").expect("a short name is an owner");
        assert!(session.is_empty());
        session.set("late", &1).expect("a number is JSON");
    })
    .await;
    let session = app.visit(&browser).open().await;
    assert_eq!((session.owner(), session.keys()), (Some(owner("bob")), vec!["late".to_owned()]));
    assert_eq!(session.created_at(), Some(app.now()));
    assert!(app.visit(&of_ada).open().await.is_new());
    assert_eq!(count(&app).await, 1);
}

#[tokio::test]
async fn s13_a_logout_removes_the_record_and_what_follows_is_a_new_session() {
    let app = App::new();
    let mut browser = app.browser().await;
    let key = app.visit(&browser).open().await.key().expect("it is stored");
    app.request(&mut browser, async |session| {
        session.logout();
        assert!(session.is_empty() && session.is_new());
    })
    .await;
    assert_eq!((browser.cookie.as_ref(), count(&app).await), (None, 0));

    for end in [Session::logout, Session::regenerate] {
        let mut browser = app.browser().await;
        let before = browser.clone();
        app.request(&mut browser, async |session| {
            end(session);
            session.set("message", "see you").expect("text is JSON");
        })
        .await;
        assert_eq!(app.visit(&browser).open().await.keys(), ["message"]);
        assert!(app.visit(&before).open().await.is_new());
    }
    assert!(!app.is_live(&key).await);
}

#[tokio::test]
async fn s15_an_emptied_session_is_destroyed_unless_somebody_owns_it() {
    let app = App::new();
    for empty in [(|session| session.remove("n")) as fn(&Session), Session::clear] {
        let mut browser = app.browser().await;
        app.request(&mut browser, async |session| empty(session)).await;
        assert_eq!((browser.cookie.as_ref(), count(&app).await), (None, 0));
    }
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
    app.request(&mut browser, async |session| session.clear()).await;
    assert_eq!(app.visit(&browser).open().await.owner(), Some(owner("ada")));
}

#[tokio::test]
async fn a9_a_session_ends_at_its_expiry_to_the_millisecond() {
    let app = App::new();
    let mut browser = app.browser().await;
    app.clock.advance(HOUR - Duration::from_millis(1));
    assert!(!app.visit(&browser).open().await.is_new());
    app.clock.advance(Duration::from_millis(1));
    let response = app.request(&mut browser, async |session| assert!(session.is_new())).await;
    assert!(set_cookie(&response).is_none());
}

#[tokio::test]
async fn touches_are_throttled() {
    // A tenth of an hour is more than a minute, so a minute it is.
    let app = App::new();
    let mut browser = app.browser().await;
    app.store.calls();
    for (wait, calls) in [(59_999, &["load"][..]), (1, &["load", "touch"]), (30_000, &["load"])] {
        app.clock.advance(Duration::from_millis(wait));
        app.request(&mut browser, async |_| ()).await;
        assert_eq!(app.store.calls(), calls, "{wait}");
    }
    app.request(&mut browser, async |session| session.touch()).await;
    assert_eq!(app.store.calls(), ["load", "touch"]);
    assert_eq!(app.visit(&browser).open().await.expires_at(), Some(app.now().saturating_add(HOUR)));

    let short = App::with(|config| config.with_expiry(Expiry::idle(MINUTE).expect("not zero")));
    let mut browser = short.browser().await;
    short.store.calls();
    for (wait, calls) in [(5_999, &["load"][..]), (1, &["load", "touch"])] {
        short.clock.advance(Duration::from_millis(wait));
        short.request(&mut browser, async |_| ()).await;
        assert_eq!(short.store.calls(), calls, "{wait}");
    }
}

#[tokio::test]
async fn a_handle_that_outlives_the_response_can_save_data_but_not_change_the_id() {
    let app = App::new();
    let browser = app.browser().await;
    let visit = app.visit(&browser);
    let session = visit.open().await;
    visit.finish().await;
    session.set("late", &1).expect("a number is JSON");
    session.save().await.expect("data needs no cookie");
    assert_eq!(app.value(&browser, "late").await, Some(1.into()));
    session.rotate();
    assert!(matches!(session.save().await, Err(Error::HeadSent)));
    let stranger = app.visit(&Browser::default());
    let new = stranger.open().await;
    stranger.finish().await;
    new.set("n", &1).expect("a number is JSON");
    assert!(matches!(new.save().await, Err(Error::HeadSent)));
    let stranger = app.visit(&Browser::default());
    stranger.finish().await;
    let late = stranger.open().await;
    late.set("n", &1).expect("a number is JSON");
    assert!(matches!(late.save().await, Err(Error::HeadSent)));
    assert_eq!(count(&app).await, 1);
}

#[tokio::test]
async fn a15_what_was_saved_before_the_response_is_there_and_its_cookie_is_sent() {
    let app = App::new();
    let visit = app.visit(&Browser::default());
    let session = visit.open().await;
    session.set("n", &1).expect("a number is JSON");
    session.save().await.expect("the store works");
    assert_eq!(count(&app).await, 1);
    session.set("n", &2).expect("a number is JSON");
    let mut browser = Browser::default();
    browser.learn(&visit.finish().await);
    assert_eq!(app.value(&browser, "n").await, Some(2.into()));
    assert_eq!(count(&app).await, 1);
}

#[tokio::test]
async fn a_closure_that_changes_its_own_value_by_another_handle_ends() {
    let app = App::new();
    let session = app.visit(&Browser::default()).open().await;
    let other = session.clone();
    let refused = session.modify("n", move |n: &mut u32| {
        *n += 1;
        other.set("n", &(*n + 1)).expect("a number is JSON");
    });
    assert!(matches!(refused, Err(Error::Contention)));
    let other = session.clone();
    session
        .modify("m", move |m: &mut u32| *m = other.get("n").ok().flatten().unwrap_or_default())
        .expect("another value may be read");
    session.logout();
}
