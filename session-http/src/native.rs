//! The rules of this library: a signed cookie, or another transport; what was changed is stored, what was used is extended.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, Uri, header};
use session_core::{SessionId, Timestamp};

use crate::decide::{Due, Wants, due};
use crate::events;
use crate::meta::Age;
use crate::rules::{Facts, Rules, Telling, Told, Visit};
use crate::tell::News;
use crate::{CookieFormat, CookiePolicy, Presented, Proxy, RequestHead, Secrets, SignedId, Transport};

/// Chooses the cookie of a request.
type CookieOf = dyn Fn(&RequestHead<'_>) -> CookiePolicy + Send + Sync;

/// The rules of this library, as a [`SessionConfig`](crate::SessionConfig) sets them.
#[derive(Clone)]
pub struct Native {
    pub(crate) secrets: Secrets,
    pub(crate) cookie: CookiePolicy,
    pub(crate) cookie_of: Option<Arc<CookieOf>>,
    pub(crate) retired: Vec<CookiePolicy>,
    pub(crate) proxy: Proxy,
    pub(crate) transport: Option<Arc<dyn Transport>>,
    pub(crate) format: Arc<dyn CookieFormat>,
    pub(crate) is_gated: bool,
}

/// One request.
#[derive(Clone)]
struct NativeVisit {
    rules: Arc<Native>,
    /// The cookie that was chosen for this request.
    cookie: Option<CookiePolicy>,
    /// Kept only for transports that may look at it.
    uri: Option<Box<Uri>>,
    /// It is known to have come over HTTPS; looked at only if the cookie wants to know.
    is_secure: bool,
    /// What is presented is not what would be told now: an old secret signed it, or it is not alone.
    outdated: Vec<SessionId>,
    is_outdated: bool,
}

impl Native {
    pub(crate) fn new(secrets: Secrets) -> Self {
        Self {
            secrets,
            cookie: CookiePolicy::default(),
            cookie_of: None,
            retired: Vec::new(),
            proxy: Proxy::Ignored,
            transport: None,
            format: Arc::new(SignedId),
            is_gated: false,
        }
    }

    /// Returns the secrets for cookies of this name. Where the name is chosen by the request, it is a part of what is signed, so that the value of
    /// one cookie is none of another.
    fn secrets_for(&self, cookie: &CookiePolicy) -> Secrets {
        if self.cookie_of.is_some() && cookie.name() != self.cookie.name() {
            self.secrets.derive("cookie", cookie.name())
        } else {
            self.secrets.clone()
        }
    }
}

impl Rules for Native {
    fn arrive(self: Arc<Self>, head: &RequestHead<'_>, _now: Timestamp) -> Option<Box<dyn Visit>> {
        let mut visit = NativeVisit::new(self);
        let rules = &visit.rules;
        if rules.transport.is_some() {
            visit.uri = Some(head.uri.clone().into());
            return Some(Box::new(visit));
        }
        visit.cookie = rules.cookie_of.as_ref().map(|choose| choose(head));
        let cookie = visit.cookie.as_ref().unwrap_or(&rules.cookie);
        if rules.is_gated && !cookie.serves(head.path()) {
            return None;
        }
        visit.is_secure = cookie.is_secure_by_request() && rules.proxy.sees_https(head);
        Some(Box::new(visit))
    }

    fn arrive_unseen(self: Arc<Self>, _now: Timestamp) -> Box<dyn Visit> {
        Box::new(NativeVisit::new(self))
    }

    /// A format that writes what a cookie cannot carry, or what it does not read, would leave a session that nobody can present.
    fn can_present(&self, id: &SessionId) -> bool {
        let text = self.format.write(id, &self.secrets);
        let is_carried = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\');
        // Browsers keep no longer cookie.
        let is_kept = self.cookie.name().len() + text.len() <= 4096;
        is_kept && text.bytes().all(is_carried) && self.format.read(text.as_bytes(), &self.secrets).as_ref() == Some(id)
    }
}

impl NativeVisit {
    fn new(rules: Arc<Native>) -> Self {
        Self { rules, cookie: None, uri: None, is_secure: false, outdated: Vec::new(), is_outdated: false }
    }

    fn cookie(&self) -> &CookiePolicy {
        self.cookie.as_ref().unwrap_or(&self.rules.cookie)
    }

    fn find<'r>(&'r self, headers: &'r HeaderMap, unknown: &'r Uri) -> Presented<'r> {
        match &self.rules.transport {
            Some(transport) => transport.find(self.uri.as_deref().unwrap_or(unknown), headers),
            None => self.cookie().find(headers),
        }
    }
}

