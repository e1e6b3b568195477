//! What the application decides once, for all requests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use session_core::{Clock, Expiry, SessionId, SessionKey, SessionStore, SystemClock, Timestamp};

use crate::departed::Departed;
use crate::presented::{Presented, find};
use crate::{CookieFormat, CookiePolicy, Secrets, SignedId, events};

/// The store, the secrets and the policies that all sessions of an application share.
#[derive(Clone)]
pub struct SessionConfig {
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) secrets: Secrets,
    pub(crate) cookie: CookiePolicy,
    pub(crate) expiry: Expiry,
    clock: Arc<dyn Clock>,
    format: Arc<dyn CookieFormat>,
    namespace: Arc<str>,
    touch_throttle: Option<Duration>,
    /// Shared by the clones of the configuration.
    departed: Arc<Departed>,
}

impl SessionConfig {
    /// The longest time that the default throttle lets pass between two touches of a session.
    pub const LONGEST_DEFAULT_THROTTLE: Duration = Duration::from_secs(60);

    /// Takes the store and the secrets; the rest has a safe default.
    pub fn new(store: Arc<dyn SessionStore>, secrets: Secrets) -> Self {
        Self {
            store,
            secrets,
            cookie: CookiePolicy::default(),
            expiry: Expiry::default(),
            clock: Arc::new(SystemClock),
            format: Arc::new(SignedId),
            namespace: "session".into(),
            touch_throttle: None,
            departed: Arc::default(),
        }
    }

    /// Sets the cookie's name and flags; [`CookiePolicy::default`] otherwise.
    #[must_use]
    pub fn with_cookie(mut self, cookie: CookiePolicy) -> Self {
        self.cookie = cookie;
        self
    }

    /// Sets when sessions end; 24 hours after their last use and 30 days after their beginning otherwise.
    #[must_use]
    pub fn with_expiry(mut self, expiry: Expiry) -> Self {
        self.expiry = expiry;
        self
    }

    /// Sets how much later a use has to move the expiry to be worth a call of the store.
    ///
    /// The default is a tenth of the idle time-out, and a minute at most. A session may end earlier than its idle time-out
    /// by as much. With zero, every request that reads the session writes.
    #[must_use]
    pub fn with_touch_throttle(mut self, throttle: Duration) -> Self {
        self.touch_throttle = Some(throttle);
        self
    }

    /// Sets the clock, normally the one that the store was given too; the system's otherwise.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets the name that goes into the derivation of the store's keys; `session` otherwise.
    ///
    /// Applications that share a backend give different names. A new name makes every session of the old one unreachable.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<Arc<str>>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Sets how the id is written in the cookie; [`SignedId`] otherwise.
    #[must_use]
    pub fn with_cookie_format(mut self, format: impl CookieFormat + 'static) -> Self {
        self.format = Arc::new(format);
        self
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns what the store files the session of this id under.
    pub(crate) fn key_of(&self, id: &SessionId) -> SessionKey {
        SessionKey::derive(&self.namespace, id)
    }

    /// Remembers that this layer is about to make the key dead.
    pub(crate) fn remember_departed(&self, key: &SessionKey) {
        self.departed.remember(key, self.now());
    }

    /// Says whether this layer made the key dead a moment ago.
    pub(crate) fn is_departed(&self, key: &SessionKey) -> bool {
        self.departed.knows(key, self.now())
    }

    pub(crate) fn write_cookie(&self, id: &SessionId) -> String {
        self.format.write(id, &self.secrets)
    }

    /// Reads the id that a request presents, without any I/O (S4). Two cookies of the name are none (S9).
    pub(crate) fn read_cookie(&self, headers: &http::HeaderMap) -> Option<SessionId> {
        match find(headers, self.cookie.name()) {
            Presented::Nothing => None,
            Presented::Several => {
                events::duplicate_cookie();
                None
            }
            Presented::Once(value) => {
                let id = self.format.read(value, &self.secrets);
                if id.is_none() {
                    events::bad_signature();
                }
                id
            }
        }
    }

    pub(crate) fn touch_throttle(&self) -> Duration {
        let default = || {
            let tenth = self.expiry.idle_timeout().map_or(Duration::MAX, |idle| idle / 10);
            tenth.min(Self::LONGEST_DEFAULT_THROTTLE)
        };
        self.touch_throttle.unwrap_or_else(default)
    }
}

impl fmt::Debug for SessionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionConfig")
            .field("secrets", &self.secrets)
            .field("cookie", &self.cookie)
            .field("expiry", &self.expiry)
            .field("clock", &self.clock)
            .field("format", &self.format)
            .field("namespace", &self.namespace)
            .field("touch_throttle", &self.touch_throttle())
            .finish_non_exhaustive()
    }
}
