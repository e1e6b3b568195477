//! What the application decides once, for all requests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use session_core::{BoxError, Clock, Expiry, SessionId, SessionIndex, SessionStore, SystemClock, Timestamp};

use crate::arrival::Client;
use crate::departed::Departed;
use crate::express::Express;
use crate::{
    CookieFormat, CookiePolicy, Error, FailurePolicy, InvalidCookie, Proxy, Secrets, SessionLimit, SignedId, Timer,
    Transport,
};

/// Makes the id of a session.
type NewId = dyn Fn() -> Result<SessionId, BoxError> + Send + Sync;

/// Chooses the cookie of a request.
type CookieOf = dyn Fn(&Parts) -> CookiePolicy + Send + Sync;

/// The store, the secrets and the policies that all sessions of an application share.
#[derive(Clone)]
pub struct SessionConfig {
    pub(crate) store: Arc<dyn SessionStore>,
    index: Option<Arc<dyn SessionIndex>>,
    limit: Option<SessionLimit>,
    pub(crate) secrets: Secrets,
    cookie: CookiePolicy,
    pub(crate) cookie_of: Option<Arc<CookieOf>>,
    pub(crate) proxy: Proxy,
    transport: Option<Arc<dyn Transport>>,
    pub(crate) expiry: Expiry,
    pub(crate) failure: FailurePolicy,
    pub(crate) timer: Option<Arc<dyn Timer>>,
    pub(crate) store_timeout: Duration,
    clock: Arc<dyn Clock>,
    pub(crate) format: Arc<dyn CookieFormat>,
    pub(crate) namespace: Arc<str>,
    pub(crate) touch_throttle: Option<Duration>,
    express: Option<Arc<Express>>,
    pub(crate) new_id: Option<Arc<NewId>>,
    pub(crate) is_gated: bool,
    /// Shared by the clones of the configuration.
    pub(crate) departed: Arc<Departed>,
}

impl SessionConfig {
    /// The longest time that the default throttle lets pass between two touches of a session.
    pub const LONGEST_DEFAULT_THROTTLE: Duration = Duration::from_secs(60);

    /// How long a request waits for its store if nothing else is said. Stores give up after half of it, and say why.
    pub const DEFAULT_STORE_TIMEOUT: Duration = Duration::from_secs(10);

    /// Takes the store and the secrets; the rest has a safe default.
    pub fn new(store: Arc<dyn SessionStore>, secrets: Secrets) -> Self {
        Self {
            store,
            index: None,
            limit: None,
            secrets,
            cookie: CookiePolicy::default(),
            cookie_of: None,
            proxy: Proxy::Ignored,
            transport: None,
            expiry: Expiry::default(),
            failure: FailurePolicy::default(),
            timer: None,
            store_timeout: Self::DEFAULT_STORE_TIMEOUT,
            clock: Arc::new(SystemClock),
            format: Arc::new(SignedId),
            namespace: "session".into(),
            touch_throttle: None,
            express: None,
            new_id: None,
            is_gated: false,
            departed: Arc::default(),
        }
    }

    /// Takes the store and options of express-session, and decides and writes as that does; see [`express`](crate::express).
    ///
    /// The policy of the cookie and its format come from the options, those of this configuration are not looked at. Without a
    /// maximum age in the options, sessions end when they were not used for 24 hours.
    pub fn express(store: Arc<dyn SessionStore>, options: Express) -> Result<Self, InvalidCookie> {
        options.check()?;
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let mut config = Self::new(store, options.secrets.clone());
        // A day is more than a millisecond, so the default never takes its place.
        config.expiry = Expiry::idle(DAY).unwrap_or_default();
        config.express = Some(Arc::new(options));
        Ok(config)
    }

    /// Sets the cookie's name and flags; [`CookiePolicy::default`] otherwise.
    #[must_use]
    pub fn with_cookie(mut self, cookie: CookiePolicy) -> Self {
        self.cookie = cookie;
        self
    }

