//! What the application decides once, for all requests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, Uri};
use session_core::{
    BoxError, Clock, Expiry, Record, SessionId, SessionIndex, SessionKey, SessionStore, SystemClock, Timestamp,
};

use crate::arrival::Client;
use crate::departed::Departed;
use crate::express::{self, Express, Taken};
use crate::presented::find;
use crate::{
    CookieFormat, CookiePolicy, Error, FailurePolicy, InvalidCookie, Presented, Proxy, Secrets, SessionLimit, SignedId,
    Timer, Transport, events,
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
    format: Arc<dyn CookieFormat>,
    namespace: Arc<str>,
    touch_throttle: Option<Duration>,
    express: Option<Arc<Express>>,
    new_id: Option<Arc<NewId>>,
    is_gated: bool,
    /// Shared by the clones of the configuration.
    departed: Arc<Departed>,
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
    #[must_use]
    pub fn with_index(mut self, index: Arc<dyn SessionIndex>) -> Self {
        self.store = index.clone();
        self.index = Some(index);
        self
    }

    /// Takes the store as an index too, as [`with_index`](Self::with_index) does, and sets how many sessions a user may have.
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
    /// number of calls that takes. Ten seconds otherwise.
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

    /// Says whether requests for this path have a session.
    pub(crate) fn serves(&self, client: &Client, path: &str) -> bool {
        !self.is_gated || self.transport.is_some() || self.cookie_for(client).serves(path)
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

    pub(crate) fn new_id(&self) -> Result<SessionId, Error> {
        match &self.new_id {
            None => Ok(SessionId::generate()?),
            Some(new_id) => {
                let id = new_id().map_err(Error::NewId)?;
                if self.comes_back(&id) {
                    Ok(id)
                } else {
                    Err(Error::NewId("the format does not know such ids".into()))
                }
            }
        }
    }

    /// Says whether the format reads the id that it writes; Express escapes whatever there is.
    fn comes_back(&self, id: &SessionId) -> bool {
        self.express.is_some() || self.format.read(self.write_id(id).as_bytes(), &self.secrets).as_ref() == Some(id)
    }

    pub(crate) fn index(&self) -> Result<&dyn SessionIndex, Error> {
        self.index.as_deref().ok_or(Error::NoIndex)
    }

    pub(crate) fn limit(&self) -> Option<(&dyn SessionIndex, SessionLimit)> {
        self.index.as_deref().zip(self.limit)
    }

    /// Says whether no two ids are ever the same.
    pub(crate) fn has_random_ids(&self) -> bool {
        self.new_id.is_none()
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

    /// Takes out of a loaded record what is not the application's, under the rules of Express.
    pub(crate) fn take_in(&self, record: &mut Record) -> Option<Taken> {
        self.express.as_ref().map(|_| express::take_in(record))
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

    /// Notes that the browser has nothing else to present than the key that this layer made dead.
    pub(crate) fn keep_departed(&self, key: &SessionKey) {
        self.departed.keep(key, self.now());
    }

    /// Notes that the browser has another key to present than the one that this layer made dead.
    pub(crate) fn supersede_departed(&self, key: &SessionKey) {
        self.departed.supersede(key, self.now());
    }

    /// Returns how many sessions this layer has ended so far that are still presented.
    pub(crate) fn departures(&self) -> u64 {
        self.departed.count()
    }

    /// Says whether this layer made the key dead a moment ago, when a request that arrived after so many
    /// [departures](Self::departures) was on its way.
    pub(crate) fn is_departed(&self, key: &SessionKey, arrived: u64) -> bool {
        self.departed.knows(key, self.now(), arrived)
    }

    /// Writes what a client presents from now on.
    pub(crate) fn write_id(&self, id: &SessionId) -> String {
        self.format.write(id, &self.secrets)
    }

    /// Reads the id that a request presents, without any I/O (S4). Two are none (S9).
    pub(crate) fn read_id(&self, client: &Client, headers: &HeaderMap) -> Option<SessionId> {
        match self.find(client, headers, &Uri::default()) {
            Presented::Nothing => None,
            Presented::Several => {
                events::presented_twice();
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

    /// Says whether what was accepted is not what would be written now: an old secret signed it.
    pub(crate) fn is_outdated(&self, client: &Client, headers: &HeaderMap, id: &SessionId) -> bool {
        let is_written_now = |value: &[u8]| value == self.write_id(id).as_bytes();
        let is_single = self.secrets.are_single() || self.express.is_some();
        !is_single
            && matches!(self.find(client, headers, &Uri::default()), Presented::Once(value) if !is_written_now(value))
    }

    fn find<'r>(&self, client: &'r Client, headers: &'r HeaderMap, unknown: &'r Uri) -> Presented<'r> {
        match self.as_transport() {
            Some(transport) => transport.find(client.uri.as_deref().unwrap_or(unknown), headers),
            None => find(headers, self.cookie_for(client).name()),
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
