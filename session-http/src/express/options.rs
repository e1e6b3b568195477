//! The options of express-session, under its names and with its defaults.

use crate::{InvalidCookie, InvalidSecrets, Secrets};

use super::ExpressCookie;
use super::cookie::is_name;

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
    pub(crate) cookie: ExpressCookie,
    pub(crate) saves_unchanged: bool,
    pub(crate) saves_uninitialized: bool,
    pub(crate) is_rolling: bool,
    pub(crate) unset: Unset,
    pub(crate) proxy: Proxy,
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

/// Whether `X-Forwarded-Proto` is believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proxy {
    /// No: a request came over HTTPS if its extensions have a [`SecureConnection`](crate::SecureConnection).
    #[default]
    Ignored,
    /// Yes, its first item: only behind a proxy that always sets it.
    Trusted,
}

impl Express {
    /// Takes the secrets, the one that signs first. Refuses an empty list and an empty secret; any other length is accepted, as
    /// Express does. Secrets of less than 32 random bytes can be guessed.
    pub fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, InvalidSecrets> {
        Ok(Self {
            secrets: Secrets::of_any_length(secrets)?,
            name: "connect.sid".into(),
            cookie: ExpressCookie::default(),
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
        self.cookie = cookie;
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
        if is_name(&self.name) { self.cookie.check() } else { Err(InvalidCookie::Name) }
    }

    /// Says whether the path of a request begins with the cookie's: without parts, `/app` is the beginning of `/apple`.
    pub(crate) fn serves(&self, path: &str) -> bool {
        path.starts_with(self.cookie.path())
    }

    pub(crate) fn is_secure(&self, headers: &http::HeaderMap, extensions: &http::Extensions) -> bool {
        if extensions.get::<crate::SecureConnection>().is_some() {
            return true;
        }
        let forwarded = headers.get("x-forwarded-proto").filter(|_| self.proxy == Proxy::Trusted);
        let first = forwarded.and_then(|value| value.as_bytes().split(|&byte| byte == b',').next());
        first.is_some_and(|proto| proto.trim_ascii().eq_ignore_ascii_case(b"https"))
    }
}