    /// Chooses the cookie for each request, as for applications that serve several hosts: another domain, path or name. It is asked
    /// when a request arrives, and looks at all of it but the body.
    ///
    /// A request whose cookie has another name or domain than the one that it got before has another session, or none.
    ///
    /// ```
    /// use session_http::{CookiePolicy, Secrets, SessionConfig};
    /// use session_store_memory::MemoryStore;
    /// use std::sync::Arc;
    ///
    /// let (admin, shop) = (CookiePolicy::builder().with_name("__Host-admin").build()?, CookiePolicy::default());
    /// let config = SessionConfig::new(Arc::new(MemoryStore::new()), Secrets::random_for_development()?)
    ///     .with_cookie_of(move |request| if request.uri.path().starts_with("/admin") { admin.clone() } else { shop.clone() });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_cookie_of(mut self, choose: impl Fn(&Parts) -> CookiePolicy + Send + Sync + 'static) -> Self {
        self.cookie_of = Some(Arc::new(choose));
        self
    }

    /// Sets whether `X-Forwarded-Proto` is believed, for a cookie whose [`Secure`](crate::CookiePolicyBuilder::with_secure) depends on
    /// it; it is not otherwise.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// Sets how the id travels, where that is not a cookie.
    #[must_use]
    pub fn with_transport(mut self, transport: impl Transport + 'static) -> Self {
        self.transport = Some(Arc::new(transport));
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

    /// Takes the store as an index too, in place of the one that was given: a session can then list and end the other sessions of its
    /// user ([`Session::sessions`](crate::Session::sessions), [`end_other_sessions`](crate::Session::end_other_sessions)).
    ///
    /// Whatever is around the store, as an encryption, has to be around the index: a plain one here would be written to plainly.
    #[must_use]
    pub fn with_index(mut self, index: Arc<dyn SessionIndex>) -> Self {
        self.store = index.clone();
        self.index = Some(index);
        self
    }

    /// Takes the store as an index too, in place of the one that was given, as [`with_index`](Self::with_index) does, and sets how many
    /// sessions a user may have.
    ///
    /// Each login of a user then costs two listings of the user's sessions and a load for each of them.
    #[must_use]
    pub fn with_session_limit(self, index: Arc<dyn SessionIndex>, limit: SessionLimit) -> Self {
        Self { limit: Some(limit), ..self.with_index(index) }
    }

    /// Sets what a client gets when the store fails; a 503 with `Retry-After` otherwise.
    #[must_use]
    pub fn with_failure(mut self, failure: FailurePolicy) -> Self {
        self.failure = failure;
        self
    }

    /// Sets how long a request waits for its store (S17): this long at most to load its session, and as long to store it, whatever
    /// number of calls that takes. A login with a [limit](Self::with_session_limit) waits as long once more, to end the sessions that
    /// are too many. Ten seconds otherwise.
    ///
    /// What takes longer is dropped and counts as an outage. A write that was dropped may still reach the store.
    #[must_use]
    pub fn with_store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }

    /// Sets what measures that time. Without a timer nothing does, and only the store's own limits count.
    #[must_use]
    pub fn with_timer(mut self, timer: impl Timer + 'static) -> Self {
        self.timer = Some(Arc::new(timer));
        self
    }

    /// Sets the timer if there is none yet, for layers that know their runtime.
    #[must_use]
    pub fn with_default_timer(self, timer: impl Timer + 'static) -> Self {
        if self.timer.is_some() { self } else { self.with_timer(timer) }
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

    /// Gives no session to requests whose path is not below the cookie's, as browsers send no cookie with them.
    ///
    /// Asked for one, they get [`Error::OutsidePath`], or the session of a layer around this one. Without it a session that such a
    /// request begins is stored, and its browser never presents it. [`Express`] always does this, by comparing beginnings only.
    #[must_use]
    pub fn with_path_gating(mut self) -> Self {
        self.is_gated = true;
        self
    }

    /// Sets what makes the ids (`genid`); 192 random bits from the operating system otherwise.
    ///
    /// Whoever can guess an id has the session: anything with less than 128 random bits is a hole. An id that is in use already
    /// is asked for again, up to a hundred times. When it fails, or gives an id that the [format](Self::with_cookie_format) cannot
    /// read back ([`SignedId`] only knows those of 32 characters, [`SessionId::parse`]), so does the request, with a 503.
    #[must_use]
    pub fn with_new_id(mut self, new_id: impl Fn() -> Result<SessionId, BoxError> + Send + Sync + 'static) -> Self {
        self.new_id = Some(Arc::new(new_id));
        self
    }

    pub(crate) fn index(&self) -> Result<&dyn SessionIndex, Error> {
        self.index.as_deref().ok_or(Error::NoIndex)
    }

    pub(crate) fn limit(&self) -> Option<(&dyn SessionIndex, SessionLimit)> {
        self.index.as_deref().zip(self.limit)
    }

    pub(crate) fn as_express(&self) -> Option<&Express> {
        self.express.as_deref()
    }

    /// Returns how the id travels, if not as a cookie.
    pub(crate) fn as_transport(&self) -> Option<&dyn Transport> {
        self.transport.as_deref().filter(|_| self.express.is_none())
    }

    /// Returns the cookie of this client.
    pub(crate) fn cookie_for<'c>(&'c self, client: &'c Client) -> &'c CookiePolicy {
        client.cookie.as_deref().unwrap_or(&self.cookie)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl fmt::Debug for SessionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionConfig")
            .field("secrets", &self.secrets)
            .field("cookie", &self.cookie)
            .field("transport", &self.transport)
            .field("expiry", &self.expiry)
            .field("clock", &self.clock)
            .field("format", &self.format)
            .field("namespace", &self.namespace)
            .field("touch_throttle", &self.touch_throttle())
            .field("limit", &self.limit)
            .field("failure", &self.failure)
            .field("store_timeout", &self.store_timeout)
            .field("express", &self.express)
            .finish_non_exhaustive()
    }
}
