//! Two tabs of one browser, in every order of all their steps, with saves in the middle of both: the user ends as the
//! login or the logout says, with one live session or none, and a change that had to be dropped shows as an event (A2,
//! A3).

use session_core::{Scope, SessionIndex};
use session_http::{Error, Session};

use crate::support::log::{drops, start_log};
use crate::support::{App, Browser, HOUR, MINUTE, owner, set_cookie};

/// All ways to run two sequences of steps side by side, each in its own order.
fn interleavings(one: &str, two: &str) -> Vec<String> {
    match (one.chars().next(), two.chars().next()) {
        (None, _) => vec![two.to_owned()],
        (_, None) => vec![one.to_owned()],
        (Some(first), Some(second)) => {
            let after = |step: char, rest: Vec<String>| rest.into_iter().map(move |rest| format!("{step}{rest}"));
            let mut all: Vec<_> = after(first, interleavings(&one[1..], two)).collect();
            all.extend(after(second, interleavings(one, &two[1..])));
            all
        }
    }
}

/// What the slow request does before its save, and after it; each leaves a trace under `early` and `late`.
type Write = fn(&Session, &str);

const WRITES: [Write; 3] = [
    |session, name| session.set(name, &1).expect("a number is JSON"),
    |session, name| session.modify(name, |n: &mut u32| *n += 1).expect("it is a number"),
    |session, name| {
        session.set_max_age(Some(HOUR));
        session.set(name, &1).expect("a number is JSON");
        session.touch();
    },
];

