//! Cases about the cookie alone.

use std::time::Duration;

use http::Request;
use session_core::Clock;
use session_express::{ExpressCookie, ExpressSession, Priority, Session, SessionSlot};

use super::server::{MINUTE, end, server, with_cookie};
use crate::{Case, describe, it};

pub(crate) fn cases() -> Vec<Case> {
    [describe("new Cookie()", defaults()), describe("new Cookie() > with options", given())]
        .into_iter()
        .flatten()
        .collect()
}

/// Makes a session that begins with this cookie, and returns its `cookie.maxAge` and how far its `cookie.expires` is away.
async fn begin(cookie: impl FnOnce(session_core::Timestamp) -> ExpressCookie) -> (Option<Duration>, Option<Duration>) {
    let server = server(with_cookie(ExpressCookie::new()), end);
    let now = server.clock.now();
    let layer = with_cookie(cookie(now)).config(server.store.clone()).expect("the options build");
    let slot = SessionSlot::for_request(layer.with_clock(server.clock.clone()), &Request::new(()));
    let session: Session = slot.open(&http::HeaderMap::new()).await.expect("the store works");
    session.save().await.expect("the store works");
    let end = session.express_cookie().and_then(|_| session.expires_at());
    (session.express_max_age(), end.map(|end| end.saturating_since(now)))
}

fn defaults() -> Vec<Case> {
    vec![
        it("should create a new cookie object", async || assert_eq!(ExpressCookie::new(), ExpressCookie::default())),
        it("should default expires to null", async || assert_eq!(ExpressCookie::new().expires(), None)),
        it("should default httpOnly to true", async || assert!(ExpressCookie::new().is_http_only())),
        it("should default path to \"/\"", async || assert_eq!(ExpressCookie::new().path(), Some("/"))),
        it("should default maxAge to null", async || {
            assert_eq!(ExpressCookie::new().original_max_age(), None);
            assert_eq!(begin(|_| ExpressCookie::new()).await.0, None);
        }),
    ]
}

fn given() -> Vec<Case> {
    let with_age = |_| ExpressCookie::new().with_max_age(MINUTE);
    let with_end = |now: session_core::Timestamp| ExpressCookie::new().with_expires(now.saturating_add(MINUTE));
    vec![
        it("should create a new cookie object", async || assert_eq!(ExpressCookie::new().domain(), None)),
        it("expires > should set expires", async move || {
            assert_eq!(begin(with_end).await.1, Some(MINUTE));
        }),
        it("expires > should set maxAge", async move || assert_eq!(begin(with_end).await.0, Some(MINUTE))),
        it("httpOnly > should set httpOnly", async || {
            assert!(!ExpressCookie::new().without_http_only().is_http_only());
        }),
        it("maxAge > should set expires", async move || assert_eq!(begin(with_age).await.1, Some(MINUTE))),
        it("maxAge > should set maxAge", async move || assert_eq!(begin(with_age).await.0, Some(MINUTE))),
        it("maxAge > should accept Date object", async move || {
            assert_eq!(begin(with_end).await, (Some(MINUTE), Some(MINUTE)));
        }),
        it("partitioned > should set partitioned", async || {
            assert!(ExpressCookie::new().with_partitioning().is_partitioned());
        }),
        it("path > should set path", async || {
            assert_eq!(ExpressCookie::new().with_path("/foo").path(), Some("/foo"));
        }),
        it("priority > should set priority", async || {
            assert_eq!(ExpressCookie::new().with_priority(Priority::High).priority(), Some(Priority::High));
        }),
    ]
}
