//! The rules of Express beside the recorded rows: several requests, what is kept with a session, HTTPS, paths and outages.

mod support;

use std::time::Duration;

use session_core::SessionStore;
use session_express::{
    Error, ExpressCookie, ExpressSession, Proxy, Secrets, SecureByProxy, SecureConnection, SecurePolicy, Session,
    SessionConfig, SessionSlot,
};
use support::{MINUTE, Site, ada, eager, lean, line, log_in, open, respond, set};

#[tokio::test]
async fn a_slow_request_brings_back_no_session_that_was_destroyed_regenerated_or_logged_in() {
    let acts: [fn(&Session); 3] = [|session| session.logout(), |session| session.regenerate(), log_in];
    for (number, act) in acts.into_iter().enumerate() {
        for loads_before in [true, false] {
            let mut site = Site::new(eager());
            site.visit(async |session| set(session, "n")).await;
            let slow = site.slot();
            if loads_before {
                set(&open(&slow).await, "slow");
            }
            site.visit(async |session| act(session)).await;
            if !loads_before {
                set(&open(&slow).await, "slow");
            }
            assert_eq!(site.finish(&slow).await, None, "the cookie of the other request stays");
            assert_eq!(site.live().await, u64::from(number > 0));
            let slot = site.slot();
            let session = open(&slot).await;
            assert_eq!(session.owner(), (number == 2).then(ada));
            assert!(session.get::<u8>("slow").expect("it is a number").is_none());
        }
    }
}

#[tokio::test]
async fn two_writers_lose_nothing() {
    let mut site = Site::new(lean());
    site.visit(async |session| set(session, "n")).await;
    let slow = site.slot();
    set(&open(&slow).await, "slow");
    site.visit(async |session| set(session, "fast")).await;
    site.finish(&slow).await;
    site.visit(async |session| assert_eq!(session.keys(), ["n", "fast", "slow"])).await;
}

#[tokio::test]
async fn an_age_of_its_own_is_stored_with_the_session_when_that_is_written() {
    for (express, is_kept) in [(lean(), false), (eager(), true)] {
        let mut site = Site::new(express.with_rolling());
        site.visit(async |session| set(session, "n")).await;
        let line = site.visit(async |session| session.set_max_age(Some(MINUTE))).await.expect("it rolls");
        assert!(line.contains("; Expires="));
        let line = site.visit(async |_| ()).await.expect("it rolls");
        assert_eq!(line.contains("; Expires="), is_kept);
        site.clock.advance(MINUTE);
        assert!(site.visit(async |session| assert_eq!(session.is_new(), is_kept)).await.is_some());
    }
}

#[tokio::test]
async fn each_use_moves_the_end_and_no_value_can_be_named_cookie() {
    let mut site = Site::new(lean().with_cookie(ExpressCookie::new().with_max_age(MINUTE)));
    site.visit(async |session| set(session, "n")).await;
    for _ in 0..3 {
        site.clock.advance(MINUTE - Duration::from_millis(1));
        let slot = site.slot();
        assert_eq!(site.finish(&slot).await, None, "nobody opened it, and it is touched all the same");
    }
    site.visit(async |session| {
        assert!(matches!(session.set("cookie", &1), Err(Error::ReservedName)));
        assert!(matches!(session.modify("cookie", |n: &mut u8| *n = 1), Err(Error::ReservedName)));
        assert_eq!(session.keys(), ["n"]);
        session.clear();
    })
    .await;
    site.visit(async |session| assert!(session.is_empty() && !session.is_new())).await;
    site.clock.advance(MINUTE);
    site.visit(async |session| assert!(session.is_new())).await;
}

#[tokio::test]
async fn a_reload_drops_the_changes_and_unset_keeps_what_is_stored() {
    let mut site = Site::new(lean());
    site.visit(async |session| set(session, "n")).await;
    site.store.calls();
    site.visit(async |session| {
        set(session, "dropped");
        session.reload().await.expect("it is stored");
    })
    .await;
    assert_eq!(site.store.calls(), ["load", "load", "touch"]);
    site.visit(async |session| {
        set(session, "dropped");
        session.unset();
        set(session, "dropped too");
    })
    .await;
    assert_eq!(site.store.calls(), ["load"]);
    site.visit(async |session| assert_eq!(session.keys(), ["n"])).await;
}