/// Saves; `false` says that the session was ended elsewhere.
async fn save(session: &Session) -> bool {
    match session.save().await {
        Ok(()) => true,
        Err(Error::Ended) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_login_that_saves_and_a_slow_request_that_saves_in_every_order() {
    start_log();
    let orders = interleavings("lsc", "LSC");
    assert_eq!(orders.len(), 20);
    for order in orders {
        for write in WRITES {
            let app = App::new();
            let mut browser = app.browser().await;
            let (slow, login) = (app.visit(&browser), app.visit(&browser));
            let mut dropped = 0;
            let before = drops();
            app.clock.advance(MINUTE);
            for step in order.chars() {
                match step {
                    'l' => write(&slow.open().await, "early"),
                    's' => {
                        let session = slow.open().await;
                        dropped += usize::from(!save(&session).await);
                        write(&session, "late");
                    }
                    'c' => {
                        let response = slow.finish().await;
                        assert!(set_cookie(&response).is_none_or(|(_, flags)| flags.contains("Max-Age")), "{order}");
                        browser.learn(&response);
                    }
                    'L' => {
                        let session = login.open().await;
                        session.login("ada").expect("a short name is an owner");
                        session.set("cart", "tea").expect("text is JSON");
                    }
                    'S' => assert!(save(&login.open().await).await, "{order}"),
                    _ => browser.learn(&login.finish().await),
                }
            }
            let session = app.visit(&browser).open().await;
            assert_eq!(session.owner(), Some(owner("ada")), "{order}");
            assert_eq!(session.get("cart").expect("it is text"), Some("tea".to_owned()), "{order}");
            assert_eq!(session.get("n").expect("it is a number"), Some(0), "{order}");
            let rotation = order.find('S');
            for (name, step) in [("early", 's'), ("late", 'c')] {
                let is_kept = session.get::<u32>(name).expect("it is a number").is_some();
                assert_eq!(is_kept, order.find(step) < rotation, "{order} {name}");
                dropped += usize::from(name == "late" && !is_kept);
            }
            assert_eq!(drops() - before, dropped, "{order}: what is dropped shows as an event");
            assert_eq!(app.store.inner.count(Scope::All).await.expect("it counts"), 1, "{order}");
        }
    }
}

#[tokio::test]
async fn a_logout_and_a_slow_request_that_saves_in_every_order() {
    start_log();
    for order in interleavings("lsc", "LC") {
        for write in WRITES {
            let app = App::new();
            let mut browser = app.browser().await;
            app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
            let before = browser.clone();
            let (slow, logout) = (app.visit(&browser), app.visit(&browser));
            app.clock.advance(MINUTE);
            for step in order.chars() {
                match step {
                    'l' => write(&slow.open().await, "early"),
                    's' => {
                        let session = slow.open().await;
                        save(&session).await;
                        write(&session, "late");
                    }
                    'c' => {
                        let response = slow.finish().await;
                        if order.find('C') < order.find('c') {
                            assert!(set_cookie(&response).is_none(), "{order}");
                        }
                        browser.learn(&response);
                    }
                    'L' => logout.open().await.logout(),
                    _ => browser.learn(&logout.finish().await),
                }
            }
            assert_eq!(app.store.inner.count(Scope::All).await.expect("it counts"), 0, "{order}");
            assert_eq!(browser.cookie, None, "{order}");
            assert!(app.visit(&before).open().await.is_new(), "{order}");
        }
    }
}

#[tokio::test]
async fn two_logins_of_different_users_in_every_order_mix_nothing() {
    for order in interleavings("lc", "LC") {
        let app = App::new();
        let mut browser = app.browser().await;
        let (ada, bob) = (app.visit(&browser), app.visit(&browser));
        let mut last = "";
        for step in order.chars() {
            let (visit, name) = if step.is_lowercase() { (&ada, "ada") } else { (&bob, "bob") };
            if step.eq_ignore_ascii_case(&'l') {
                let session = visit.open().await;
                session.login(name).expect("a short name is an owner");
                session.set("whose", name).expect("text is JSON");
            } else {
                browser.learn(&visit.finish().await);
                last = name;
            }
        }
        let session = app.visit(&browser).open().await;
        assert_eq!((session.owner(), session.get("whose").ok().flatten()), (Some(owner(last)), Some(last.to_owned())));
        // A13: what the index says is what the records say.
        for name in ["ada", "bob"] {
            let user = owner(name);
            let page = session_core::Page::first(10);
            let listing = app.store.inner.list(Scope::Owner(&user), &page).await.expect("it lists");
            for info in listing.sessions {
                use session_core::SessionStore as _;
                let (record, _) = app.store.inner.load(&info.key).await.expect("it works").expect("it is live");
                assert_eq!(record.owner, Some(user.clone()), "{order}");
                assert_eq!(record.data.get("whose").ok().flatten(), Some(name.to_owned()), "{order}");
            }
        }
    }
}

#[tokio::test]
async fn a6_a_request_that_is_slower_than_its_session_revives_nothing() {
    start_log();
    for write in WRITES {
        for is_saved in [true, false] {
            let app = App::new();
            let mut browser = app.browser().await;
            let slow = app.visit(&browser);
            let session = slow.open().await;
            write(&session, "late");
            app.clock.advance(HOUR);
            let before = drops();
            if is_saved {
                assert!(!save(&session).await);
                write(&session, "later");
            }
            assert!(set_cookie(&slow.finish().await).is_none());
            assert_eq!(drops() - before, 1 + usize::from(is_saved));
            assert_eq!(app.store.inner.count(Scope::All).await.expect("it counts"), 0);
            // It only touches: there is nothing to drop.
            app.request(&mut browser, async |session| assert!(session.is_new() && session.is_empty())).await;
        }
    }
}

#[tokio::test]
async fn what_another_tab_sets_meanwhile_does_not_survive_a_clear_though_there_was_nothing_to_clear() {
    let app = App::new();
    let mut browser = Browser::default();
    app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
    let slow = app.visit(&browser);
    slow.open().await.clear();
    app.request(&mut browser, async |session| session.set("n", &1).expect("a number is JSON")).await;
    slow.finish().await;
    let session = app.visit(&browser).open().await;
    assert!(session.is_empty() && session.owner() == Some(owner("ada")));
}
