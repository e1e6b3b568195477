//! What the application decides once, for all requests.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use session_core::{BoxError, Clock, Expiry, SessionId, SessionIndex, SessionKey, SystemClock, Timestamp};

use crate::recent::Recent;
use crate::rules::Rules;
use crate::{
    CookieFormat, CookiePolicy, Error, FailurePolicy, Native, Proxy, RequestHead, Secrets, SessionLimit, Timer,
    Transport,
};

/// Makes the id of a session.
type NewId = dyn Fn() -> Result<SessionId, BoxError> + Send + Sync;

/// Makes the response to a commit that failed.
type Refusal = dyn Fn(&Error) -> Option<Response<String>> + Send + Sync;

/// The store, the secrets and the policies that all sessions of an application share, by the rules `R`.
///
/// Layers take it as [`Sessions`], which it becomes by `into()`.
#[derive(Clone)]
pub struct SessionConfig<R = Native> {
    shared: Shared,
    rules: R,
}

/// What is configured whatever the rules are.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn SessionIndex>,
    pub(crate) limit: Option<SessionLimit>,
    pub(crate) expiry: Expiry,
    pub(crate) failure: FailurePolicy,
    pub(crate) refusal: Option<Arc<Refusal>>,
    pub(crate) timer: Option<Arc<dyn Timer>>,
    pub(crate) store_timeout: Duration,
    clock: Arc<dyn Clock>,
    namespace: Arc<str>,
    new_id: Option<Arc<NewId>>,
    /// Shared by the clones of the configuration.
    pub(crate) recent: Arc<Recent>,
}

/// The sessions of an application: what layers take. Made from a [`SessionConfig`]; cloning shares it.
#[derive(Clone)]
pub struct Sessions(pub(crate) Arc<Config>);

/// The same, as the crate uses it.
pub(crate) struct Config {
    shared: Shared,
    pub(crate) rules: Arc<dyn Rules>,
}

impl SessionConfig {
    /// How long a request waits for its store if nothing else is said. Stores give up after half of it, and say why.
    pub const DEFAULT_STORE_TIMEOUT: Duration = Duration::from_secs(10);

    /// Takes the store and the secrets; the rest has a safe default.
    pub fn new(store: Arc<dyn SessionIndex>, secrets: Secrets) -> Self {
        Self::with_rules(store, Native::new(secrets))
    }

    /// Sets the cookie's name and flags; [`CookiePolicy::default`] otherwise.
    #[must_use]
    pub fn with_cookie(mut self, cookie: CookiePolicy) -> Self {
        self.rules.options().cookie = cookie;
        self
    }

    /// Chooses the cookie for each request, as for applications that serve several hosts: another domain, path or name. It is asked
    /// when a request arrives, and looks at all of it but the body.
    ///
    /// A request whose cookie has another name or domain than the one that it got before has another session, or none: the value of a cookie is
    /// accepted under its own name only.
    ///
    /// ```
    /// use session_http::{CookiePolicy, Secrets, SessionConfig};
    /// use session_store_memory::MemoryStore;
    /// use std::sync::Arc;
    ///
    /// let (admin, shop) = (CookiePolicy::builder().with_name("__Host-admin").build()?, CookiePolicy::default());
    /// let config = SessionConfig::new(Arc::new(MemoryStore::new()), Secrets::random_for_development()?)
    ///     .with_cookie_of(move |request| if request.path().starts_with("/admin") { admin.clone() } else { shop.clone() });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_cookie_of(mut self, choose: impl Fn(&RequestHead<'_>) -> CookiePolicy + Send + Sync + 'static) -> Self {
        self.rules.options().cookie_of = Some(Arc::new(choose));
        self
    }

    /// Removes a cookie that an earlier configuration set, whenever the browser is told something: after a change of its domain, path, name
    /// or partitioning, as browsers would go on sending both. May be called for several.
    #[must_use]
    pub fn with_retired_cookie(mut self, earlier: CookiePolicy) -> Self {
        self.rules.options().retired.push(earlier);
        self
    }

    /// Sets whether `X-Forwarded-Proto` is believed, for a cookie whose [`Secure`](crate::CookiePolicyBuilder::with_secure) depends on
    /// it; it is not otherwise.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Proxy) -> Self {
        self.rules.options().proxy = proxy;
        self
    }

    /// Sets how the id travels, where that is not a cookie. What is said of cookies counts for nothing then: their policies, the proxy, and
    /// that the session is of some paths only.
    #[must_use]
    pub fn with_transport(mut self, transport: impl Transport + 'static) -> Self {
        self.rules.options().transport = Some(Arc::new(transport));
        self
    }

    /// Sets how the id is written in the cookie; [`SignedId`](crate::SignedId) otherwise.
    #[must_use]
    pub fn with_cookie_format(mut self, format: impl CookieFormat + 'static) -> Self {
        self.rules.options().format = Arc::new(format);
        self
    }

    /// Gives no session to requests whose path is not below the cookie's, as browsers send no cookie with them.
    ///
    /// Asked for one, they get [`Error::OutsidePath`], or the session of a layer around this one. Without it a session that such a
    /// request begins is stored, and its browser never presents it.
    #[must_use]
    pub fn with_path_gating(mut self) -> Self {
        self.rules.options().is_gated = true;
        self
    }
}

impl<R> SessionConfig<R> {
    /// Takes the store and rules of another kind than the native ones.
    pub fn with_rules(store: Arc<dyn SessionIndex>, rules: R) -> Self {
        let shared = Shared {
            store,
            limit: None,
            expiry: Expiry::default(),
            failure: FailurePolicy::default(),
            refusal: None,
            timer: None,
            store_timeout: SessionConfig::DEFAULT_STORE_TIMEOUT,
            clock: Arc::new(SystemClock),
            namespace: "session".into(),
            new_id: None,
            recent: Arc::default(),
        };
        Self { shared, rules }
    }