#[tokio::test]
async fn a_secure_cookie_goes_over_https_only_and_its_session_is_stored_anyway() {
    let cookie = ExpressCookie::new().with_secure(SecurePolicy::Always);
    // The mark `t` is of TLS that ended here, `p` of a proxy that a middleware trusts.
    for (proxy, forwarded, mark, is_set) in [
        (Proxy::Middleware, "https", ' ', false),
        (Proxy::Middleware, "http", 't', true),
        (Proxy::Middleware, "http", 'p', true),
        (Proxy::Refused, "https", ' ', false),
        (Proxy::Refused, "http", 't', true),
        (Proxy::Refused, "https", 'p', false),
        (Proxy::Trusted, " HTTPS , http", ' ', true),
        (Proxy::Trusted, "http, https", ' ', false),
        (Proxy::Trusted, "http", 't', true),
        (Proxy::Trusted, "", 'p', false),
    ] {
        let site = Site::new(lean().with_cookie(cookie.clone()).with_proxy(proxy));
        let mut request = site.request("/");
        request.headers_mut().insert("x-forwarded-proto", forwarded.parse().expect("the test's header is valid"));
        match mark {
            't' => drop(request.extensions_mut().insert(SecureConnection)),
            'p' => drop(request.extensions_mut().insert(SecureByProxy)),
            _ => {}
        }
        let slot = site.slot_of(&request);
        set(&open(&slot).await, "n");
        assert_eq!(line(&respond(&slot).await).is_some(), is_set, "{proxy:?} {forwarded} {mark}");
        assert_eq!(site.live().await, 1);
    }
}

#[tokio::test]
async fn other_paths_have_no_session() {
    let express = eager();
    let site = Site::new(express.with_cookie(ExpressCookie::new().with_path("/app")));
    for (path, is_served) in [("/app", true), ("/app/x?y", true), ("/apple", true), ("/", false), ("/APP", false)] {
        let slot = site.slot_of(&site.request(path));
        assert_eq!(slot.is_outside_path(), !is_served, "{path}");
        assert_eq!(slot.open(&http::HeaderMap::new()).await.is_ok(), is_served, "{path}");
        slot.commit().await.map(drop).expect("the store works");
        assert_eq!(site.store.calls().len(), usize::from(is_served), "{path}");
    }
}

#[tokio::test]
async fn the_cookie_that_is_stored_with_a_session_is_the_one_that_is_set() {
    let mut site = Site::new(lean().with_rolling());
    site.visit(async |session| set(session, "n")).await;
    let slot = site.slot();
    let key = open(&slot).await.key().expect("it is stored");
    let (mut record, revision) = site.store.inner.load(&key).await.expect("it works").expect("it is live");
    let data = r#"{"cookie":{"originalMaxAge":60000,"expires":"2020-01-01T00:00:00.000Z","httpOnly":false,"path":"/x",
        "domain":"example.com","sameSite":true,"priority":"High","secure":false,"new":1},"n":1}"#;
    record.data = session_core::Data::parse(data).expect("it is an object");
    site.store.inner.update(&key, revision, &record).await.expect("it is live");
    let line = site.visit(async |_| ()).await.expect("it rolls");
    let flags = line.split_once("; ").expect("it has flags").1;
    assert!(flags.starts_with("Domain=example.com; Path=/x; Expires="), "{flags}");
    assert!(flags.ends_with("GMT; Priority=High; SameSite=Strict"), "{flags}");
}

#[tokio::test]
async fn an_outage_is_an_error_and_sets_no_cookie() {
    let mut site = Site::new(lean().with_rolling());
    site.visit(async |session| set(session, "n")).await;
    site.store.set_down(true);
    let slot = site.slot();
    assert_eq!(slot.commit().await.map(drop).expect_err("it is down").status(), 503);
    let slot = site.slot();
    assert!(slot.open(&http::HeaderMap::new()).await.is_err());
    site.store.calls();
    assert!(site.finish(&slot).await.is_none(), "who asked was told, and decides");
    assert_eq!(site.store.calls(), [""; 0]);
}

#[tokio::test]
async fn the_options_of_the_cookie_may_depend_on_the_request() {
    let express = eager();
    let express = express.with_cookie_of(|request| {
        let cookie = ExpressCookie::new().with_max_age(MINUTE);
        match request.headers.get("x-tenant").and_then(|tenant| tenant.to_str().ok()) {
            Some(tenant) => cookie.with_domain(tenant).with_path("/app"),
            None => cookie,
        }
    });
    let site = Site::new(express);
    for (tenant, path, flags) in [
        ("a.example", "/app", Some("Domain=a.example; Path=/app; Expires=Thu, 01 Jan 2026 12:01:00 GMT; HttpOnly")),
        ("a.example", "/", None),
        ("not a host", "/app", None),
    ] {
        let mut request = site.request(path);
        request.headers_mut().insert("x-tenant", tenant.parse().expect("the test's header is valid"));
        let line = line(&respond(&site.slot_of(&request)).await);
        assert_eq!(line.as_deref().and_then(|line| Some(line.split_once("; ")?.1)), flags, "{tenant} {path}");
    }
    assert_eq!(site.live().await, 2, "a cookie that cannot be written is no reason not to store the session");
}

