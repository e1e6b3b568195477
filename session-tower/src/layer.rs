//! The layer: what the application configures.

use std::sync::Arc;
use std::time::Duration;

use session_core::{Clock, Expiry, SessionIndex, SessionStore};
use session_http::{CookieFormat, CookiePolicy, FailurePolicy, Secrets, SessionConfig, SessionLimit, Transport};
use tower_layer::Layer;

use crate::SessionService;
use crate::timer::TokioTimer;

/// Gives every request a session, and stores what the request did to it before the response is sent.
///
/// A request whose handler does not ask for the session costs no call of the store, and its cookie is not even read. Cloning
/// shares the configuration. Where two such layers are nested, the handler gets the session of the inner one.
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
pub struct SessionLayer {
    config: Arc<SessionConfig>,
}

impl SessionLayer {
    /// Takes the store and the secrets that sign the cookie; the rest has a safe default.
    pub fn new(store: Arc<dyn SessionStore>, secrets: Secrets) -> Self {
        Self::from(SessionConfig::new(store, secrets))
    }

    /// Sets the cookie's name and flags; see [`SessionConfig::with_cookie`].
    #[must_use]
    pub fn with_cookie(self, cookie: CookiePolicy) -> Self {
        self.map(|config| config.with_cookie(cookie))
    }

    /// Sets how the id travels, where that is not a cookie; see [`SessionConfig::with_transport`].
    #[must_use]
    pub fn with_transport(self, transport: impl Transport + 'static) -> Self {
        self.map(|config| config.with_transport(transport))
    }

    /// Sets when sessions end; see [`SessionConfig::with_expiry`].
    #[must_use]
    pub fn with_expiry(self, expiry: Expiry) -> Self {
        self.map(|config| config.with_expiry(expiry))
    }

    /// Sets how much later a use has to move the expiry to be worth a write; see [`SessionConfig::with_touch_throttle`].
    #[must_use]
    pub fn with_touch_throttle(self, throttle: Duration) -> Self {
        self.map(|config| config.with_touch_throttle(throttle))
    }

    /// Takes the store as an index too, for the sessions of a user; see [`SessionConfig::with_index`].
    #[must_use]
    pub fn with_index(self, index: Arc<dyn SessionIndex>) -> Self {
        self.map(|config| config.with_index(index))
    }

    /// Takes the store as an index too, and sets how many sessions a user may have; see [`SessionConfig::with_session_limit`].
    #[must_use]
    pub fn with_session_limit(self, index: Arc<dyn SessionIndex>, limit: SessionLimit) -> Self {
        self.map(|config| config.with_session_limit(index, limit))
    }

    /// Sets what a client gets when the store fails; see [`SessionConfig::with_failure`].
    #[must_use]
    pub fn with_failure(self, failure: FailurePolicy) -> Self {
        self.map(|config| config.with_failure(failure))
    }

    /// Sets how long a request waits for its store; see [`SessionConfig::with_store_timeout`]. Tokio measures it, unless the
    /// configuration has another [timer](SessionConfig::with_timer).
    #[must_use]
    pub fn with_store_timeout(self, timeout: Duration) -> Self {
        self.map(|config| config.with_store_timeout(timeout))
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

    /// Sets how the id is written in the cookie; see [`SessionConfig::with_cookie_format`].
    #[must_use]
    pub fn with_cookie_format(self, format: impl CookieFormat + 'static) -> Self {
        self.map(|config| config.with_cookie_format(format))
    }

    fn map(self, change: impl FnOnce(SessionConfig) -> SessionConfig) -> Self {
        Self::from(change(Arc::unwrap_or_clone(self.config)))
    }
}

impl From<SessionConfig> for SessionLayer {
    fn from(config: SessionConfig) -> Self {
        Self { config: Arc::new(config.with_default_timer(TokioTimer)) }
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> SessionService<S> {
        SessionService::new(inner, self.config.clone())
    }
}
