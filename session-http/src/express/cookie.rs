//! The options of the cookie of express-session.

use std::sync::Arc;
use std::time::Duration;

use session_core::Timestamp;

use crate::cookie::is_token;
use crate::{InvalidCookie, Priority, SameSite};

use super::Cookie;

/// When the cookie is `Secure`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecurePolicy {
    /// Never: it is sent over plain HTTP.
    #[default]
    Never,
    /// Always: a request that did not come over HTTPS gets no cookie, though its session is stored.
    Always,
    /// If the request that begins the session came over HTTPS.
    Auto,
}

/// What the cookie's `SameSite` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SameSitePolicy {
    /// Nothing; the browser decides.
    #[default]
    Absent,
    /// Always this.
    Is(SameSite),
    /// `None` if the request that begins the session came over HTTPS, else `Lax`.
    Auto,
}

/// The options of express-session's cookie, with its defaults: `Path=/; HttpOnly` and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ExpressCookie {
    domain: Option<Arc<str>>,
    path: Arc<str>,
    lifetime: Option<Lifetime>,
    is_http_only: bool,
    secure: SecurePolicy,
    same_site: SameSitePolicy,
    is_partitioned: bool,
    priority: Option<Priority>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lifetime {
    For(Duration),
    Until(Timestamp),
}

impl Default for ExpressCookie {
    fn default() -> Self {
        Self {
            domain: None,
            path: "/".into(),
            lifetime: None,
            is_http_only: true,
            secure: SecurePolicy::Never,
            same_site: SameSitePolicy::Absent,
            is_partitioned: false,
            priority: None,
        }
    }
}

impl ExpressCookie {
    /// Starts from the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends the cookie to this host and its sub-domains.
    pub fn with_domain(mut self, domain: impl Into<Arc<str>>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Sends the cookie below this path only; requests whose path does not begin with it have no session. `/` otherwise.
    pub fn with_path(mut self, path: impl Into<Arc<str>>) -> Self {
        self.path = path.into();
        self
    }

    /// Ends the session, and the cookie, when it was not used for so long (`maxAge`). Fractions of a millisecond are dropped.
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.lifetime = Some(Lifetime::For(max_age));
        self
    }

    /// Ends a session that begins now at this instant (`expires`); each use moves the end by the same time.
    ///
    /// It replaces a maximum age, and a maximum age replaces it.
    pub fn with_expires(mut self, expires: Timestamp) -> Self {
        self.lifetime = Some(Lifetime::Until(expires));
        self
    }

    /// Shows the cookie to scripts (`httpOnly: false`). Whoever gets a script into a page then has the session.
    pub fn without_http_only(mut self) -> Self {
        self.is_http_only = false;
        self
    }

    /// Sets when the cookie is `Secure`; never otherwise.
    pub fn with_secure(mut self, secure: SecurePolicy) -> Self {
        self.secure = secure;
        self
    }

    /// Sets what `SameSite` says; nothing otherwise.
    pub fn with_same_site(mut self, same_site: SameSitePolicy) -> Self {
        self.same_site = same_site;
        self
    }

    /// Adds `Partitioned`.
    pub fn with_partitioning(mut self) -> Self {
        self.is_partitioned = true;
        self
    }

    /// Adds a `Priority`.
    pub fn with_priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Refuses what the npm package cookie throws at.
    pub(crate) fn check(&self) -> Result<(), InvalidCookie> {
        let is_label = |label: &str| {
            let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
        };
        let domain = self.domain.as_deref().map(|domain| domain.strip_prefix('.').unwrap_or(domain));
        if !domain.is_none_or(|domain| domain.split('.').all(is_label)) {
            return Err(InvalidCookie::Domain);
        }
        let is_path = self.path.bytes().all(|byte| matches!(byte, 0x20..=0x3a | 0x3d..=0x7e));
        if is_path { Ok(()) } else { Err(InvalidCookie::Path) }
    }

    /// Makes the cookie of a session that begins now.
    pub(crate) fn generate(&self, now: Timestamp, is_secure: bool) -> Cookie {
        Cookie {
            original_max_age: self.lifetime.map(|lifetime| match lifetime {
                Lifetime::For(age) => i64::try_from(age.as_millis()).unwrap_or(i64::MAX),
                Lifetime::Until(expires) => expires.unix_millis() - now.unix_millis(),
            }),
            partitioned: self.is_partitioned.then_some(true),
            priority: self.priority,
            secure: match self.secure {
                SecurePolicy::Never => None,
                SecurePolicy::Always => Some(true),
                SecurePolicy::Auto => Some(is_secure),
            },
            http_only: self.is_http_only,
            domain: self.domain.clone(),
            path: self.path.clone(),
            same_site: match self.same_site {
                SameSitePolicy::Absent => None,
                SameSitePolicy::Is(same_site) => Some(same_site),
                SameSitePolicy::Auto => Some(if is_secure { SameSite::None } else { SameSite::Lax }),
            },
        }
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_token)
}
