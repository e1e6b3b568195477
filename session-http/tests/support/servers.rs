//! Several servers on one store, requests by their method, and what lives.

use http::{HeaderMap, Method, Request, header};
use session_core::{Expiry, Scope, SessionIndex, SessionKey};
use session_http::{Secrets, Session, SessionConfig, SessionLimit, SessionSlot};

use super::{App, Browser, HOUR, SECRET, TokioTimer, Visit, WatchedStore, owner};

/// Logs in, which is one line here for all tests.
pub(crate) fn log_in(session: &Session, name: &str) {
    session.login(name).expect("a short name is an owner");
}

/// All ways to run sequences of steps side by side, each in its own order.
pub(crate) fn interleavings(sequences: &[&str]) -> Vec<String> {
    if sequences.iter().all(|rest| rest.is_empty()) {
        return vec![String::new()];
    }
    let mut all = Vec::new();
    for (number, sequence) in sequences.iter().enumerate() {
        if let Some(first) = sequence.chars().next() {
            let mut rest = sequences.to_vec();
            rest[number] = &sequence[first.len_utf8()..];
            all.extend(interleavings(&rest).into_iter().map(|rest| format!("{first}{rest}")));
        }
    }
    all
}

/// Runs a future until the store holds a call of it, and drops it there, as when a client leaves.
pub(crate) async fn drop_when_held<T>(store: &WatchedStore, future: impl Future<Output = T>) {
    tokio::select! {
        biased;
        _ = future => panic!("the store holds no call of it"),
        () = store.reached() => {}
    }
}

impl App {
    pub(crate) fn limited(limit: SessionLimit) -> Self {
        Self::configured(|store, clock| {
            let secrets = Secrets::new([SECRET]).expect("the secret is long enough");
            let config = SessionConfig::new(store, secrets).with_clock(clock).with_timer(TokioTimer);
            config.with_session_limit(limit)
        })
    }

    /// An application whose store is an index.
    pub(crate) fn indexed() -> Self {
        Self::new()
    }

    /// Another server on the same store, which knows nothing of what this one remembers.
    pub(crate) fn neighbour(&self, change: impl FnOnce(SessionConfig) -> SessionConfig) -> Self {
        let secrets = Secrets::new([SECRET]).expect("the secret is long enough");
        let expiry = Expiry::idle_and_absolute(HOUR, 24 * HOUR).expect("not zero");
        let config = SessionConfig::new(self.store.clone(), secrets).with_clock(self.clock.clone());
        let config = change(config.with_expiry(expiry).with_timer(TokioTimer));
        Self { store: self.store.clone(), clock: self.clock.clone(), config: config.into() }
    }

    /// Begins a request of which the method is known.
    pub(crate) fn visit_by(&self, method: &Method, browser: &Browser) -> Visit {
        let mut request = Request::builder().method(method.clone()).uri("/");
        if let Some(cookie) = &browser.cookie {
            request = request.header(header::COOKIE, format!("{}={cookie}", self.cookie_name()));
        }
        self.visit_of(&request.body(()).expect("the test's request is valid"))
    }

    /// Begins a request that presents the cookies of two browsers, as one does that kept a cookie of an earlier scope.
    pub(crate) fn visit_of_both(&self, one: &Browser, two: &Browser) -> Visit {
        let value = |browser: &Browser| browser.cookie.clone().unwrap_or_default();
        let name = self.cookie_name();
        self.visit_with(&[format!("{name}={}; {name}={}", value(one), value(two))])
    }

    /// Begins this request.
    pub(crate) fn visit_of<B>(&self, request: &Request<B>) -> Visit {
        let headers: HeaderMap = request.headers().clone();
        Visit { slot: SessionSlot::for_request(self.config.clone(), request), headers }
    }

    pub(crate) async fn is_logged_in(&self, browser: &Browser) -> bool {
        self.visit(browser).open().await.owner().is_some()
    }

    /// Returns what the browser's session is stored under.
    pub(crate) async fn key(&self, browser: &Browser) -> SessionKey {
        self.visit(browser).open().await.key().expect("it is stored")
    }

    /// Returns how many sessions there are.
    pub(crate) async fn live(&self) -> u64 {
        self.store.inner.count(Scope::All).await.expect("the memory store counts")
    }

    /// Returns how many sessions a user has.
    pub(crate) async fn live_of(&self, name: &str) -> u64 {
        self.store.inner.count(Scope::Owner(&owner(name))).await.expect("the memory store counts")
    }

    /// Logs a browser in.
    pub(crate) async fn login(&self, browser: &mut Browser, name: &str) -> u16 {
        self.request(browser, async |session| log_in(session, name)).await.status().as_u16()
    }

    /// Makes a visitor whose cart has tea in it.
    pub(crate) async fn shopper(&self) -> Browser {
        let mut browser = Browser::default();
        self.request(&mut browser, async |session| session.set("cart", "tea").expect("text is JSON")).await;
        browser
    }
}
