//! Cases about `req.session`: its methods, and its cookie.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::response::AppendHeaders;
use http::{Uri, header};
use session_core::{SessionIndex, SessionStore, Timestamp};
use session_express::{Express, ExpressCookie, ExpressSession, Priority, Proxy, SecurePolicy, Session};

use super::server::{Answer, Server, count, end, options, server, with_cookie};
use super::store::WatchedStore;
use crate::{Case, describe, differs, it};

pub(crate) fn cases() -> Vec<Case> {
    [
        describe("session() > req.session", all()),
        describe("session() > req.session > .reload()", reload()),
        describe("session() > req.session > .save()", save()),
        describe("session() > req.session > .cookie > .*", cookie()),
        describe("session() > req.session > .cookie > .originalMaxAge", original_max_age()),
        describe("session() > req.session > .cookie > .maxAge", max_age()),
        describe("session() > req.session > .cookie > .expires", expires()),
        describe("session() > req.session > .cookie > .partitioned", partitioned()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Changes the session's cookie.
fn change(session: &Session, change: impl FnOnce(ExpressCookie) -> ExpressCookie) {
    session.set_express_cookie(change(session.express_cookie().expect("these are the rules of Express")));
}

fn all() -> Vec<Case> {
    vec![
        it("should persist", async || {
            let server = server(options(), async |session: Session| format!("hits: {}", count(&session)));
            let first = server.get("/").await;
            first.is_ok("hits: 1");
            assert_eq!(server.len().await, 1);
            server.get_again("/", &first).await.is_ok("hits: 2");
        }),
        it("should only set-cookie when modified", async || {
            let respond = async |session: Session, uri: Uri| {
                if uri.path() == "/modify" {
                    count(&session);
                }
                session.get::<u32>("count").expect("it is a number").unwrap_or_default().to_string()
            };
            let server = server(options(), respond);
            let first = server.get("/modify").await;
            let second = server.get_again("/modify", &first).await;
            second.is_ok("2");
            server.get_again("/", &second).await.is_ok("2").sets_nothing();
            server.get_again("/modify", &second).await.is_ok("3").sets("connect.sid");
        }),
        differs("should not have enumerable methods", async || {
            let server = server(options(), async |session: Session| {
                session.set("foo", "foo").expect("the name is free");
                session.set("bar", "bar").expect("the name is free");
                session.keys().join(",")
            });
            server.get("/").await.is_ok("foo,bar");
        }),
        it(".destroy() > should destroy the previous session", async || {
            let server = server(options(), async |session: Session| {
                session.logout();
                if session.is_new() && session.is_empty() { "undefined" } else { "[object Object]" }
            });
            server.get("/").await.is_ok("undefined").sets_nothing();
            assert_eq!(server.len().await, 0);
        }),
        it(".regenerate() > should destroy/replace the previous session", async || {
            let server = server(options(), async |session: Session| {
                let key = session.key();
                session.regenerate();
                session.save().await.expect("the store works");
                (session.key() == key).to_string()
            });
            let first = server.get("/").await;
            first.is_ok("false").sets("connect.sid");
            let second = server.get_again("/", &first).await;
            second.is_ok("false").sets("connect.sid");
            assert_ne!(first.sid(), second.sid());
            assert_eq!(server.len().await, 1);
        }),
        it(".touch() > should reset session expiration", async || {
            let server = server(options().without_resave(), async |session: Session| {
                session.set("hit", &true).expect("the name is free");
                session.touch();
            });
            let first = server.get("/").await;
            let key = super::store::key_of(first.sid());
            let end = async || server.store.load(&key).await.expect("it works").expect("it is live").0.expires_at;
            let before = end().await;
            server.clock.advance(Duration::from_millis(100));
            server.get_again("/", &first).await.is_ok("");
            assert_ne!(end().await, before);
        }),
    ]
}

/// Begins a session, and asks again for a path at which the handler clears the store and reloads so often.
async fn reloads_after_clear(times: u32, options: Express) -> Answer {
    let store: Arc<OnceLock<Arc<WatchedStore>>> = Arc::default();
    let known = store.clone();
    let server = server(options, async move |session: Session, uri: Uri| {
        if uri.path() == "/" {
            session.set("active", &true).expect("the name is free");
            return "session created";
        }
        known.get().expect("it is set").inner.clear().await.expect("it clears");
        for _ in 0..times {
            session.reload().await.expect_err("it is missing");
        }
        "failed to load session"
    });
    assert!(store.set(server.store.clone()).is_ok());
    let first = server.get("/").await;
    first.is_ok("session created");
    server.get_again("/foo", &first).await
}

fn reload() -> Vec<Case> {
    vec![
        it("should reload session from store", async || {
            let within: Arc<OnceLock<(Server, String)>> = Arc::default();
            let known = within.clone();
            let server = server(options(), async move |session: Session, uri: Uri| {
                if uri.path() == "/" {
                    session.set("active", &true).expect("the name is free");
                    return "session created".to_owned();
                }
                session.set("url", uri.path()).expect("the name is free");
                if uri.path() == "/foo" {
                    let (server, cookie) = known.get().expect("it is set");
                    // Boxed, as the application asks itself.
                    let other: std::pin::Pin<Box<dyn Future<Output = Answer> + Send>> =
                        Box::pin(async { server.ask("GET", "/bar", &[("cookie", cookie)]).await });
                    other.await.is_ok("saw /bar");
                    session.reload().await.expect("it is stored");
                }
                format!("saw {}", session.get::<String>("url").expect("it is text").unwrap_or_default())
            });
            let first = server.get("/").await;
            first.is_ok("session created");
            assert!(within.set((server.clone(), first.cookie().to_owned())).is_ok());
            server.get_again("/foo", &first).await.is_ok("saw /bar");
        }),
        it("should error is session missing", async || {
            reloads_after_clear(1, options()).await.is_ok("failed to load session").sets_nothing();
        }),
        it("should not override an overridden `reload` in case of errors", async || {
            reloads_after_clear(20, options().without_resave()).await.is_ok("failed to load session");
        }),
    ]
}

fn save() -> Vec<Case> {
    async fn saves_once(options: Express, reloads: bool) {
        let server = server(options, async move |session: Session| {
            session.set("hit", &true).expect("the name is free");
            if reloads {
                // Of the first session nothing is stored yet.
                let _ = session.reload().await;
            }
            session.save().await.expect("the store works");
            "saved"
        });
        let first = server.get("/").await;
        first.is_ok("saved");
        assert_eq!(server.writes(), 1);
        server.get_again("/", &first).await.is_ok("saved");
        assert_eq!(server.writes(), 1);
    }
    vec![
        it("should save session to store", async || {
            let store: Arc<OnceLock<Arc<WatchedStore>>> = Arc::default();
            let known = store.clone();
            let server = server(options(), async move |session: Session| {
                session.set("hit", &true).expect("the name is free");
                session.save().await.expect("the store works");
                let key = session.key().expect("it is stored");
                let found = known.get().expect("it is set").load(&key).await.expect("it works");
                if found.is_some() { "stored" } else { "empty" }
            });
            assert!(store.set(server.store.clone()).is_ok());
            server.get("/").await.is_ok("stored");
        }),
        it("should prevent end-of-request save", async || saves_once(options(), false).await),
        it("should prevent end-of-request save on reloaded session", async || saves_once(options(), true).await),
        it("when saveUninitialized is false > should prevent end-of-request save", async || {
            saves_once(options().without_save_uninitialized(), false).await;
        }),
    ]
}

fn cookie() -> Vec<Case> {
    let admin = || with_cookie(ExpressCookie::new().with_path("/admin"));
    let previous = async |_: Session| AppendHeaders([(header::SET_COOKIE, "previous=cookieValue; Path=/; HttpOnly")]);
    let preserves = async move || {
        let answer = server(options(), previous).get("/").await;
        answer.is_ok("").sets("previous");
        assert_eq!(answer.cookie(), "previous=cookieValue; Path=/; HttpOnly");
        assert_eq!(answer.headers.get_all(header::SET_COOKIE).iter().count(), 2);
    };
    vec![
        it("should serialize as parameters", async || {
            let server = server(options().with_proxy(Proxy::Trusted), async |session: Session| {
                change(&session, |cookie| cookie.without_http_only().with_secure(SecurePolicy::Always));
            });
            let answer = server.ask("GET", "/", &[("x-forwarded-proto", "https")]).await;
            answer.is_ok("").lacks("HttpOnly").has("Secure", "");
        }),
        it("should default to a browser-session length cookie", async move || {
            server(admin(), end).get("/admin").await.is_ok("").lacks("Expires");
        }),
        it("should Set-Cookie only once for browser-session cookies", async move || {
            let server = server(admin(), end);
            let first = server.get("/admin/foo").await;
            first.is_ok("").sets("connect.sid");
            server.get_again("/admin", &first).await.is_ok("").sets_nothing();
        }),
        it("should override defaults", async || {
            let cookie = ExpressCookie::new().without_http_only().with_max_age(Duration::from_secs(5));
            let cookie = cookie.with_path("/admin").with_priority(Priority::High).with_secure(SecurePolicy::Always);
            let server = server(with_cookie(cookie), async |session: Session| {
                change(&session, |cookie| cookie.with_secure(SecurePolicy::Never));
            });
            let answer = server.get("/admin").await;
            answer.is_ok("").has("Expires", "Thu, 01 Jan 2026 12:00:05 GMT").lacks("HttpOnly");
            answer.has("Path", "/admin").lacks("Secure").has("Priority", "High");
        }),
        it("should preserve cookies set before writeHead is called", preserves),
        it("should preserve cookies set in writeHead", preserves),
    ]
}

fn original_max_age() -> Vec<Case> {
    let server = || {
        server(with_cookie(ExpressCookie::new().with_max_age(Duration::from_secs(2))), async |session: Session| {
            let cookie = session.express_cookie().expect("these are the rules of Express");
            cookie.original_max_age().expect("it has an age").as_millis().to_string()
        })
    };
    let twice = move || async move {
        let server = server();
        let first = server.get("/").await;
        first.is_ok("2000");
        server.clock.advance(Duration::from_millis(100));
        server.get_again("/", &first).await.is_ok("2000");
    };
    vec![
        it("should equal original maxAge", async move || {
            server().get("/").await.is_ok("2000");
        }),
        it("should equal original maxAge for all requests", twice),
        // There are two of this name: the other store hands dates back and not their text, which none does here.
        it("should equal original maxAge for all requests", twice),
    ]
}

/// Counts the visits of a session, and makes the cookie's age one of the case's by their number; returns the answer to the last one.
async fn visits(number: usize) -> Answer {
    let options = with_cookie(ExpressCookie::new().with_max_age(Duration::from_secs(2)));
    let server = server(options, async |session: Session| {
        let count = session.get::<u32>("count").expect("it is a number").map_or(0, |count| count + 1);
        session.set("count", &count).expect("the name is free");
        match count {
            2 => session.set_max_age(Some(Duration::from_secs(5))),
            3 => session.set_max_age(Some(Duration::from_secs(3_000_000))),
            _ => {}
        }
        count.to_string()
    });
    let first = server.get("/").await;
    let mut last = server.get_again("/", &first).await;
    for _ in 1..number {
        last = server.get_again("/", &first).await;
    }
    last
}

fn max_age() -> Vec<Case> {
    vec![
        it("should set cookie expires relative to maxAge", async || {
            visits(1).await.is_ok("1").has("Expires", "Thu, 01 Jan 2026 12:00:02 GMT");
        }),
        it("should modify cookie expires when changed", async || {
            visits(2).await.is_ok("2").has("Expires", "Thu, 01 Jan 2026 12:00:05 GMT");
        }),
        it("should modify cookie expires when changed to large value", async || {
            visits(3).await.is_ok("3").has("Expires", "Thu, 05 Feb 2026 05:20:00 GMT");
        }),
    ]
}

fn expires() -> Vec<Case> {
    let null = async |session: Session| change(&session, ExpressCookie::without_max_age);
    vec![
        it("when given a Date > should set absolute", async || {
            let epoch = || Timestamp::from_unix_millis(0).expect("it is in range");
            let server = server(options(), async move |session: Session| {
                change(&session, |cookie| cookie.with_expires(epoch()));
            });
            server.get("/").await.is_ok("").has("Expires", "Thu, 01 Jan 1970 00:00:00 GMT");
        }),
        it("when null > should be a browser-session cookie", async move || {
            server(options(), null).get("/").await.is_ok("").lacks("Expires");
        }),
        it("when null > should not reset cookie", async move || {
            let server = server(options(), null);
            let first = server.get("/").await;
            first.is_ok("").lacks("Expires");
            server.get_again("/", &first).await.is_ok("").sets_nothing();
        }),
        it("when null > should not reset cookie when modified", async move || {
            let server = server(options(), async |session: Session| {
                change(&session, ExpressCookie::without_max_age);
                count(&session);
            });
            let first = server.get("/").await;
            first.is_ok("").lacks("Expires");
            server.get_again("/", &first).await.is_ok("").sets_nothing();
        }),
    ]
}

fn partitioned() -> Vec<Case> {
    vec![
        it("by default > should not set partitioned attribute", async || {
            server(options(), end).get("/").await.is_ok("").lacks("Partitioned");
        }),
        it("when \"false\" > should not set partitioned attribute", async || {
            let cookie = ExpressCookie::new().with_partitioning().without_partitioning();
            server(with_cookie(cookie), end).get("/").await.is_ok("").lacks("Partitioned");
        }),
        it("when \"true\" > should set partitioned attribute", async || {
            let cookie = ExpressCookie::new().with_partitioning();
            server(with_cookie(cookie), end).get("/").await.is_ok("").has("Partitioned", "");
        }),
    ]
}
