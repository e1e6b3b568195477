//! The cookie: its name, its flags, and which of them go together.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};

use crate::{Presented, Priority, SameSite, SecurePolicy};

/// The session's cookie: a combination of name and flags that was checked when it was built.
///
/// The default is `__Host-session; Path=/; Secure; HttpOnly; SameSite=Lax`: sent over HTTPS only, to this host only, not
/// shown to scripts, and forgotten when the browser closes.
///
/// ```
/// use session_http::{CookiePolicy, InvalidCookie, SameSite};
///
/// let policy = CookiePolicy::builder().with_name("__Host-shop").with_same_site(SameSite::Strict).build()?;
/// assert_eq!(policy.name(), "__Host-shop");
/// let refused = CookiePolicy::builder().with_domain("example.org").build();
/// assert_eq!(refused, Err(InvalidCookie::HostPrefix));
/// # Ok::<(), InvalidCookie>(())
/// ```
///
/// Cloning shares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookiePolicy(Arc<Checked>);

#[derive(Debug, PartialEq, Eq)]
struct Checked {
    parts: CookiePolicyBuilder,
    /// Everything after the value and before `Max-Age`, over plain HTTP and over HTTPS.
    flags: [String; 2],
}

/// Collects the name and flags of a cookie; [`build`](CookiePolicyBuilder::build) checks that they go together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct CookiePolicyBuilder {
    name: String,
    domain: Option<String>,
    path: String,
    secure: SecurePolicy,
    same_site: SameSite,
    partitioned: bool,
    priority: Option<Priority>,
    max_age: Option<Duration>,
}

/// The refusal of a name, an attribute or a combination that browsers reject or that protects less than it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCookie {
    /// The name is empty, longer than 1024 bytes, or has a character that names cannot have.
    #[error("a cookie's name is 1 to 1024 visible ascii characters without separators")]
    Name,
    /// The domain is not a host name.
    #[error("a cookie's domain is a host name without a leading dot")]
    Domain,
    /// The path does not begin with a slash, is longer than 1024 bytes, or has a character that ends it.
    #[error("a cookie's path begins with a slash and is at most 1024 visible ascii characters without semicolons")]
    Path,
    /// `SameSite=None` without `Secure`.
    #[error("SameSite=None needs Secure")]
    SameSiteNone,
    /// `Partitioned` without `Secure`.
    #[error("Partitioned needs Secure")]
    Partitioned,
    /// A name with `__Host-` without `Secure`, with a domain, or with a path other than `/`.
    #[error("a name that begins with __Host- needs Secure, the path / and no domain")]
    HostPrefix,
    /// A name with `__Secure-` without `Secure`.
    #[error("a name that begins with __Secure- needs Secure")]
    SecurePrefix,
    /// A word that is no `SameSite`.
    #[error("SameSite is strict, lax or none")]
    SameSite,
    /// A word that is no `Priority`.
    #[error("a cookie's priority is low, medium or high")]
    Priority,
    /// A `Max-Age` of less than a second or more than 400 days.
    #[error("a cookie's maximum age is between one second and 400 days")]
    MaxAge,
}

/// Browsers look at no attribute that is longer, and at no cookie whose name and value have more than 4096 bytes.
const LONGEST_PART: usize = 1024;

impl CookiePolicy {
    /// The longest time that browsers keep a cookie.
    pub const LONGEST_MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

    /// Starts from the default.
    pub fn builder() -> CookiePolicyBuilder {
        CookiePolicyBuilder {
            name: "__Host-session".into(),
            domain: None,
            path: "/".into(),
            secure: SecurePolicy::Always,
            same_site: SameSite::Lax,
            partitioned: false,
            priority: None,
            max_age: None,
        }
    }

    /// Makes the cookie `session` without `Secure`, so that it works over plain HTTP. For development only: whoever sees
    /// the traffic has the session.
    pub fn insecure_for_development() -> Self {
        Self::checked(CookiePolicyBuilder { name: "session".into(), secure: SecurePolicy::Never, ..Self::builder() })
    }

    /// Starts from this policy.
    pub fn to_builder(&self) -> CookiePolicyBuilder {
        self.0.parts.clone()
    }

    /// Returns the cookie's name.
    pub fn name(&self) -> &str {
        &self.0.parts.name
    }

    /// Returns the longest time that a browser keeps the cookie; `None` if it forgets it when it closes.
    pub fn max_age(&self) -> Option<Duration> {
        self.0.parts.max_age
    }

