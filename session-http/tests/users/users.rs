//! The sessions of a user: listed, ended, and limited in their number (S14), also when fifty logins come at once.

use std::sync::Arc;

use session_core::{Scope, SessionIndex, SessionKey};
use session_http::{Error, Secrets, SessionConfig, SessionLimit, SessionSlot, Sessions};
use session_store_memory::MemoryStore;

use crate::support::{App, Browser, MINUTE, SECRET, Trouble, WatchedStore, assert_unavailable, owner, set_cookie};

fn app(limit: Option<SessionLimit>) -> App {
    App::configured(|store, clock| {
        let secrets = Secrets::new([SECRET]).expect("the secret is long enough");
        let config = SessionConfig::new(store, secrets).with_clock(clock).with_timer(crate::support::TokioTimer);
        match limit {
            Some(limit) => config.with_session_limit(limit),
            None => config,
        }
    })
}

/// Logs a new browser in, and returns it with what it got.
async fn login(app: &App, name: &str) -> (Browser, u16) {
    let mut browser = Browser::default();
    let response =
        app.request(&mut browser, async |session| session.login(name).expect("a short name is an owner")).await;
    (browser, response.status().as_u16())
}

async fn is_logged_in(app: &App, browser: &Browser) -> bool {
    app.visit(browser).open().await.owner().is_some()
}

async fn key(app: &App, browser: &Browser) -> SessionKey {
    app.visit(browser).open().await.key().expect("it is stored")
}

async fn live(app: &App, name: &str) -> u64 {
    app.store.inner.count(Scope::Owner(&owner(name))).await.expect("the memory store counts")
}

#[tokio::test]
async fn s14_a_user_sees_and_ends_his_own_sessions_and_nobody_elses() {
    let app = app(None);
    let ((one, _), (two, _), (three, _)) =
        (login(&app, "ada").await, login(&app, "ada").await, login(&app, "ada").await);
    let (bob, _) = login(&app, "bob").await;
    let mut one = one;
    let visit = app.visit(&one);
    let session = visit.open().await;
    let mut listed: Vec<_> =
        session.sessions().await.expect("it is an index").into_iter().map(|info| info.key).collect();
    let mut expected = vec![key(&app, &one).await, key(&app, &two).await, key(&app, &three).await];
    listed.sort_by_key(ToString::to_string);
    expected.sort_by_key(ToString::to_string);
    assert_eq!(listed, expected);

    assert!(!session.end_session(&key(&app, &bob).await).await.expect("the store works"), "it is not hers");
    assert!(is_logged_in(&app, &bob).await);
    let second = key(&app, &two).await;
    assert!(session.end_session(&second).await.expect("the store works"));
    assert!(!session.end_session(&second).await.expect("the store works"), "it has ended already");
    assert!(!is_logged_in(&app, &two).await);

    let before = app.visit(&three);
    assert_eq!(session.end_other_sessions().await.expect("it is an index"), 1);
    assert!(!is_logged_in(&app, &one).await, "who shares the id is out too");
    one.learn(&visit.finish().await);
    assert!(is_logged_in(&app, &one).await && !is_logged_in(&app, &three).await && is_logged_in(&app, &bob).await);
    // Of a session that was ended so, requests that were on their way begin none. The browser has nothing else to
    // present, so later ones do, until it got another cookie.
    for (visit, begins) in [(before, false), (app.visit(&three), true), (app.visit(&three), false)] {
        visit.open().await.set("n", &1).expect("a number is JSON");
        assert_eq!(set_cookie(&visit.finish().await).is_some(), begins);
    }

    let visitor = app.visit(&Browser::default()).open().await;
    assert!(visitor.sessions().await.is_ok_and(|none| none.is_empty()));
    assert_eq!(visitor.end_other_sessions().await.expect("it is an index"), 0);
    assert!(!visitor.end_session(&key(&app, &bob).await).await.expect("nothing is done"));
}

#[tokio::test]
async fn ones_own_session_ends_as_by_a_logout() {
    let app = app(None);
    let (mut browser, _) = login(&app, "ada").await;
    app.request(&mut browser, async |session| {
        let own = session.key().expect("it is stored");
        assert!(session.end_session(&own).await.expect("nothing is done yet"));
    })
    .await;
    assert_eq!((browser, live(&app, "ada").await), (Browser::default(), 0));
}

