//! An application under the rules of Express, what one browser keeps of it, and a memory store that can be counted and switched off.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod store;

use std::sync::Arc;
use std::time::Duration;

use conformance_tests::traces;
use http::{HeaderMap, Request, Response, header};
use session_core::{Clock, ManualClock, OwnerId, Scope, SessionIndex, SessionKey, SessionStore, Timestamp};
use session_express::{Express, ExpressRules, Session, SessionConfig, SessionSlot, Sessions};
use session_store_memory::MemoryStore;
use store::WatchedStore;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// One application, and what one browser keeps.
pub(crate) struct Site {
    pub(crate) store: Arc<WatchedStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) sessions: Sessions,
    pub(crate) cookie: Option<String>,
}

/// The options of an application that stores what was changed only.
pub(crate) fn lean() -> Express {
    eager().without_resave().without_save_uninitialized()
}

/// The defaults.
pub(crate) fn eager() -> Express {
    Express::new(["keyboard cat"]).expect("it is not empty")
}

impl Site {
    pub(crate) fn new(express: Express) -> Self {
        Self::with(express, |config| config)
    }

    pub(crate) fn with(
        express: Express,
        change: impl FnOnce(SessionConfig<ExpressRules>) -> SessionConfig<ExpressRules>,
    ) -> Self {
        traces::capture();
        let start = Timestamp::from_unix_millis(1_767_268_800_000).expect("a date of our time is in range");
        let clock = Arc::new(ManualClock::new(start));
        let store = Arc::new(WatchedStore::new(MemoryStore::new().with_clock(clock.clone())));
        let config = express.config(store.clone()).expect("the options build");
        let sessions = change(config.with_clock(clock.clone())).into();
        Self { store, clock, sessions, cookie: None }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn request(&self, path: &str) -> Request<()> {
        let request = Request::builder().uri(path).header(header::COOKIE, self.cookie.as_deref().unwrap_or("a=1"));
        request.body(()).expect("the test's request is valid")
    }

    pub(crate) fn slot(&self) -> SessionSlot {
        self.slot_of(&self.request("/"))
    }

    pub(crate) fn slot_of<B>(&self, request: &Request<B>) -> SessionSlot {
        SessionSlot::for_request(self.sessions.clone(), request)
    }

    /// Ends a request, keeps its cookie, and returns the whole line.
    pub(crate) async fn finish(&mut self, slot: &SessionSlot) -> Option<String> {
        let line = line(&respond(slot).await)?;
        self.cookie = line.split(';').next().map(Into::into);
        Some(line)
    }

    pub(crate) async fn visit(&mut self, handler: impl AsyncFnOnce(&Session)) -> Option<String> {
        let slot = self.slot();
        handler(&open(&slot).await).await;
        self.finish(&slot).await
    }

    pub(crate) async fn live(&self) -> u64 {
        self.store.inner.count(Scope::All).await.expect("the memory store counts")
    }

    pub(crate) async fn is_live(&self, key: &SessionKey) -> bool {
        self.store.inner.load(key).await.expect("the memory store works").is_some()
    }
}

/// Ends a request, whose response is empty, with what the commit adds.
pub(crate) async fn respond(slot: &SessionSlot) -> HeaderMap {
    let mut response = Response::new(());
    slot.commit().await.expect("the store works").apply_to(&mut response);
    keep_out(response.headers());
    response.into_parts().0.headers
}

/// No trace may hold an id, nor what signs it.
pub(crate) fn keep_out(headers: &HeaderMap) {
    if let Some((_, value)) = line(headers).as_deref().and_then(|line| line.split_once("=s%3A")) {
        value.split(';').next().unwrap_or_default().split('.').for_each(traces::keep_out);
    }
}

pub(crate) fn line(headers: &HeaderMap) -> Option<String> {
    headers.get(header::SET_COOKIE).map(|line| line.to_str().expect("it is text").to_owned())
}

pub(crate) async fn open(slot: &SessionSlot) -> Session {
    slot.open(&HeaderMap::new()).await.expect("the store works")
}

pub(crate) fn set(session: &Session, name: &str) {
    session.set(name, &1).expect("a number is JSON");
}

pub(crate) fn log_in(session: &Session) {
    session.login("ada").expect("a short name is an owner");
}

pub(crate) fn ada() -> OwnerId {
    OwnerId::parse("ada").expect("the test's owner is short")
}