#[tokio::test]
async fn a_handler_changes_the_cookie_of_its_session() {
    let mut site = Site::new(lean());
    let change = async |session: &Session| {
        let cookie = session.express_cookie().expect("these are the rules of Express");
        session.set_express_cookie(cookie.with_path("/app").with_max_age(MINUTE).without_http_only());
        set(session, "n");
    };
    let line = site.visit(change).await.expect("it is new");
    assert!(line.ends_with("; Path=/app; Expires=Thu, 01 Jan 2026 12:01:00 GMT"), "{line}");
    site.clock.advance(MINUTE - Duration::from_millis(1));
    let line = site.visit(async |session| set(session, "more")).await.expect("it has an age and was changed");
    assert!(line.ends_with("; Path=/app; Expires=Thu, 01 Jan 2026 12:01:59 GMT"), "{line}");
    site.visit(async |session| session.set_max_age(None)).await;
    let secrets = Secrets::random_for_development().expect("the test machine has randomness");
    let ours = open(&SessionSlot::new(SessionConfig::new(site.store.clone(), secrets))).await;
    ours.set_express_cookie(ExpressCookie::new());
    assert!(ours.express_cookie().is_none(), "other rules, no such cookie");
}

#[test]
fn of_an_age_and_an_end_the_last_counts() {
    let end = session_core::Timestamp::MAX;
    let (age_last, end_last) = (
        ExpressCookie::new().with_expires(end).with_max_age(MINUTE),
        ExpressCookie::new().with_max_age(MINUTE).with_expires(end),
    );
    assert_eq!(age_last, ExpressCookie::new().with_max_age(MINUTE));
    assert_eq!(end_last, ExpressCookie::new().with_expires(end));
    assert_eq!(end_last.without_max_age(), ExpressCookie::new());
}

#[tokio::test]
async fn names_that_express_has_for_itself_are_refused_and_dropped() {
    let mut site = Site::new(lean());
    site.visit(async |session| set(session, "n")).await;
    let slot = site.slot();
    let key = open(&slot).await.key().expect("it is stored");
    let (mut record, revision) = site.store.inner.load(&key).await.expect("it works").expect("it is live");
    record.data = session_core::Data::parse(r#"{"cookie":{},"id":5,"n":1,"toString":2}"#).expect("it is an object");
    site.store.inner.update(&key, revision, &record).await.expect("it is live");
    site.visit(async |session| {
        assert_eq!(session.keys(), ["n"]);
        for name in ["id", "save", "__proto__", "cookie"] {
            assert!(matches!(session.set(name, &1), Err(Error::ReservedName)), "{name}");
        }
    })
    .await;
    let (record, _) = site.store.inner.load(&key).await.expect("it works").expect("it is live");
    assert_eq!(record.data.keys(), ["cookie", "n"], "Express takes that for a change, and writes it");
}

/// The browser keeps its cookie after a logout, so what comes next presents an id that has just ended.
#[tokio::test]
async fn after_a_logout_the_next_request_begins_a_session() {
    for signs_in in [true, false] {
        let mut site = Site::new(lean());
        let old = site.visit(async |session| set(session, "n")).await.expect("it is new");
        assert_eq!(site.visit(async |session| session.logout()).await, None, "Express leaves the cookie there");
        let visit = site.visit(async |session| {
            if signs_in {
                session.regenerate();
            }
            set(session, "next");
        });
        assert!(visit.await.expect("a session begins") != old);
        site.visit(async |session| assert_eq!(session.keys(), ["next"])).await;
    }
}

/// Once the browser has a new cookie, whoever still presents the old id was on the way, and leaves that cookie alone.
#[tokio::test]
async fn after_a_logout_and_a_new_session_a_late_request_leaves_its_cookie_alone() {
    let mut site = Site::new(lean());
    site.visit(async |session| set(session, "n")).await;
    let before = site.slot();
    let old = site.cookie.clone();
    site.visit(async |session| session.logout()).await;
    site.visit(async |session| set(session, "next")).await.expect("a session begins");
    let new = std::mem::replace(&mut site.cookie, old);
    let late = site.slot();
    for slot in [before, late] {
        set(&open(&slot).await, "late");
        assert_eq!(site.finish(&slot).await, None);
    }
    site.cookie = new;
    site.visit(async |session| assert_eq!(session.keys(), ["next"])).await;
    assert_eq!(site.live().await, 1);
}