#[tokio::test]
async fn a_login_may_end_all_others_before_it_is_stored() {
    let app = app(None);
    let (old, _) = login(&app, "ada").await;
    let mut browser = Browser::default();
    app.request(&mut browser, async |session| {
        session.login("ada").expect("a short name is an owner");
        assert_eq!(session.end_other_sessions().await.expect("it is an index"), 1);
    })
    .await;
    assert!(is_logged_in(&app, &browser).await && !is_logged_in(&app, &old).await);
}

#[tokio::test]
async fn an_outage_is_one() {
    let app = app(None);
    let (browser, _) = login(&app, "ada").await;
    let session = app.visit(&browser).open().await;
    app.store.set_down(true);
    let other = SessionKey::parse("another").expect("it is short");
    assert!(session.sessions().await.is_err() && session.end_other_sessions().await.is_err());
    assert!(session.end_session(&other).await.is_err());
}

#[tokio::test]
async fn the_oldest_login_ends_and_the_age_of_the_visitors_session_does_not_count() {
    let app = app(Some(SessionLimit::end_oldest(3)));
    // It begins first and is logged in last.
    let mut visitor = Browser::default();
    app.request(&mut visitor, async |session| session.set("cart", "tea").expect("text is JSON")).await;
    let mut browsers = Vec::new();
    for _ in 0..4 {
        app.clock.advance(MINUTE);
        browsers.push(login(&app, "ada").await.0);
    }
    app.request(&mut browsers[1], async |session| session.reauthenticate()).await;
    app.request(&mut visitor, async |session| session.login("ada").expect("a short name is an owner")).await;
    let mut alive = Vec::new();
    for browser in &browsers {
        alive.push(is_logged_in(&app, browser).await);
    }
    assert_eq!(alive, [false, false, true, true], "a new proof does not make a login a later one");
    assert_eq!(app.value(&visitor, "cart").await, Some("tea".into()));
    assert_eq!(live(&app, "ada").await, 3);
    assert_eq!(login(&app, "bob").await.1, 200, "another user has their own");
}

#[tokio::test]
async fn logins_one_after_the_other_within_a_millisecond_or_with_clocks_that_differ_keep_the_last() {
    let app = app(Some(SessionLimit::end_oldest(2)));
    let mut last = Vec::new();
    for number in 0..20 {
        if number % 7 == 6 {
            app.clock.set(app.now().saturating_sub(MINUTE));
        }
        last.push(login(&app, "ada").await.0);
        assert!(is_logged_in(&app, &last[number]).await, "{number}");
        assert!(number < 1 || is_logged_in(&app, &last[number - 1]).await, "{number}");
    }
    assert_eq!(live(&app, "ada").await, 2);
}

#[tokio::test]
async fn a_login_too_many_is_refused_and_leaves_the_visitors_session_alone() {
    let app = app(Some(SessionLimit::reject_new(2)));
    let (mut first, _) = login(&app, "ada").await;
    login(&app, "ada").await;
    let mut visitor = Browser::default();
    app.request(&mut visitor, async |session| session.set("cart", "tea").expect("text is JSON")).await;
    let before = visitor.clone();
    let response =
        app.request(&mut visitor, async |session| session.login("ada").expect("a short name is an owner")).await;
    assert_eq!((response.status().as_u16(), set_cookie(&response), &visitor), (403, None, &before));
    assert_eq!(app.value(&visitor, "cart").await, Some("tea".into()));
    // A handler that wants to say it better asks earlier.
    let response = app
        .request(&mut visitor, async |session| {
            session.login("ada").expect("a short name is an owner");
            assert!(matches!(session.save().await, Err(Error::TooManySessions)));
            session.unset();
            assert_eq!(session.owner(), None);
        })
        .await;
    assert_eq!(response.status(), 200);
    let again = app.request(&mut first, async |session| session.login("ada").expect("a short name is an owner")).await;
    assert_eq!((again.status().as_u16(), live(&app, "ada").await), (200, 2), "it is one of the two");
    app.request(&mut first, async |session| session.logout()).await;
    let response =
        app.request(&mut visitor, async |session| session.login("ada").expect("a short name is an owner")).await;
    assert_eq!((response.status().as_u16(), live(&app, "ada").await), (200, 2));
}