impl Visit for NativeVisit {
    fn presented(&mut self, headers: &HeaderMap) -> Vec<SessionId> {
        let unknown = Uri::default();
        let presented = self.find(headers, &unknown);
        let texts = presented.texts();
        if texts.is_empty() {
            return Vec::new();
        }
        let (format, secrets) = (&self.rules.format, self.rules.secrets_for(self.cookie()));
        let (mut ids, mut outdated) = (Vec::new(), Vec::new());
        for text in texts {
            let Some(id) = format.read(text, &secrets).filter(|id| !ids.contains(id)) else { continue };
            if texts.len() > 1 || (!secrets.are_single() && *text != format.write(&id, &secrets).as_bytes()) {
                outdated.push(id.clone());
            }
            ids.push(id);
        }
        if ids.is_empty() {
            events::bad_signature();
        }
        self.outdated = outdated;
        ids
    }

    fn chosen(&mut self, id: &SessionId) {
        self.is_outdated = self.outdated.contains(id);
    }

    fn due(&self, facts: &Facts<'_>) -> Due {
        due(Wants {
            is_stored: facts.is_stored(),
            is_changed: facts.is_changed(),
            is_empty: facts.is_empty(),
            rotates: facts.rotates(),
            is_touch_due: facts.is_touch_due(),
        })
    }

    fn cookie_age(&self) -> Option<Duration> {
        if self.rules.transport.is_some() { None } else { self.cookie().max_age() }
    }

    fn tell(&self, telling: &Telling<'_>) -> Told {
        let (rules, cookie) = (&self.rules, self.cookie());
        let age = match telling.meta.age {
            Age::OfPolicy => cookie.max_age(),
            Age::OfBrowser => None,
            Age::Own(age) => Some(age),
        };
        let life = match telling.news {
            News::Nothing => return Told::Nothing,
            News::Extended(_, is_other) if age.is_none() && !is_other && !self.is_outdated => return Told::Nothing,
            News::Extended(..) if rules.transport.is_some() && !self.is_outdated => return Told::Nothing,
            News::Issued(life) | News::Extended(life, _) => Some(life),
            News::Ended => None,
        };
        let value = life.map(|life| rules.format.write(&life.id, &rules.secrets_for(cookie)));
        if let Some(transport) = &rules.transport {
            let mut headers = HeaderMap::new();
            let news = match (&value, life) {
                (Some(value), Some(life)) => crate::News::Issued { value, lives_for: life.remaining() },
                _ => crate::News::Ended,
            };
            transport.tell(&news, &mut headers);
            return Told::Headers(Box::new(headers));
        }
        let line = match (value, life) {
            (Some(value), Some(life)) => cookie.issue(&value, age, life.remaining(), self.is_secure),
            _ => cookie.remove(self.is_secure),
        };
        let others = rules.retired.iter().filter(|other| !other.is_same_cookie(cookie));
        let removals = others.filter_map(|other| other.remove(self.is_secure)).collect();
        line.map_or(Told::Nothing, |line| Told::Cookie(line, removals))
    }

    fn varies_by(&self) -> Option<HeaderName> {
        self.rules.transport.as_ref().map_or(Some(header::COOKIE), |transport| transport.varies_by())
    }

    fn snapshot(&self) -> Box<dyn Visit> {
        Box::new(self.clone())
    }
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Native")
            .field("secrets", &self.secrets)
            .field("cookie", &self.cookie)
            .field("transport", &self.transport)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}
