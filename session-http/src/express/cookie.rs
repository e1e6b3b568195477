//! The cookie of express-session: its options, and what becomes of it in one session.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use session_core::Timestamp;

use crate::{InvalidCookie, Priority, SameSite, SecurePolicy};

use super::attributes::{is_domain, is_path, is_true};

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

/// The cookie of express-session: as the options describe it, or as one session has it. The default is `Path=/; HttpOnly` and
/// nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ExpressCookie {
    pub(super) age: Age,
    /// The other attributes, as JavaScript has them: what another program stored need not be what this one would.
    pub(super) attributes: Arc<Map<String, Value>>,
}

/// `originalMaxAge`, from which `expires` follows at each use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// `undefined`, `null` and `false`: the browser forgets the cookie when it closes.
    Undefined,
    Null,
    False,
    /// In milliseconds; with a negative one the cookie has ended.
    For(i64),
    /// Until this instant; in the options only.
    Until(Timestamp),
}

impl Default for ExpressCookie {
    fn default() -> Self {
        let attributes = [("path", Value::from("/")), ("httpOnly", Value::from(true))];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        Self { age: Age::Null, attributes: Arc::new(attributes) }
    }
}

impl ExpressCookie {
    /// Starts from the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends the cookie to this host and its sub-domains.
    pub fn with_domain(self, domain: impl Into<String>) -> Self {
        self.with("domain", domain.into())
    }

    /// Sends the cookie below this path only; requests whose path does not begin with it have no session. `/` otherwise.
    pub fn with_path(self, path: impl Into<String>) -> Self {
        self.with("path", path.into())
    }

    /// Ends the session, and the cookie, when it was not used for so long (`maxAge`). Fractions of a millisecond are dropped.
    pub fn with_max_age(self, max_age: Duration) -> Self {
        Self { age: Age::For(i64::try_from(max_age.as_millis()).unwrap_or(i64::MAX)), ..self }
    }

    /// Lets the browser forget the cookie when it closes (`maxAge: null`), which is the default.
    pub fn without_max_age(self) -> Self {
        Self { age: Age::Null, ..self }
    }

    /// Ends a session that begins now at this instant (`expires`); each use moves the end by the same time.
    ///
    /// It replaces a maximum age, and a maximum age replaces it. An instant that has passed makes a cookie that has ended, as a negative
    /// `maxAge` does.
    pub fn with_expires(self, expires: Timestamp) -> Self {
        Self { age: Age::Until(expires), ..self }
    }

    /// Shows the cookie to scripts (`httpOnly: false`). Whoever gets a script into a page then has the session.
    pub fn without_http_only(self) -> Self {
        self.with("httpOnly", false)
    }

    /// Sets when the cookie is `Secure`; never otherwise.
    pub fn with_secure(self, secure: SecurePolicy) -> Self {
        match secure {
            SecurePolicy::Never => self.with("secure", false),
            SecurePolicy::Always => self.with("secure", true),
            SecurePolicy::Auto => self.with("secure", "auto"),
        }
    }

    /// Sets what `SameSite` says; nothing otherwise.
    pub fn with_same_site(self, same_site: SameSitePolicy) -> Self {
        match same_site {
            SameSitePolicy::Absent => self.with("sameSite", false),
            SameSitePolicy::Is(same_site) => self.with("sameSite", same_site.as_str().to_ascii_lowercase()),
            SameSitePolicy::Auto => self.with("sameSite", "auto"),
        }
    }

    /// Adds `Partitioned`.
    pub fn with_partitioning(self) -> Self {
        self.with("partitioned", true)
    }

    /// Adds a `Priority`.
    pub fn with_priority(self, priority: Priority) -> Self {
        self.with("priority", priority.as_str().to_ascii_lowercase())
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        Arc::make_mut(&mut self.attributes).insert(name.to_owned(), value.into());
        self
    }

    /// Returns an attribute that JavaScript takes for true.
    pub(super) fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes.get(name).filter(|value| is_true(value))
    }

    /// Says whether the path of a request begins with the cookie's: without parts, `/app` is the beginning of `/apple`.
    pub(crate) fn serves(&self, path: &str) -> bool {
        path.starts_with(self.attribute("path").and_then(Value::as_str).unwrap_or("/"))
    }

    /// Says whether the cookie may be sent over HTTPS only.
    pub(crate) fn is_secure(&self) -> bool {
        self.attribute("secure").is_some()
    }

    /// Says whether Express takes `expires` for something: once the session was used, it follows from the age.
    pub(crate) fn has_end(&self) -> bool {
        !matches!(self.age, Age::Undefined | Age::Null)
    }

    /// Refuses what the npm package cookie throws at.
    pub(crate) fn check(&self) -> Result<(), InvalidCookie> {
        let text = |name| self.attribute(name).and_then(Value::as_str);
        if !text("domain").is_none_or(is_domain) {
            Err(InvalidCookie::Domain)
        } else if !text("path").is_none_or(is_path) {
            Err(InvalidCookie::Path)
        } else {
            Ok(())
        }
    }

    /// Makes the cookie of a session that begins now.
    pub(crate) fn begun(&self, now: Timestamp, is_secure: bool) -> Self {
        let is_auto = |name| self.attributes.get(name).is_some_and(|value| value == "auto");
        let mut cookie = self.clone().set(now);
        if is_auto("secure") {
            cookie = cookie.with("secure", is_secure);
        }
        if is_auto("sameSite") {
            cookie = cookie.with("sameSite", if is_secure { "none" } else { "lax" });
        }
        cookie
    }

    /// Makes the cookie of a session which is set to this now.
    pub(crate) fn set(mut self, now: Timestamp) -> Self {
        if let Age::Until(end) = self.age {
            self.age = Age::For(end.unix_millis() - now.unix_millis());
        }
        self
    }

    /// Returns when the cookie ends if it is used now.
    pub(crate) fn expires(&self, now: Timestamp) -> Option<Timestamp> {
        let end = match self.age {
            Age::Undefined | Age::Null | Age::False => return None,
            Age::For(age) => now.unix_millis().saturating_add(age),
            Age::Until(end) => return Some(end),
        };
        let nearest = if end < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Some(Timestamp::from_unix_millis(end).unwrap_or(nearest))
    }
}
