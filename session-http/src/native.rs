//! The rules of this library: a signed cookie, or another transport; what was changed is stored, what was used is extended.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, Uri, header};
use session_core::{SessionId, Timestamp};

use crate::decide::{Due, Wants, due};
use crate::events;
use crate::meta::Age;
use crate::rules::{AnyVisit, Arrived, Facts, Few, Rules, Telling, Told, Visit};
use crate::tell::{Life, News};
use crate::{CookieFormat, CookiePolicy, Presented, Proxy, RequestHead, Secrets, SignedId, Transport};

/// Chooses the cookie of a request.
type CookieOf = dyn Fn(&RequestHead<'_>) -> CookiePolicy + Send + Sync;

/// The rules of this library, as a [`SessionConfig`](crate::SessionConfig) sets them. Cloning shares them.
#[derive(Clone)]
pub struct Native(pub(crate) Arc<Options>);

#[derive(Clone)]
pub(crate) struct Options {
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
pub(crate) struct NativeVisit {
    rules: Arc<Options>,
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
        Self(Arc::new(Options {
            secrets,
            cookie: CookiePolicy::default(),
            cookie_of: None,
            retired: Vec::new(),
            proxy: Proxy::Ignored,
            transport: None,
            format: Arc::new(SignedId),
            is_gated: false,
        }))
    }

    pub(crate) fn options(&mut self) -> &mut Options {
        Arc::make_mut(&mut self.0)
    }
}

impl Options {
    /// Returns the secrets for cookies of this name. Where the name is chosen by the request, it is a part of what is signed, so that the value of
    /// one cookie is none of another.
    fn secrets_for(&self, cookie: &CookiePolicy) -> Cow<'_, Secrets> {
        if self.cookie_of.is_some() && cookie.name() != self.cookie.name() {
            Cow::Owned(self.secrets.derive("cookie", cookie.name()))
        } else {
            Cow::Borrowed(&self.secrets)
        }
    }
}

impl Rules for Native {
    fn arrive(&self, head: &RequestHead<'_>, _now: Timestamp) -> Arrived {
        let options = &*self.0;
        if options.transport.is_some() {
            return Arrived::Seen(AnyVisit::native(NativeVisit { uri: Some(head.uri.clone().into()), ..self.visit() }));
        }
        let chosen = options.cookie_of.as_ref().map(|choose| choose(head));
        let cookie = chosen.as_ref().unwrap_or(&options.cookie);
        if options.is_gated && !cookie.serves(head.path()) {
            return Arrived::Outside;
        }
        let is_by_request = cookie.is_secure_by_request();
        if chosen.is_none() && !is_by_request {
            return Arrived::Unseen;
        }
        let is_secure = is_by_request && options.proxy.sees_https(head);
        Arrived::Seen(AnyVisit::native(NativeVisit { cookie: chosen, is_secure, ..self.visit() }))
    }

    fn arrive_unseen(&self, _now: Timestamp) -> AnyVisit {
        AnyVisit::native(self.visit())
    }

    /// A format that writes what a cookie cannot carry, or what it does not read, would leave a session that nobody can present.
    fn can_present(&self, id: &SessionId) -> bool {
        let Options { format, secrets, cookie, .. } = &*self.0;
        let text = format.write(id, secrets);
        let is_carried = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\');
        // Browsers keep no longer cookie.
        let is_kept = cookie.name().len() + text.len() <= 4096;
        is_kept && text.bytes().all(is_carried) && format.read(text.as_bytes(), secrets).as_ref() == Some(id)
    }
}

impl Native {
    fn visit(&self) -> NativeVisit {
        let rules = self.0.clone();
        NativeVisit { rules, cookie: None, uri: None, is_secure: false, outdated: Vec::new(), is_outdated: false }
    }
}

impl NativeVisit {
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
    fn presented(&mut self, headers: &HeaderMap) -> Few<SessionId> {
        let unknown = Uri::default();
        let presented = self.find(headers, &unknown);
        let texts = presented.texts();
        if texts.is_empty() {
            return Few::default();
        }
        let (format, secrets) = (&self.rules.format, self.rules.secrets_for(self.cookie()));
        let (mut ids, mut outdated) = (Few::default(), Vec::new());
        for text in texts {
            let Some(id) = format.read(text, &secrets).filter(|id| !ids.iter().any(|known| known == id)) else {
                continue;
            };
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
        let (is_stored, is_changed) = (facts.is_stored(), facts.is_changed());
        due(Wants {
            is_stored,
            is_changed,
            // Who only reads does not look.
            is_empty: (is_changed || !is_stored) && facts.is_empty(),
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
        if let Some(transport) = rules.transport.clone() {
            let remaining = life.map(Life::remaining).unwrap_or_default();
            return Told::By(Box::new(move |headers| {
                let issued = value.as_ref().map(|value| crate::News::Issued { value, lives_for: remaining });
                transport.tell(&issued.unwrap_or(crate::News::Ended), headers);
            }));
        }
        let line = match (value, life) {
            (Some(value), Some(life)) => cookie.issue(&value, age, life.remaining(), self.is_secure),
            _ => cookie.remove(self.is_secure),
        };
        let others = rules.retired.iter().filter(|other| !other.is_same_cookie(cookie));
        let removals = others.filter_map(|other| other.remove(self.is_secure)).collect();
        line.map_or(Told::Nothing, |line| Told::Cookie(Box::new((line, removals))))
    }

    fn varies_by(&self) -> Option<HeaderName> {
        self.rules.transport.as_ref().map_or(Some(header::COOKIE), |transport| transport.varies_by())
    }

    fn snapshot(&self) -> AnyVisit {
        AnyVisit::native(self.clone())
    }
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Native")
            .field("secrets", &self.0.secrets)
            .field("cookie", &self.0.cookie)
            .field("transport", &self.0.transport)
            .field("format", &self.0.format)
            .finish_non_exhaustive()
    }
}
