//! An application under the rules of Express.

use std::sync::Arc;

use http::{Request, Response, header};
use session_core::{Scope, SessionIndex};
use session_http::express::Express;
use session_http::{Session, SessionConfig, SessionSlot};

use super::{App, WatchedStore};

pub(crate) fn lean() -> Express {
    Express::new(["keyboard cat"]).expect("it is not empty").without_resave().without_save_uninitialized()
}

/// One application under the rules of Express, and what one browser keeps.
pub(crate) struct Site {
    pub(crate) app: App,
    pub(crate) config: Arc<SessionConfig>,
    pub(crate) cookie: Option<String>,
}

impl Site {
    pub(crate) fn new(express: Express) -> Self {
        Self::with(express, |config, _| config)
    }

    pub(crate) fn with(
        express: Express,
        change: impl FnOnce(SessionConfig, Arc<WatchedStore>) -> SessionConfig,
    ) -> Self {
        let app = App::new();
        let config = SessionConfig::express(app.store.clone(), express).expect("the options build");
        let config = Arc::new(change(config.with_clock(app.clock.clone()), app.store.clone()));
        Self { app, config, cookie: None }
    }

    pub(crate) fn request(&self, path: &str) -> Request<()> {
        let request = Request::builder().uri(path).header(header::COOKIE, self.cookie.as_deref().unwrap_or("a=1"));
        request.body(()).expect("the test's request is valid")
    }

    pub(crate) fn slot(&self) -> SessionSlot {
        SessionSlot::for_request(self.config.clone(), &self.request("/"))
    }

    /// Ends a request, keeps its cookie, and returns the whole line.
    pub(crate) async fn finish(&mut self, slot: &SessionSlot) -> Option<String> {
        let mut response = Response::new(());
        slot.commit().await.expect("the store works").apply(response.headers_mut());
        let line = response.headers().get(header::SET_COOKIE)?.to_str().expect("it is text").to_owned();
        self.cookie = line.split(';').next().map(Into::into);
        Some(line)
    }

    pub(crate) async fn visit(&mut self, handler: impl AsyncFnOnce(&Session)) -> Option<String> {
        let slot = self.slot();
        handler(&open(&slot).await).await;
        self.finish(&slot).await
    }

    pub(crate) async fn live(&self) -> u64 {
        self.app.store.inner.count(Scope::All).await.expect("the memory store counts")
    }
}

pub(crate) async fn open(slot: &SessionSlot) -> Session {
    slot.open(&http::HeaderMap::new()).await.expect("the store works")
}

pub(crate) fn set(session: &Session, name: &str) {
    session.set(name, &1).expect("a number is JSON");
}
