//! The options of express-session, under its names and with its defaults.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use session_core::{Expiry, SessionIndex, Timestamp};
use session_http::{InvalidCookie, InvalidSecrets, RequestHead, Secrets, SessionConfig};

use crate::attributes::is_name;
use crate::{ExpressCookie, ExpressRules, Proxy};

/// The options of express-session, under its names and with its defaults, as dangerous as they are.
///
/// ```
/// use session_express::{Express, ExpressCookie, FailurePolicy};
/// use session_store_memory::MemoryStore;
/// use std::{sync::Arc, time::Duration};
///
/// let config = Express::new(["keyboard cat"])?
///     .without_resave()
///     .without_save_uninitialized()
///     .with_cookie(ExpressCookie::new().with_max_age(Duration::from_secs(3600)))
///     .config(Arc::new(MemoryStore::new()))?
///     .with_failure(FailurePolicy::default());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Express {
    pub(crate) secrets: Secrets,
    pub(crate) name: String,
    cookie: CookieOption,
    pub(crate) saves_unchanged: bool,
    pub(crate) saves_uninitialized: bool,
    pub(crate) is_rolling: bool,
    pub(crate) unset: Unset,
    pub(crate) proxy: Proxy,
}

#[derive(Clone)]
enum CookieOption {
    Is(ExpressCookie),
    Of(Arc<dyn Fn(&RequestHead<'_>) -> ExpressCookie + Send + Sync>),
}

/// What becomes of the stored session when a handler [unsets](session_http::Session::unset) it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unset {
    /// It stays as it was, and is not even touched.
    #[default]
    Keep,
    /// It is deleted.
    Destroy,
}

impl Express {
    /// Takes the secrets, the one that signs first. Refuses an empty list and an empty secret; any other length is accepted, as
    /// Express does. Secrets of less than 32 random bytes can be guessed.
    ///
    /// # Errors
    ///
    /// [`InvalidSecrets::Missing`] for an empty list, [`InvalidSecrets::Empty`] for an empty secret.
    pub fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, InvalidSecrets> {
        Ok(Self {
            secrets: Secrets::of_any_length(secrets)?,
            name: "connect.sid".into(),
            cookie: CookieOption::Is(ExpressCookie::default()),
            saves_unchanged: true,
            saves_uninitialized: true,
            is_rolling: false,
            unset: Unset::Keep,
            proxy: Proxy::default(),
        })
    }

    /// Returns the secrets.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Sets the cookie's name; `connect.sid` otherwise.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the cookie's options.
    pub fn with_cookie(mut self, cookie: ExpressCookie) -> Self {
        self.cookie = CookieOption::Is(cookie);
        self
    }

    /// Sets what makes the cookie's options for each request, of all but its body (`cookie` as a function).
    ///
    /// They are not checked: with an attribute for which Express throws, the cookie is not set. As in express-session 1.19, `Auto` is
    /// not resolved in them: such a [`Secure`](session_http::SecurePolicy) is sent over HTTPS only, with such a
    /// [`SameSite`](crate::SameSitePolicy) the cookie is not set.
    pub fn with_cookie_of(
        mut self,
        cookie: impl Fn(&RequestHead<'_>) -> ExpressCookie + Send + Sync + 'static,
    ) -> Self {
        self.cookie = CookieOption::Of(Arc::new(cookie));
        self
    }

    /// Writes a session that was read only if it changed (`resave: false`), and touches it otherwise.
    pub fn without_resave(mut self) -> Self {
        self.saves_unchanged = false;
        self
    }

    /// Writes every session that was loaded (`resave: true`), which is the default: a request that only reads undoes what another one writes
    /// meanwhile if that is stored elsewhere.
    pub fn with_resave(mut self) -> Self {
        self.saves_unchanged = true;
        self
    }

    /// Stores a new session only if something was set (`saveUninitialized: false`).
    pub fn without_save_uninitialized(mut self) -> Self {
        self.saves_uninitialized = false;
        self
    }

    /// Stores every new session (`saveUninitialized: true`), which is the default.
    pub fn with_save_uninitialized(mut self) -> Self {
        self.saves_uninitialized = true;
        self
    }

    /// Sets the cookie with every response (`rolling: true`).
    pub fn with_rolling(mut self) -> Self {
        self.is_rolling = true;
        self
    }

    /// Sets the cookie of a session that is not new only if that has an age and was changed (`rolling: false`), which is the default.
    pub fn without_rolling(mut self) -> Self {
        self.is_rolling = false;
        self
    }

    /// Sets what becomes of a session that is unset; it is kept otherwise.
    pub fn with_unset(mut self, unset: Unset) -> Self {
        self.unset = unset;
        self
    }

    /// Sets who is believed that a request came over HTTPS; a middleware that decided it otherwise.
    pub fn with_proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// Takes the store, and makes the configuration of it, on which the options follow that all rules share.
    ///
    /// Without a maximum age, sessions end when they were not used for 24 hours, and each request that presents one touches it:
    /// [`with_expiry`](SessionConfig::with_expiry) says otherwise, and brings its
    /// [throttle](Expiry::with_touch_throttle) along.
    ///
    /// # Errors
    ///
    /// [`InvalidCookie`] for a name, a domain or a path with which Express drops the cookie of every response.
    pub fn config(self, store: Arc<dyn SessionIndex>) -> Result<SessionConfig<ExpressRules>, InvalidCookie> {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        self.check()?;
        // A day is more than a millisecond, and nothing is less than a day, so the default never takes its place.
        let expiry =
            Expiry::idle(DAY).and_then(|expiry| expiry.with_touch_throttle(Duration::ZERO)).unwrap_or_default();
        Ok(SessionConfig::with_rules(store, ExpressRules(Arc::new(self))).with_expiry(expiry))
    }

    /// Refuses names and attributes for which Express drops the cookie of every response.
    fn check(&self) -> Result<(), InvalidCookie> {
        match &self.cookie {
            _ if !is_name(&self.name) => Err(InvalidCookie::Name),
            CookieOption::Is(cookie) => cookie.check(),
            CookieOption::Of(_) => Ok(()),
        }
    }

    /// Returns the cookie's options for one request.
    pub(crate) fn cookie_for(&self, head: &RequestHead<'_>) -> ExpressCookie {
        match &self.cookie {
            CookieOption::Is(cookie) => cookie.clone(),
            CookieOption::Of(make) => make(head),
        }
    }

    /// Makes the cookie of a session that begins now.
    pub(crate) fn begin_cookie(&self, options: &ExpressCookie, now: Timestamp, is_secure: bool) -> ExpressCookie {
        match self.cookie {
            CookieOption::Is(_) => options.begun(now, is_secure),
            CookieOption::Of(_) => options.clone().set(now),
        }
    }
}

impl fmt::Debug for CookieOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(cookie) => cookie.fmt(f),
            Self::Of(_) => f.write_str("of each request"),
        }
    }
}
