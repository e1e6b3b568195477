//! What `createServer` and `request` are in the cases of express-session: an application behind its layer, and what it answers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::handler::Handler;
use http::{HeaderMap, Request, StatusCode, header};
use session_core::{ManualClock, Scope, SessionIndex, Timestamp};
use session_express::{Express, ExpressCookie, ExpressRules, SecureByProxy, Session, SessionConfig};
use session_store_memory::MemoryStore;
use session_tower::SessionLayer;

use super::store::WatchedStore;

/// What the cases have for a cookie if they say nothing.
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// The options of a case that says nothing.
pub(crate) fn options() -> Express {
    with_cookie(ExpressCookie::new().with_max_age(MINUTE))
}

pub(crate) fn with_cookie(cookie: ExpressCookie) -> Express {
    Express::new(["keyboard cat"]).expect("it is not empty").with_cookie(cookie)
}

/// A response to which the handler does nothing.
pub(crate) async fn end() {}

/// `req.session.user = 'bob'`
pub(crate) async fn set_user(session: Session) {
    session.set("user", "bob").expect("the name is free");
}

/// `req.session.num = req.session.num || ++count`
pub(crate) fn number() -> impl Fn(Session) -> std::future::Ready<String> + Clone + Send + Sync + 'static {
    let count = Arc::new(std::sync::atomic::AtomicU32::new(0));
    move |session: Session| {
        let num = session.get("num").expect("it is a number").unwrap_or_else(|| {
            let num = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            session.set("num", &num).expect("the name is free");
            num
        });
        std::future::ready(format!("session {num}"))
    }
}

/// `req.session.count = (req.session.count || 0) + 1`
pub(crate) fn count(session: &Session) -> u32 {
    let count = session.get("count").expect("it is a number").unwrap_or(0_u32) + 1;
    session.set("count", &count).expect("the name is free");
    count
}

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) router: Router,
    pub(crate) store: Arc<WatchedStore>,
    pub(crate) clock: Arc<ManualClock>,
}

/// `createServer(options, respond)`
pub(crate) fn server<T: 'static>(options: Express, respond: impl Handler<T, ()>) -> Server {
    server_with(options, |config| config, respond)
}

/// The same, with options that all rules share.
pub(crate) fn server_with<T: 'static>(
    options: Express,
    change: impl FnOnce(SessionConfig<ExpressRules>) -> SessionConfig<ExpressRules>,
    respond: impl Handler<T, ()>,
) -> Server {
    let start = Timestamp::from_unix_millis(1_767_268_800_000).expect("a date of our time is in range");
    let clock = Arc::new(ManualClock::new(start));
    let store = Arc::new(WatchedStore::new(MemoryStore::new().with_clock(clock.clone())));
    let empty = Server { router: Router::new(), store, clock };
    Server { router: Router::new().fallback(respond).layer(empty.layer(options, change)), ..empty }
}

impl Server {
    /// Another application with the same store.
    pub(crate) fn beside<T: 'static>(&self, options: Express, respond: impl Handler<T, ()>) -> Self {
        Self { router: Router::new().fallback(respond).layer(self.layer(options, |config| config)), ..self.clone() }
    }

    pub(crate) fn layer(
        &self,
        options: Express,
        change: impl FnOnce(SessionConfig<ExpressRules>) -> SessionConfig<ExpressRules>,
    ) -> SessionLayer<ExpressRules> {
        let config = options.config(self.store.clone()).expect("the options build");
        change(config.with_clock(self.clock.clone())).into()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[]).await
    }

    /// Comes back with the cookie that an answer set.
    pub(crate) async fn get_again(&self, path: &str, before: &Answer) -> Answer {
        self.ask("GET", path, &[("cookie", before.cookie())]).await
    }

    /// Sends one request; `X-Secure: true` is what a middleware decides that sets `req.secure`.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for &(name, value) in headers {
            request = request.header(name, value);
            if (name, value) == ("x-secure", "true") {
                request = request.extension(SecureByProxy);
            }
        }
        let mut router = self.router.clone();
        let request = request.body(Body::empty()).expect("the case's request is valid");
        let Ok(response) = tower::Service::call(&mut router, request).await;
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("the body is there");
        let body = String::from_utf8(body.into()).expect("it is text");
        Answer { status: head.status, headers: head.headers, body }
    }

    /// Returns the number of live sessions.
    pub(crate) async fn len(&self) -> u64 {
        self.store.inner.count(Scope::All).await.expect("the memory store counts")
    }

    /// Returns how often a session was written since the last time that this was asked.
    pub(crate) fn writes(&self) -> usize {
        self.store.calls().into_iter().filter(|call| matches!(*call, "create" | "update")).count()
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// `expect(200, body)`
    pub(crate) fn is_ok(&self, body: &str) -> &Self {
        assert_eq!((self.status.as_u16(), &*self.body), (200, body));
        self
    }

    /// `shouldSetCookie(name)`
    pub(crate) fn sets(&self, name: &str) -> &Self {
        assert_eq!(self.cookie().split('=').next(), Some(name));
        self
    }

    /// `shouldNotHaveHeader('Set-Cookie')`
    pub(crate) fn sets_nothing(&self) -> &Self {
        assert_eq!(self.headers.get(header::SET_COOKIE), None);
        self
    }

    /// `shouldSetCookieWithAttribute`, with its value; an empty one if it has none.
    pub(crate) fn has(&self, attribute: &str, value: &str) -> &Self {
        assert_eq!(self.attribute(attribute), Some(value), "{attribute}");
        self
    }

    /// `shouldSetCookieWithoutAttribute`
    pub(crate) fn lacks(&self, attribute: &str) -> &Self {
        assert_eq!(self.attribute(attribute), None, "{attribute}");
        self
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let parts = self.cookie().split("; ").skip(1).map(|part| part.split_once('=').unwrap_or((part, "")));
        parts.into_iter().find(|part| part.0 == name).map(|part| part.1)
    }

    /// Returns the first line of `Set-Cookie`.
    pub(crate) fn cookie(&self) -> &str {
        self.headers[header::SET_COOKIE].to_str().expect("it is text")
    }

    /// Returns the id that it sets.
    pub(crate) fn sid(&self) -> &str {
        let (_, id) = self.cookie().split_once("=s%3A").expect("it is signed");
        id.split('.').next().expect("there is a first part")
    }
}
