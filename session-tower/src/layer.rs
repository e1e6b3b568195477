//! The layer: what the application configures.

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use session_core::{BoxError, Clock, Expiry, SessionId, SessionIndex};
use session_http::rules::Rules;
use session_http::{
    CookieFormat, CookiePolicy, Error, FailurePolicy, Native, Proxy, RequestHead, Secrets, SessionConfig, SessionLimit,
    Sessions, Timer, Transport,
};
use tower_layer::Layer;

use crate::SessionService;
use crate::timer::TokioTimer;

/// Gives every request a session, and stores what the request did to it before the response is sent.
///
/// A request whose handler does not ask for the session costs no call of the store, and its cookie is not even read. Cloning
/// shares the configuration.
///
/// Where the same layer, or a clone of it, is around a request already, the inner one leaves it alone: there is one session, which the outer
/// one commits. Of two layers with different configurations the handler gets the session of the inner one.
///
/// Layers that answer in the place of a handler, as for a time-out or a panic, belong around this one: nothing of such a request is stored
/// then. Within it their answer is one like any other, and what the handler did before is stored.
///
/// ```
/// use session_tower::{CookiePolicy, Secrets, SessionLayer};
/// use session_store_memory::MemoryStore;
/// use std::sync::Arc;
///
/// let secrets = Secrets::new(["read this from the environment, 32 random bytes"])?;
/// let layer = SessionLayer::new(Arc::new(MemoryStore::new()), secrets)
///     .with_cookie(CookiePolicy::builder().with_name("__Host-shop").build()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SessionLayer<R = Native> {
    /// Kept for the options that may follow.
    config: SessionConfig<R>,
    sessions: Sessions,
}

impl SessionLayer {
    /// Takes the store and the secrets that sign the cookie; the rest has a safe default.
    pub fn new(store: Arc<dyn SessionIndex>, secrets: Secrets) -> Self {
        Self::from(SessionConfig::new(store, secrets))
    }

    /// Sets the cookie's name and flags; see [`SessionConfig::with_cookie`].
    #[must_use]
    pub fn with_cookie(self, cookie: CookiePolicy) -> Self {
        self.map(|config| config.with_cookie(cookie))
    }

    /// Chooses the cookie for each request; see [`SessionConfig::with_cookie_of`].
    #[must_use]
    pub fn with_cookie_of(self, choose: impl Fn(&RequestHead<'_>) -> CookiePolicy + Send + Sync + 'static) -> Self {
        self.map(|config| config.with_cookie_of(choose))
    }

    /// Removes a cookie that an earlier configuration set; see [`SessionConfig::with_retired_cookie`].
    #[must_use]
    pub fn with_retired_cookie(self, earlier: CookiePolicy) -> Self {
        self.map(|config| config.with_retired_cookie(earlier))
    }

    /// Sets whether `X-Forwarded-Proto` is believed; see [`SessionConfig::with_proxy`].
    #[must_use]
    pub fn with_proxy(self, proxy: Proxy) -> Self {
        self.map(|config| config.with_proxy(proxy))
    }

    /// Sets how the id travels, where that is not a cookie; see [`SessionConfig::with_transport`].
    #[must_use]
    pub fn with_transport(self, transport: impl Transport + 'static) -> Self {
        self.map(|config| config.with_transport(transport))
    }

    /// Sets how the id is written in the cookie; see [`SessionConfig::with_cookie_format`].
    #[must_use]
    pub fn with_cookie_format(self, format: impl CookieFormat + 'static) -> Self {
        self.map(|config| config.with_cookie_format(format))
    }

    /// Gives no session to requests outside of the cookie's path; see [`SessionConfig::with_path_gating`].
    #[must_use]
    pub fn with_path_gating(self) -> Self {
        self.map(SessionConfig::with_path_gating)
    }
}

impl<R: Rules + Clone> SessionLayer<R> {
    /// Sets when sessions end; see [`SessionConfig::with_expiry`].
    #[must_use]
    pub fn with_expiry(self, expiry: Expiry) -> Self {
        self.map(|config| config.with_expiry(expiry))
    }

    /// Sets how many sessions a user may have; see [`SessionConfig::with_session_limit`].
    #[must_use]
    pub fn with_session_limit(self, limit: SessionLimit) -> Self {
        self.map(|config| config.with_session_limit(limit))
    }

    /// Sets what a client gets when the store fails; see [`SessionConfig::with_failure`].
    #[must_use]
    pub fn with_failure(self, failure: FailurePolicy) -> Self {
        self.map(|config| config.with_failure(failure))
    }

    /// Sets the response to a commit that failed; see [`SessionConfig::with_refusal`].
    #[must_use]
    pub fn with_refusal(self, refusal: impl Fn(&Error) -> Option<Response<String>> + Send + Sync + 'static) -> Self {
        self.map(|config| config.with_refusal(refusal))
    }

    /// Sets how long a request waits for its store; see [`SessionConfig::with_store_timeout`].
    #[must_use]
    pub fn with_store_timeout(self, timeout: Duration) -> Self {
        self.map(|config| config.with_store_timeout(timeout))
    }

    /// Sets what measures that time; see [`SessionConfig::with_timer`]. Tokio does otherwise: a runtime of it without timers is found out by a
    /// panic, which is caught, and whose message is seen once; then nothing is timed there, as where no tokio runs. A program that is built with
    /// `panic = "abort"` and has such a runtime needs a timer of its own.
    #[must_use]
    pub fn with_timer(self, timer: impl Timer + 'static) -> Self {
        self.map(|config| config.with_timer(timer))
    }

    /// Sets the clock; see [`SessionConfig::with_clock`].
    #[must_use]
    pub fn with_clock(self, clock: impl Clock + 'static) -> Self {
        self.map(|config| config.with_clock(clock))
    }

    /// Sets the name that keeps applications on one backend apart; see [`SessionConfig::with_namespace`].
    #[must_use]
    pub fn with_namespace(self, namespace: impl Into<Arc<str>>) -> Self {
        self.map(|config| config.with_namespace(namespace))
    }

    /// Sets what makes the ids; see [`SessionConfig::with_new_id`].
    #[must_use]
    pub fn with_new_id(self, new_id: impl Fn() -> Result<SessionId, BoxError> + Send + Sync + 'static) -> Self {
        self.map(|config| config.with_new_id(new_id))
    }

    fn map(self, change: impl FnOnce(SessionConfig<R>) -> SessionConfig<R>) -> Self {
        Self::from(change(self.config))
    }
}

impl<R: Rules + Clone> From<SessionConfig<R>> for SessionLayer<R> {
    fn from(config: SessionConfig<R>) -> Self {
        let config = config.with_default_timer(TokioTimer::default());
        Self { sessions: config.clone().into(), config }
    }
}

impl<S, R> Layer<S> for SessionLayer<R> {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> SessionService<S> {
        SessionService::new(inner, self.sessions.clone())
    }
}
