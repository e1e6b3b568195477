//! The cookie of express-session: its options, and what becomes of it in one session.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use session_core::Timestamp;
use session_http::{InvalidCookie, Priority, SameSite, SecurePolicy};

use crate::attributes::{is_domain, is_path, is_true, priority, same_site};

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
    pub(crate) age: Age,
    /// The other attributes, as JavaScript has them: what another program stored need not be what this one would.
    pub(crate) attributes: Arc<Map<String, Value>>,
}

/// `originalMaxAge`, from which `expires` follows at each use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
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

    /// Sends the cookie to this host only, which is the default.
    pub fn without_domain(self) -> Self {
        self.without("domain")
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

    /// Keeps the cookie from scripts, which is the default.
    pub fn with_http_only(self) -> Self {
        self.with("httpOnly", true)
    }

    /// Sets when the cookie is `Secure`; never otherwise.
    pub fn with_secure(self, secure: SecurePolicy) -> Self {
        match secure {
            SecurePolicy::Never => self.with("secure", false),
            SecurePolicy::Auto => self.with("secure", "auto"),
            _ => self.with("secure", true),
        }
    }

    /// Never makes the cookie `Secure`, which is the default.
    pub fn without_secure(self) -> Self {
        self.without("secure")
    }

    /// Sets what `SameSite` says; nothing otherwise.
    pub fn with_same_site(self, same_site: SameSitePolicy) -> Self {
        match same_site {
            SameSitePolicy::Absent => self.with("sameSite", false),
            SameSitePolicy::Is(same_site) => self.with("sameSite", same_site.as_str().to_ascii_lowercase()),
            SameSitePolicy::Auto => self.with("sameSite", "auto"),
        }
    }

    /// Says nothing of `SameSite`, which is the default.
    pub fn without_same_site(self) -> Self {
        self.without("sameSite")
    }

    /// Adds `Partitioned`.
    pub fn with_partitioning(self) -> Self {
        self.with("partitioned", true)
    }

    /// Leaves `Partitioned` out, which is the default.
    pub fn without_partitioning(self) -> Self {
        self.without("partitioned")
    }

    /// Adds a `Priority`.
    pub fn with_priority(self, priority: Priority) -> Self {
        self.with("priority", priority.as_str().to_ascii_lowercase())
    }

    /// Says nothing of a `Priority`, which is the default.
    pub fn without_priority(self) -> Self {
        self.without("priority")
    }

    /// Returns `originalMaxAge`: how long the cookie lives after each use of its session. `None` if the browser forgets it when it closes, or
    /// if the options have [an end](Self::expires) in its place; nothing of it is left if it has ended.
    #[must_use]
    pub fn original_max_age(&self) -> Option<Duration> {
        match self.age {
            Age::For(age) => Some(Duration::from_millis(u64::try_from(age).unwrap_or(0))),
            Age::Undefined | Age::Null | Age::False | Age::Until(_) => None,
        }
    }

    /// Returns the instant that options have in place of an age; a session has the age that follows from it.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        if let Age::Until(end) = self.age { Some(end) } else { None }
    }

    /// Returns the domain, if there is one.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.attribute("domain")?.as_str()
    }

    /// Returns the path, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.attribute("path")?.as_str()
    }

    /// Says whether the cookie is kept from scripts.
    #[must_use]
    pub fn is_http_only(&self) -> bool {
        self.attribute("httpOnly").is_some()
    }

    /// Returns when the cookie is `Secure`.
    #[must_use]
    pub fn secure(&self) -> SecurePolicy {
        match self.attribute("secure") {
            None => SecurePolicy::Never,
            Some(value) if *value == "auto" => SecurePolicy::Auto,
            Some(_) => SecurePolicy::Always,
        }
    }

    /// Returns what `SameSite` says.
    #[must_use]
    pub fn same_site(&self) -> SameSitePolicy {
        match self.attribute("sameSite") {
            Some(value) if *value == "auto" => SameSitePolicy::Auto,
            value => value.and_then(same_site).map_or(SameSitePolicy::Absent, SameSitePolicy::Is),
        }
    }

    /// Says whether the cookie is `Partitioned`.
    #[must_use]
    pub fn is_partitioned(&self) -> bool {
        self.attribute("partitioned").is_some()
    }

    /// Returns the priority, if there is one.
    #[must_use]
    pub fn priority(&self) -> Option<Priority> {
        priority(self.attribute("priority")?)
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        Arc::make_mut(&mut self.attributes).insert(name.to_owned(), value.into());
        self
    }

    fn without(mut self, name: &str) -> Self {
        Arc::make_mut(&mut self.attributes).remove(name);
        self
    }

    /// Takes the age of another one.
    pub(crate) fn with_age_of(self, other: &Self) -> Self {
        Self { age: other.age, ..self }
    }

    /// Returns an attribute that JavaScript takes for true.
    pub(crate) fn attribute(&self, name: &str) -> Option<&Value> {
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
    pub(crate) fn ends_at(&self, now: Timestamp) -> Option<Timestamp> {
        let end = match self.age {
            Age::Undefined | Age::Null | Age::False => return None,
            Age::For(age) => now.unix_millis().saturating_add(age),
            Age::Until(end) => return Some(end),
        };
        let nearest = if end < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Some(Timestamp::from_unix_millis(end).unwrap_or(nearest))
    }
}
