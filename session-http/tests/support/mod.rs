//! A browser, requests that can be interleaved step by step, and a memory store that can be counted and switched off.

#![allow(dead_code, unused_imports, reason = "each target uses a part of it")]

pub(crate) mod log;
pub(crate) mod servers;
mod store;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use conformance_tests::traces;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use session_core::{Clock, Expiry, ManualClock, OwnerId, SessionKey, SessionStore, Timestamp};
use session_http::{Error, Secrets, Session, SessionConfig, SessionSlot, Sessions, Timer};
use session_store_memory::MemoryStore;
pub(crate) use store::{Trouble, WatchedStore};

pub(crate) const SECRET: &str = "a secret of the tests, 32 bytes or more";
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// An application: one store, one clock, one configuration.
pub(crate) struct App {
    pub(crate) store: Arc<WatchedStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) config: Sessions,
}

/// One request on its way: between its beginning and [`Visit::finish`] anything may happen elsewhere.
pub(crate) struct Visit {
    slot: SessionSlot,
    headers: HeaderMap,
}

/// What a handler does.
pub(crate) type Act = fn(&Session);

/// The timer of tokio, whose time tests can stop.
#[derive(Debug)]
pub(crate) struct TokioTimer;

impl Timer for TokioTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// What keeps the cookie, as a browser does.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Browser {
    pub(crate) cookie: Option<String>,
}

impl App {
    pub(crate) fn new() -> Self {
        Self::with(|config| config)
    }

    /// Sessions end an hour after their last use and a day after their beginning, unless `change` says otherwise.
    pub(crate) fn with(change: impl FnOnce(SessionConfig) -> SessionConfig) -> Self {
        let secrets = Secrets::new([SECRET]).expect("the secret is long enough");
        let expiry = Expiry::idle_and_absolute(HOUR, 24 * HOUR).expect("not zero");
        Self::configured(|store, clock| {
            let config = SessionConfig::new(store, secrets).with_clock(clock).with_expiry(expiry);
            change(config.with_timer(TokioTimer))
        })
    }

    pub(crate) fn configured(configure: impl FnOnce(Arc<WatchedStore>, Arc<ManualClock>) -> SessionConfig) -> Self {
        traces::capture();
        traces::keep_out(SECRET);
        let start = Timestamp::from_unix_millis(1_767_268_800_000).expect("a date of our time is in range");
        let clock = Arc::new(ManualClock::new(start));
        let store = Arc::new(WatchedStore::new(MemoryStore::new().with_clock(clock.clone())));
        let config = configure(store.clone(), clock.clone()).into();
        Self { store, clock, config }
    }

    pub(crate) fn visit(&self, browser: &Browser) -> Visit {
        let cookie = browser.cookie.as_deref().map(|cookie| format!("{}={cookie}", self.cookie_name()));
        self.visit_with(cookie.as_slice())
    }

    /// Begins a request with these `Cookie` headers.
    pub(crate) fn visit_with(&self, cookies: &[impl AsRef<str>]) -> Visit {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, cookie.as_ref().parse().expect("the test's cookie is a header"));
        }
        Visit { slot: SessionSlot::new(self.config.clone()), headers }
    }

    pub(crate) fn cookie_name(&self) -> &'static str {
        "__Host-session"
    }

    /// Does one whole request.
    pub(crate) async fn request(&self, browser: &mut Browser, handler: impl AsyncFnOnce(&Session)) -> Response<String> {
        let visit = self.visit(browser);
        handler(&visit.open().await).await;
        let response = visit.finish().await;
        browser.learn(&response);
        response
    }

    /// Makes a browser that has a session with `n` set to 0.
    pub(crate) async fn browser(&self) -> Browser {
        let mut browser = Browser::default();
        self.request(&mut browser, async |session| session.set("n", &0).expect("a number is JSON")).await;
        browser
    }

    /// Reads one value as a request of this browser sees it now.
    pub(crate) async fn value(&self, browser: &Browser, name: &str) -> Option<serde_json::Value> {
        self.visit(browser).open().await.get(name).expect("every value is JSON")
    }

    pub(crate) async fn is_live(&self, key: &SessionKey) -> bool {
        self.store.inner.load(key).await.expect("the memory store works").is_some()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Visit {
    pub(crate) async fn open(&self) -> Session {
        self.try_open().await.expect("the store works")
    }

    pub(crate) async fn try_open(&self) -> Result<Session, Error> {
        self.slot.open(&self.headers).await
    }

    /// Ends the request as a layer does, with the headers that the commit adds or with an error's response.
    pub(crate) async fn finish(&self) -> Response<String> {
        self.finish_with(HeaderMap::new()).await
    }

    pub(crate) async fn finish_with(&self, headers: HeaderMap) -> Response<String> {
        let mut response = Response::new(String::new());
        *response.headers_mut() = headers;
        self.finish_response(&mut response).await;
        response
    }

    /// Ends the request as a layer does whose future is dropped; what is to be brought to its end all the same is.
    pub(crate) async fn abandon(&self) {
        if let Some(unfinished) = self.slot.abandon() {
            unfinished.await;
        }
    }

    /// Ends the request with a response of this status.
    pub(crate) async fn finish_as(&self, status: StatusCode) -> Response<String> {
        let mut response = Response::new(String::new());
        *response.status_mut() = status;
        self.finish_response(&mut response).await;
        response
    }

    pub(crate) async fn finish_response(&self, response: &mut Response<String>) {
        match self.slot.commit_of(response.status()).await {
            Ok(headers) => headers.apply_to(response),
            Err(error) => *response = self.slot.refuse(&error),
        }
        if let Some(unfinished) = self.slot.unfinished() {
            tokio::spawn(unfinished);
        }
        keep_cookies_out(response.headers());
    }
}

/// No trace may hold an id, nor what signs it.
pub(crate) fn keep_cookies_out(headers: &HeaderMap) {
    for line in headers.get_all(header::SET_COOKIE) {
        let line = line.to_str().unwrap_or_default();
        let value = line.split(';').next().and_then(|pair| Some(pair.split_once('=')?.1));
        let value = value.unwrap_or_default();
        value.trim_start_matches("s%3A").split('.').for_each(traces::keep_out);
    }
}

impl Browser {
    pub(crate) fn learn<B>(&mut self, response: &Response<B>) {
        if let Some((value, attributes)) = set_cookie(response) {
            self.cookie = (!attributes.contains("Max-Age=0")).then_some(value);
        }
    }
}

/// Returns the value and the attributes of the session's `Set-Cookie`.
pub(crate) fn set_cookie<B>(response: &Response<B>) -> Option<(String, String)> {
    let lines = response.headers().get_all(header::SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    let ours: Vec<_> = lines.filter_map(|line| line.strip_prefix("__Host-session=")).collect();
    assert!(ours.len() <= 1, "one Set-Cookie per name");
    let (value, attributes) = ours.first()?.split_once(';')?;
    Some((value.into(), attributes.trim_start().into()))
}

pub(crate) fn assert_unavailable<B>(response: &Response<B>) {
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key(header::RETRY_AFTER));
    assert!(!response.headers().contains_key(header::SET_COOKIE));
    assert_eq!(response.headers().get(header::CACHE_CONTROL), Some(&HeaderValue::from_static("no-store")));
}

pub(crate) fn owner(name: &str) -> OwnerId {
    OwnerId::parse(name).expect("the test's owner is short")
}
