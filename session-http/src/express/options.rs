//! The options of express-session, under its names and with its defaults.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use session_core::Timestamp;

use crate::{InvalidCookie, InvalidSecrets, Proxy, Secrets};

use super::ExpressCookie;
use super::attributes::is_name;

/// The options of express-session, under its names and with its defaults, as dangerous as they are.
///
/// ```
/// use session_http::SessionConfig;
/// use session_http::express::{Express, ExpressCookie, SameSitePolicy};
/// use session_store_memory::MemoryStore;
/// use std::{sync::Arc, time::Duration};
///
/// let cookie = ExpressCookie::new().with_max_age(Duration::from_secs(3600));
/// let express = Express::new(["keyboard cat"])?.without_resave().without_save_uninitialized().with_cookie(cookie);
/// let config = SessionConfig::express(Arc::new(MemoryStore::new()), express)?;
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
    Of(Arc<dyn Fn(&Parts) -> ExpressCookie + Send + Sync>),
}

/// What becomes of the stored session when a handler [unsets](crate::Session::unset) it.
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
    pub fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, InvalidSecrets> {
        Ok(Self {
            secrets: Secrets::of_any_length(secrets)?,
            name: "connect.sid".into(),
            cookie: CookieOption::Is(ExpressCookie::default()),
            saves_unchanged: true,
            saves_uninitialized: true,
            is_rolling: false,
            unset: Unset::Keep,
            proxy: Proxy::Ignored,
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
    /// not resolved in them: such a [`Secure`](crate::SecurePolicy) is sent over HTTPS only, with such a
    /// [`SameSite`](super::SameSitePolicy) the cookie is not set.
    pub fn with_cookie_of(mut self, cookie: impl Fn(&Parts) -> ExpressCookie + Send + Sync + 'static) -> Self {
        self.cookie = CookieOption::Of(Arc::new(cookie));
        self
    }

    /// Writes a session that was read only if it changed (`resave: false`), and touches it otherwise.
    pub fn without_resave(mut self) -> Self {
        self.saves_unchanged = false;
        self
    }

    /// Stores a new session only if something was set (`saveUninitialized: false`).
    pub fn without_save_uninitialized(mut self) -> Self {
        self.saves_uninitialized = false;
        self
    }

    /// Sets the cookie with every response (`rolling: true`).
    pub fn with_rolling(mut self) -> Self {
        self.is_rolling = true;
        self
    }

    /// Sets what becomes of a session that is unset; it is kept otherwise.
    pub fn with_unset(mut self, unset: Unset) -> Self {
        self.unset = unset;
        self
    }

    /// Sets whether `X-Forwarded-Proto` is believed; it is not otherwise.
    pub fn with_proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// Refuses names and attributes for which Express drops the cookie of every response.
    pub(crate) fn check(&self) -> Result<(), InvalidCookie> {
        match &self.cookie {
            _ if !is_name(&self.name) => Err(InvalidCookie::Name),
            CookieOption::Is(cookie) => cookie.check(),
            CookieOption::Of(_) => Ok(()),
        }
    }

    /// Returns the cookie's options for one request.
    pub(crate) fn cookie_for<B>(&self, request: &http::Request<B>) -> ExpressCookie {
        match &self.cookie {
            CookieOption::Is(cookie) => cookie.clone(),
            CookieOption::Of(make) => {
                let (mut parts, ()) = http::Request::new(()).into_parts();
                parts.method = request.method().clone();
                parts.uri = request.uri().clone();
                parts.version = request.version();
                parts.headers = request.headers().clone();
                parts.extensions = request.extensions().clone();
                make(&parts)
            }
        }
    }

    /// Makes the cookie of a session that begins now.
    pub(crate) fn begin_cookie(&self, options: &ExpressCookie, now: Timestamp, is_secure: bool) -> ExpressCookie {
        match self.cookie {
            CookieOption::Is(_) => options.begun(now, is_secure),
            CookieOption::Of(_) => options.clone().set(now),
        }
    }

    pub(crate) fn is_secure(&self, headers: &http::HeaderMap, extensions: &http::Extensions) -> bool {
        self.proxy.sees_https(headers, extensions)
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