    /// Sets when sessions end; 24 hours after their last use and 30 days after their login otherwise, or after their beginning. It also
    /// says how much later a use has to move the end to be worth a call of the store ([`Expiry::with_touch_throttle`]).
    #[must_use]
    pub fn with_expiry(mut self, expiry: Expiry) -> Self {
        self.shared.expiry = expiry;
        self
    }

    /// Sets the clock, normally the one that the store was given too; the system's otherwise.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.shared.clock = Arc::new(clock);
        self
    }

    /// Sets how many sessions a user may have; any number otherwise.
    #[must_use]
    pub fn with_session_limit(mut self, limit: SessionLimit) -> Self {
        self.shared.limit = Some(limit);
        self
    }

    /// Sets what a client gets when the store fails; a 503 with `Retry-After` otherwise.
    #[must_use]
    pub fn with_failure(mut self, failure: FailurePolicy) -> Self {
        self.shared.failure = failure;
        self
    }

    /// Sets the response to a commit that failed, in place of the empty one of [`Error::to_response`]; where it says `None`, that one.
    ///
    /// ```
    /// # fn example(config: session_http::SessionConfig) -> session_http::SessionConfig {
    /// use http::{Response, StatusCode};
    /// use session_http::Error;
    ///
    /// config.with_refusal(|error| match error {
    ///     Error::Ended => {
    ///         let mut response = Response::new("You were logged out in another window. Nothing was changed.".to_owned());
    ///         *response.status_mut() = StatusCode::CONFLICT;
    ///         Some(response)
    ///     }
    ///     _ => None,
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn with_refusal(
        mut self,
        refusal: impl Fn(&Error) -> Option<Response<String>> + Send + Sync + 'static,
    ) -> Self {
        self.shared.refusal = Some(Arc::new(refusal));
        self
    }

    /// Sets how long a request waits for its store (S17): this long at most to load its session, and as long to store it, whatever
    /// number of calls that takes. Ten seconds otherwise.
    ///
    /// What takes longer counts as an outage. A write that was given up may still reach the store; a layer that can lets it come to its end.
    #[must_use]
    pub fn with_store_timeout(mut self, timeout: Duration) -> Self {
        self.shared.store_timeout = timeout;
        self
    }

    /// Sets what measures that time. Without a timer nothing does, and only the store's own limits count.
    #[must_use]
    pub fn with_timer(mut self, timer: impl Timer + 'static) -> Self {
        self.shared.timer = Some(Arc::new(timer));
        self
    }

    /// Sets the timer if there is none yet, for layers that know their runtime.
    #[must_use]
    pub fn with_default_timer(self, timer: impl Timer + 'static) -> Self {
        if self.shared.timer.is_some() { self } else { self.with_timer(timer) }
    }

    /// Sets the name that goes into the derivation of the store's keys; `session` otherwise.
    ///
    /// Applications that share a backend give different names. A new name makes every session of the old one unreachable.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<Arc<str>>) -> Self {
        self.shared.namespace = namespace.into();
        self
    }

    /// Sets what makes the ids (`genid`); 192 random bits from the operating system otherwise.
    ///
    /// Whoever can guess an id has the session: anything with less than 128 random bits is a hole. An id that is in use already
    /// is asked for again, up to a hundred times. When it fails, or gives an id that a client could not present again
    /// ([`SignedId`](crate::SignedId) only knows those of 32 characters, [`SessionId::parse`]), so does the request, with a 503.
    #[must_use]
    pub fn with_new_id(mut self, new_id: impl Fn() -> Result<SessionId, BoxError> + Send + Sync + 'static) -> Self {
        self.shared.new_id = Some(Arc::new(new_id));
        self
    }
}

impl<R: Rules> From<SessionConfig<R>> for Sessions {
    fn from(config: SessionConfig<R>) -> Self {
        Self(Arc::new(Config { shared: config.shared, rules: Arc::new(config.rules) }))
    }
}

impl Sessions {
    /// Says whether one is a clone of the other: a session of the one is one of the other. One that was made from a clone of the configuration,
    /// which may have been changed, is not.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns the store.
    pub fn store(&self) -> &Arc<dyn SessionIndex> {
        &self.0.store
    }
}

impl Config {
    pub(crate) fn store(&self) -> &dyn SessionIndex {
        &*self.store
    }

    pub(crate) fn new_id(&self) -> Result<SessionId, Error> {
        let id = match &self.new_id {
            None => SessionId::generate()?,
            Some(new_id) => new_id().map_err(Error::NewId)?,
        };
        if self.rules.can_present(&id) {
            Ok(id)
        } else {
            Err(Error::NewId("no client could present such an id".into()))
        }
    }

    /// Returns what the store files the session of this id under.
    pub(crate) fn key_of(&self, id: &SessionId) -> SessionKey {
        SessionKey::derive(&self.namespace, id)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Deref for Config {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("expiry", &self.expiry)
            .field("clock", &self.clock)
            .field("namespace", &self.namespace)
            .field("limit", &self.limit)
            .field("failure", &self.failure)
            .field("store_timeout", &self.store_timeout)
            .finish_non_exhaustive()
    }
}

impl<R: fmt::Debug> fmt::Debug for SessionConfig<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionConfig").field("rules", &self.rules).field("shared", &self.shared).finish()
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("rules", &self.0.rules).field("shared", &self.0.shared).finish()
    }
}