    /// Says whether the cookie is `Secure` for some requests and not for others.
    pub(crate) fn is_secure_by_request(&self) -> bool {
        self.0.parts.secure == SecurePolicy::Auto
    }

    /// Says whether a browser sends the cookie with a request for this path (RFC 6265, 5.1.4).
    pub(crate) fn serves(&self, path: &str) -> bool {
        let own = self.0.parts.path.as_str();
        path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || own.ends_with('/') || rest.starts_with('/'))
    }

    /// Says whether it is the same cookie to a browser: name, domain, path and partitioning.
    pub(crate) fn is_same_cookie(&self, other: &Self) -> bool {
        let place = |policy: &Self| {
            let parts = &policy.0.parts;
            (parts.name.clone(), parts.domain.clone(), parts.path.clone(), parts.partitioned)
        };
        place(self) == place(other)
    }

    /// Finds the values of all cookies of the name, in all `Cookie` headers. Names are case-sensitive; a value may stand in double quotes.
    pub(crate) fn find<'r>(&self, headers: &'r HeaderMap) -> Presented<'r> {
        let pairs = headers.get_all(header::COOKIE).iter().flat_map(|line| line.as_bytes().split(|&byte| byte == b';'));
        let values = pairs.filter_map(|pair| {
            let equals = pair.iter().position(|&byte| byte == b'=')?;
            let (key, value) = (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii());
            (key == self.name().as_bytes()).then(|| unquoted(value))
        });
        values.collect()
    }

    /// Writes the `Set-Cookie` header of a session that lives for `remaining` more (S7: the cookie never outlives it).
    pub(crate) fn issue(
        &self,
        value: &str,
        age: Option<Duration>,
        remaining: Duration,
        is_secure: bool,
    ) -> Option<HeaderValue> {
        let mut text = format!("{}={value}{}", self.name(), self.0.flags[usize::from(is_secure)]);
        if let Some(max_age) = age {
            text.push_str(&format!("; Max-Age={}", max_age.min(remaining).as_secs()));
        }
        secret_header(&text)
    }

    /// Writes the `Set-Cookie` header that makes a browser forget the cookie: the same but for value and age (S8).
    pub(crate) fn remove(&self, is_secure: bool) -> Option<HeaderValue> {
        let gone = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        secret_header(&format!("{}={}{gone}", self.name(), self.0.flags[usize::from(is_secure)]))
    }

    fn checked(parts: CookiePolicyBuilder) -> Self {
        let flags = [false, true].map(|is_secure| parts.flags(is_secure));
        Self(Arc::new(Checked { parts, flags }))
    }
}

impl CookiePolicyBuilder {
    /// Writes the attributes but for the age, for a request that came over HTTPS or not.
    fn flags(&self, is_secure: bool) -> String {
        let mut flags = format!("; Path={}", self.path);
        if let Some(domain) = &self.domain {
            flags.push_str("; Domain=");
            flags.push_str(domain);
        }
        if self.secure == SecurePolicy::Always || (self.secure == SecurePolicy::Auto && is_secure) {
            flags.push_str("; Secure");
        }
        flags.push_str("; HttpOnly; SameSite=");
        flags.push_str(self.same_site.as_str());
        if self.partitioned {
            flags.push_str("; Partitioned");
        }
        if let Some(priority) = self.priority {
            flags.push_str("; Priority=");
            flags.push_str(priority.as_str());
        }
        flags
    }
}

/// Makes the line of a secret; `None` if it has a character that a header cannot have.
pub(crate) fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(text).ok()?;
    // Keeps the value out of `Debug` and out of the tables of HTTP/2's header compression.
    header.set_sensitive(true);
    Some(header)
}

impl Default for CookiePolicy {
    fn default() -> Self {
        Self::checked(Self::builder())
    }
}

impl CookiePolicyBuilder {
    /// Sets the name.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sends the cookie to this host and all of its sub-domains. The name then cannot begin with `__Host-`.
    pub fn with_domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Sends the cookie only below this path. The name then cannot begin with `__Host-`.
    pub fn with_path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Sets when the cookie is `Secure`; always otherwise.
    ///
    /// `Auto` is for an application that is reached over HTTPS and over plain HTTP: the cookie is `Secure` if the request that it
    /// answers came over HTTPS, which a [`SecureConnection`](crate::SecureConnection) in the request's extensions says, or a
    /// [proxy](crate::SessionConfig::with_proxy) that is trusted. Whoever sees the plain traffic has the session. `Never` is for
    /// development. Neither goes with names that begin with `__Host-` or `__Secure-`, with `SameSite=None` or `Partitioned`.
    pub fn with_secure(mut self, secure: SecurePolicy) -> Self {
        self.secure = secure;
        self
    }

