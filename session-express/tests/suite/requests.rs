//! Cases about whole requests: which session they have, and when it is stored.

use axum::response::IntoResponse;
use http::{Request, Response, StatusCode, header};
use session_core::{Data, SessionStore};
use session_express::{Express, ExpressCookie, InvalidSecrets, Session};
use std::convert::Infallible;
use std::time::Duration;
use tower::{Layer, ServiceExt, service_fn};

use super::server::{MINUTE, Server, end, number, options, server, set_user, with_cookie};
use super::store::key_of;
use crate::{Case, describe, differs, it};

pub(crate) fn cases() -> Vec<Case> {
    [
        describe("session()", all()),
        describe("session() > when response ended", ended()),
        describe("session() > when sid not in store", not_stored()),
        describe("session() > when sid not properly signed", unsigned()),
        describe("session() > when session expired in store", expired()),
        describe("session() > when session without cookie property in store", without_cookie()),
        describe("session() > synchronous store", at_once()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn all() -> Vec<Case> {
    vec![
        differs("should error without secret", async || {
            assert!(matches!(Express::new([""; 0]), Err(InvalidSecrets::Missing)));
            assert!(matches!(Express::new([""]), Err(InvalidSecrets::Empty)));
        }),
        it("should create a new session", async || {
            let server = server(options(), async |session: Session| {
                session.set("active", &true).expect("the name is free");
                "session active"
            });
            server.get("/").await.is_ok("session active").sets("connect.sid");
            assert_eq!(server.len().await, 1);
        }),
        it("should load session from cookie sid", async || {
            let server = server(options(), number());
            let first = server.get("/").await;
            first.is_ok("session 1").sets("connect.sid");
            server.get_again("/", &first).await.is_ok("session 1");
        }),
        differs("should pass session fetch error", async || {
            let server = server(options(), async || "hello, world");
            let first = server.get("/").await;
            first.is_ok("hello, world").sets("connect.sid");
            server.store.set_down(true);
            let second = server.get_again("/", &first).await;
            assert_eq!((second.status, &*second.body), (StatusCode::SERVICE_UNAVAILABLE, ""));
        }),
        it("should create multiple sessions", async || {
            let server = server(options(), number());
            let (one, other) = tokio::join!(server.get("/"), server.get("/"));
            assert_ne!(one.body, other.body);
            assert_eq!(server.len().await, 2);
        }),
        it("should handle empty req.url", async || {
            server(options(), end).get("example.org").await.is_ok("").sets("connect.sid");
        }),
        it("should handle res.end(null) calls", async || {
            server(options(), end).get("/").await.is_ok("");
        }),
        it("should handle reserved properties in storage", async || {
            let server = server(options(), number());
            let first = server.get("/").await;
            let key = key_of(first.sid());
            let (mut record, revision) = server.store.load(&key).await.expect("it works").expect("it is stored");
            let nope = serde_json::value::to_raw_value("nope").expect("it is JSON");
            record.data = record.data.with_changes(&[("save", Some(&nope))]);
            server.store.update(&key, revision, &record).await.expect("it is live");
            server.get_again("/", &first).await.is_ok("session 1");
        }),
        differs("should only have session data enumerable (and cookie)", async || {
            let server = server(options(), async |session: Session| {
                session.set("test1", &1).expect("the name is free");
                session.set("test2", "b").expect("the name is free");
                session.keys().join(",")
            });
            server.get("/").await.is_ok("test1,test2");
        }),
        it("should update cookie expiration when slow write", async || {
            let server = server(options().with_rolling(), set_user);
            let first = server.get("/").await;
            server.clock.advance(Duration::from_secs(1));
            let second = server.get_again("/", &first).await;
            assert_ne!(first.attribute("Expires"), second.attribute("Expires"));
        }),
    ]
}

/// Stores a session before the response with these headers, and hands its body on.
async fn saves_before(headers: &'static [(header::HeaderName, &'static str)], body: &'static str) {
    let server = server(options(), move |session: Session| {
        session.set("hit", &true).expect("the name is free");
        std::future::ready((axum::response::AppendHeaders(headers.iter().cloned()), body).into_response())
    });
    server.get("/").await.is_ok(body);
    assert_eq!(server.writes(), 1);
}

fn ended() -> Vec<Case> {
    vec![
        it("should have saved session", async || saves_before(&[], "session saved").await),
        it("should have saved session even with empty response", async || {
            saves_before(&[(header::CONTENT_LENGTH, "0")], "").await;
        }),
        it("should have saved session even with multi-write", async || {
            let empty = server(options(), end);
            let parts = service_fn(async |request: Request<()>| {
                let session = Session::of(&request).await.expect("the store works");
                session.set("hit", &true).expect("the name is free");
                let response = Response::builder().header(header::CONTENT_LENGTH, "12");
                Ok::<_, Infallible>(response.body(["hello, ", "world"]).expect("it is valid"))
            });
            let service = empty.layer(options(), |config| config).layer(parts);
            let response = service.oneshot(Request::new(())).await.expect("it answers");
            assert_eq!(empty.writes(), 1);
            assert_eq!(response.into_body().into_inner(), Ok(["hello, ", "world"]));
        }),
        it("should have saved session even with non-chunked response", async || {
            saves_before(&[(header::CONTENT_LENGTH, "13")], "session saved").await;
        }),
        it("should have saved session with updated cookie expiration", async || {
            let server = server(options(), set_user);
            let first = server.get("/").await;
            first.has("Expires", "Thu, 01 Jan 2026 12:01:00 GMT");
            assert_eq!(kept_end(&server, first.sid()).await, "2026-01-01T12:01:00.000Z");
            server.clock.advance(Duration::from_secs(1));
            server.get_again("/", &first).await.is_ok("").sets_nothing();
            assert_eq!(kept_end(&server, first.sid()).await, "2026-01-01T12:01:01.000Z");
        }),
    ]
}

/// Returns the end that is stored with the values.
async fn kept_end(server: &Server, id: &str) -> String {
    let (record, _) = server.store.load(&key_of(id)).await.expect("it works").expect("it is stored");
    let cookie: serde_json::Value = record.data.get("cookie").expect("it is an object").expect("it is there");
    cookie["expires"].as_str().expect("it is a date").to_owned()
}

fn not_stored() -> Vec<Case> {
    async fn come_back() {
        let server = server(options(), number());
        let first = server.get("/").await;
        first.is_ok("session 1").sets("connect.sid");
        session_core::SessionIndex::clear(&server.store.inner).await.expect("it clears");
        let second = server.get_again("/", &first).await;
        second.is_ok("session 2").sets("connect.sid");
        assert_ne!(first.sid(), second.sid());
    }
    vec![it("should create a new session", come_back), it("should have a new sid", come_back)]
}

fn unsigned() -> Vec<Case> {
    async fn come_back_with(change: fn(&str, &str) -> String) {
        let respond = async |session: Session| {
            let is_new = session.replace("active", &true).expect("it is a truth value").is_none();
            if is_new { "session created" } else { "session read" }
        };
        let server = server(options().with_name("sessid"), respond);
        let first = server.get("/").await;
        first.is_ok("session created").sets("sessid");
        server.store.calls();
        let value = change(first.cookie(), first.sid());
        let second = server.ask("GET", "/", &[("cookie", &value)]).await;
        second.is_ok("session created").sets("sessid");
        assert_ne!(first.sid(), second.sid());
        assert_eq!(server.store.calls(), ["create"]);
    }
    vec![
        it("should generate new session", async || come_back_with(|_, sid| format!("sessid={sid}")).await),
        it("should not attempt fetch from store", async || {
            let without_three = |cookie: &str, _: &str| {
                let (id, rest) = cookie.split_once('.').expect("it is signed");
                format!("{}.{rest}", &id[..id.len() - 3])
            };
            come_back_with(without_three).await;
        }),
    ]
}

fn expired() -> Vec<Case> {
    let short = || with_cookie(ExpressCookie::new().with_max_age(Duration::from_millis(5)));
    let come_back = move || async move {
        let server = server(short(), number());
        let first = server.get("/").await;
        first.is_ok("session 1").sets("connect.sid");
        server.clock.advance(Duration::from_millis(20));
        assert_eq!(server.len().await, 0);
        let second = server.get_again("/", &first).await;
        second.is_ok("session 2").sets("connect.sid");
        assert_ne!(first.sid(), second.sid());
    };
    vec![
        it("should create a new session", come_back),
        it("should have a new sid", come_back),
        it("should not exist in store", come_back),
    ]
}

fn without_cookie() -> Vec<Case> {
    vec![differs("should pass error from inflate", async || {
        let server = server(options().without_resave().with_rolling(), number());
        let first = server.get("/").await;
        let key = key_of(first.sid());
        let (mut record, revision) = server.store.load(&key).await.expect("it works").expect("it is stored");
        record.data = Data::parse(r#"{"num":7}"#).expect("it is an object");
        server.store.update(&key, revision, &record).await.expect("it is live");
        let second = server.get_again("/", &first).await;
        second.is_ok("session 7").has("Expires", "Thu, 01 Jan 2026 12:01:00 GMT");
    })]
}

/// The memory store answers at once.
fn at_once() -> Vec<Case> {
    vec![
        it("should respond correctly on save", async || {
            let server =
                server(options(), async |session: Session| format!("hits: {}", super::server::count(&session)));
            server.get("/").await.is_ok("hits: 1");
        }),
        it("should respond correctly on destroy", async || {
            let options = options().with_unset(session_express::Unset::Destroy);
            let server = server(options, async |session: Session| {
                let count = super::server::count(&session);
                if count > 1 {
                    session.unset();
                }
                format!("{}hits: {count}", if count > 1 { "destroyed\n" } else { "" })
            });
            let first = server.get("/").await;
            first.is_ok("hits: 1");
            server.clock.advance(MINUTE / 2);
            server.get_again("/", &first).await.is_ok("destroyed\nhits: 2");
            assert_eq!(server.len().await, 0);
        }),
    ]
}