#[tokio::test]
async fn a_login_too_many_leaves_the_session_of_another_user_alone() {
    let app = app(Some(SessionLimit::reject_new(1)));
    login(&app, "ada").await;
    let (mut bob, _) = login(&app, "bob").await;
    let response = app.request(&mut bob, async |session| session.login("ada").expect("a short name is an owner")).await;
    assert_eq!(response.status(), 403);
    assert_eq!(app.visit(&bob).open().await.owner(), Some(owner("bob")));
}

#[tokio::test]
async fn a_save_is_limited_too_and_a_login_stands_when_the_others_cannot_be_ended() {
    let app = app(Some(SessionLimit::end_oldest(1)));
    login(&app, "ada").await;
    let mut browser = Browser::default();
    app.request(&mut browser, async |session| {
        session.login("ada").expect("a short name is an owner");
        session.save().await.expect("the store works");
    })
    .await;
    assert_eq!(live(&app, "ada").await, 1);

    let visit = app.visit(&Browser::default());
    let session = visit.open().await;
    session.login("ada").expect("a short name is an owner");
    app.store.set_trouble_at("delete", Trouble::Down);
    session.save().await.expect("the login is stored");
    let response = visit.finish().await;
    app.store.set_trouble_at("delete", Trouble::None);
    assert!(response.status() == 200 && set_cookie(&response).is_some());
    assert_eq!(live(&app, "ada").await, 2);
    login(&app, "ada").await;
    assert_eq!(live(&app, "ada").await, 1, "the next login ends them");

    let visit = app.visit(&Browser::default());
    visit.open().await.login("ada").expect("a short name is an owner");
    app.store.set_trouble(Trouble::Down);
    assert_unavailable(&visit.finish().await);
}

/// Fifty browsers log in at once; returns how many were told that they are in, and how many are.
async fn fifty_at_once(index: Arc<dyn SessionIndex>, limit: SessionLimit, name: &str) -> (usize, usize) {
    let secrets = Secrets::new([SECRET]).expect("the secret is long enough");
    let config = Sessions::from(SessionConfig::new(index, secrets).with_session_limit(limit));
    let logins: Vec<_> = (0..50)
        .map(|_| {
            let (config, user) = (config.clone(), owner(name));
            tokio::spawn(async move {
                let slot = SessionSlot::new(config.clone());
                slot.open(&http::HeaderMap::new())
                    .await
                    .expect("nothing is loaded")
                    .login(user)
                    .expect("it is an owner");
                tokio::task::yield_now().await;
                let mut response = http::Response::new(());
                match slot.commit().await {
                    Ok(headers) => headers.apply_to(&mut response),
                    Err(Error::TooManySessions) => {}
                    Err(error) => panic!("{error}"),
                }
                set_cookie(&response).map(|(cookie, _)| format!("__Host-session={cookie}"))
            })
        })
        .collect();
    let mut cookies = Vec::new();
    for login in logins {
        cookies.extend(login.await.expect("no login panics"));
    }
    let (told, mut alive) = (cookies.len(), 0);
    for cookie in cookies {
        let request = http::Request::builder().header(http::header::COOKIE, cookie).body(()).expect("it is valid");
        let slot = SessionSlot::new(config.clone());
        alive += usize::from(slot.open(request.headers()).await.expect("the store works").owner().is_some());
    }
    (told, alive)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_logins_at_once_with_a_limit_of_three_end_with_three() {
    let watched = WatchedStore::new(MemoryStore::new());
    watched.yield_before_calls();
    let stores: [Arc<dyn SessionIndex>; 2] = [Arc::new(MemoryStore::new()), Arc::new(watched)];
    for store in stores {
        for (round, limit) in
            [SessionLimit::end_oldest(3), SessionLimit::reject_new(3)].into_iter().cycle().take(20).enumerate()
        {
            let name = format!("user{round}");
            let (told, alive) = fifty_at_once(store.clone(), limit, &name).await;
            let live = store.count(Scope::Owner(&owner(&name))).await.expect("the store counts");
            assert_eq!((live, alive), (3, 3), "{limit:?}");
            assert!(told >= 3, "{limit:?}");
        }
    }
}