    /// Sets when the cookie is sent with requests that another site caused.
    pub fn with_same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Keeps a cookie that is set inside another site's page apart for each such site (`Partitioned`).
    pub fn with_partitioning(mut self) -> Self {
        self.partitioned = true;
        self
    }

    /// Sets which cookies a browser drops last when it has too many. Nothing is said otherwise, which is `Medium`.
    pub fn with_priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Lets the browser keep the cookie when it closes, for at most this long and never longer than the session lives.
    ///
    /// It is sent again when the session is written or extended, for which a tenth of this age is waited at most. A session without an idle time-out is never extended: there, give the
    /// cookie the whole lifetime, or who only reads loses it.
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Checks that name and flags go together.
    pub fn build(self) -> Result<CookiePolicy, InvalidCookie> {
        let name = self.name.to_ascii_lowercase();
        let has_prefix = |prefix| name.starts_with(prefix);
        let is_secure = self.secure == SecurePolicy::Always;
        if !(1..=LONGEST_PART).contains(&name.len()) || !name.bytes().all(is_token) {
            return Err(InvalidCookie::Name);
        }
        if !self.domain.as_deref().is_none_or(is_host) {
            return Err(InvalidCookie::Domain);
        }
        let is_path = self.path.starts_with('/') && self.path.len() <= LONGEST_PART;
        if !is_path || !self.path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';') {
            return Err(InvalidCookie::Path);
        }
        if has_prefix("__host-") && (!is_secure || self.domain.is_some() || self.path != "/") {
            return Err(InvalidCookie::HostPrefix);
        }
        if (has_prefix("__secure-") || has_prefix("__http-")) && !is_secure {
            return Err(InvalidCookie::SecurePrefix);
        }
        if self.same_site == SameSite::None && !is_secure {
            return Err(InvalidCookie::SameSiteNone);
        }
        if self.partitioned && !is_secure {
            return Err(InvalidCookie::Partitioned);
        }
        let ages = Duration::from_secs(1)..=CookiePolicy::LONGEST_MAX_AGE;
        if !self.max_age.is_none_or(|age| ages.contains(&age)) {
            return Err(InvalidCookie::MaxAge);
        }
        Ok(CookiePolicy::checked(self))
    }
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value)
}

/// The characters of a token in RFC 9110, which is what RFC 6265 asks of a name.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_host(domain: &str) -> bool {
    let is_label = |label: &str| {
        let allowed = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=63).contains(&label.len()) && allowed && !label.starts_with('-') && !label.ends_with('-')
    };
    domain.len() <= 253 && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[&str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, line.parse().expect("the test's header is valid"));
        }
        let policy = CookiePolicy::builder().with_name("sid").build().expect("the name is valid");
        policy.find(&headers).texts().iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    #[test]
    fn one_cookie_is_found_wherever_it_stands() {
        for lines in [
            &["sid=v"][..],
            &["a=1; sid=v; b=2"],
            &["a=1;sid=v"],
            &["  sid = v  ;"],
            &["sid=\"v\""],
            &["a=1", "sid=v"],
            &[";;=;sid=v;noequals; Sid=w; sid2=x; asid=y"],
        ] {
            assert_eq!(found(lines), ["v"], "{lines:?}");
        }
        assert_eq!(found(&["sid=a=b=="]), ["a=b=="]);
        assert_eq!(found(&["sid="]), [""]);
        assert_eq!(found(&["sid=\""]), ["\""]);
        assert_eq!(found(&["SID=v; si=d; sid"]), [""; 0]);
        assert_eq!(found(&[]), [""; 0]);
    }

    #[test]
    fn all_cookies_of_the_name_are_found_and_too_many_are_none() {
        for lines in [&["sid=v; sid=w"][..], &["sid=v", "sid=w"], &["a=1; sid=v", "b=2;sid=w"]] {
            assert_eq!(found(lines), ["v", "w"], "{lines:?}");
        }
        assert_eq!(found(&[&["sid=v"; 16].join(";")]).len(), 16);
        assert_eq!(found(&[&["sid=v"; 17].join(";")]), [""; 0]);
    }
}
