//! One request under the rules of Express, and what it remembers of its session: `cookieId`, `originalHash`, `savedHash`.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, Request, header};
use session_core::{Data, SessionId, Timestamp};
use session_http::RequestHead;
use session_http::rules::{AgeWish, AnyVisit, Due, Facts, Few, Note, Occasion, Reason, Telling, Told, Visit};

use crate::cookie::Age;
use crate::decide::{self, Wants};
use crate::json::is_same;
use crate::reserved::{is_reserved, take_out};
use crate::signed::read;
use crate::{Express, ExpressCookie, Unset};

/// One request under the rules of Express.
#[derive(Debug, Clone)]
pub struct ExpressVisit {
    express: Arc<Express>,
    arrived: Timestamp,
    /// Its cookie was looked at: when it arrived, or when somebody opened its session.
    is_seen: bool,
    is_secure: bool,
    /// The id that the request's cookie presented with a valid signature: `cookieId`.
    presented: Option<SessionId>,
    /// The values as they were loaded, or those of a new session: `originalHash`.
    original: Data,
    /// The values as they were stored last: `savedHash`.
    saved: Option<Data>,
    /// The session whose id was presented is there.
    is_found: bool,
    /// What is stored was loaded again, as another request has written it meanwhile.
    is_overtaken: bool,
    /// A handler gave the session another id: by `regenerate`, a login or a rotation.
    is_replaced: bool,
    absence: Option<Absence>,
    /// It was saved with no age left, so the store does not know it any more.
    is_over: bool,
    cookie: ExpressCookie,
    /// The cookie before a handler changed it.
    given: ExpressCookie,
    /// The cookie that a session which begins in this request gets.
    fresh: ExpressCookie,
    has_failed: bool,
}

/// `req.session` is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absence {
    /// It was destroyed; what is set afterwards begins a new one.
    Destroyed,
    Unset,
}

impl ExpressVisit {
    /// Begins a request; `options` are those of its cookie.
    pub(crate) fn of(express: Arc<Express>, options: &ExpressCookie, head: &RequestHead<'_>, now: Timestamp) -> Self {
        let is_secure = express.proxy.sees_https(head);
        let cookie = express.begin_cookie(options, now, is_secure);
        let presented = read(head.headers, &express.name, &express.secrets);
        Self {
            express,
            arrived: now,
            is_seen: true,
            is_secure,
            presented,
            original: Data::empty(),
            saved: None,
            is_found: false,
            is_overtaken: false,
            is_replaced: false,
            absence: None,
            is_over: false,
            given: cookie.clone(),
            fresh: cookie.clone(),
            cookie,
            has_failed: false,
        }
    }

    /// Begins a request of which no more will be known than this head, so that its path does not count.
    pub(crate) fn unseen(express: Arc<Express>, head: &RequestHead<'_>, now: Timestamp) -> Self {
        let options = express.cookie_for(head);
        Self { is_seen: false, ..Self::of(express, &options, head, now) }
    }

    /// Returns the session's own cookie.
    pub(crate) fn cookie(&self) -> &ExpressCookie {
        &self.cookie
    }

    pub(crate) fn set_cookie(&mut self, cookie: ExpressCookie, now: Timestamp) {
        self.cookie = cookie.set(now);
    }

    /// Returns when the cookie ends if nobody uses the session any more; `stored` is when what is stored ends.
    pub(crate) fn end(&self, stored: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let end = self.cookie.ends_at(now)?;
        Some(stored.filter(|_| self.cookie == self.given).unwrap_or(end))
    }

    /// Takes the cookie that is stored now, if there is one.
    fn restore(&mut self, cookie: Option<ExpressCookie>) {
        self.cookie = cookie.unwrap_or_else(|| self.fresh.clone());
        self.given = self.cookie.clone();
    }

    /// Says whether the session is the one whose id the request presented.
    fn is_presented(&self, facts: &Facts<'_>) -> bool {
        self.presented.is_some() && self.presented.as_ref() == facts.id()
    }

    fn is_absent(&self, facts: &Facts<'_>) -> bool {
        match self.absence {
            None => false,
            Some(Absence::Unset) => true,
            Some(Absence::Destroyed) => !facts.is_stored() && !facts.is_asked(),
        }
    }

    /// Says whether the session is not the one that was loaded: `originalId !== sess.id`.
    fn is_another(&self, facts: &Facts<'_>) -> bool {
        self.is_replaced || (self.is_found && !self.is_presented(facts))
    }

    fn is_modified(&self, facts: &Facts<'_>, values: &Data) -> bool {
        self.is_another(facts) || facts.is_own_changed() || !is_same(&self.original, values)
    }

    fn sets_cookie(&self, facts: &Facts<'_>) -> bool {
        decide::sets_cookie(decide::Telling {
            is_absent: self.is_absent(facts),
            is_insecure: self.cookie.is_secure() && !self.is_secure,
            is_presented: self.is_presented(facts),
            is_modified: self.is_modified(facts, &facts.values()),
            has_end: self.cookie.has_end(),
            has_failed: self.has_failed,
            is_rolling: self.express.is_rolling,
            saves_uninitialized: self.express.saves_uninitialized,
        })
    }
}

impl Visit for ExpressVisit {
    fn presented(&mut self, headers: &HeaderMap) -> Few<SessionId> {
        if !self.is_seen {
            let mut request = Request::new(());
            *request.headers_mut() = headers.clone();
            *self = Self::unseen(self.express.clone(), &RequestHead::of(&request), self.arrived);
            self.is_seen = true;
        }
        self.presented.iter().cloned().collect()
    }

    /// Every session is loaded, and saved or touched.
    fn is_eager(&self) -> bool {
        self.is_seen
    }

    /// Takes the cookie that is stored, unless a handler has changed it.
    fn unpack(&mut self, data: &Data) -> Data {
        let taken = take_out(data);
        if self.cookie == self.given {
            self.restore(taken.cookie);
        }
        if self.is_found {
            self.is_overtaken = true;
        } else {
            self.saved = (!self.express.saves_unchanged).then(|| taken.original.clone());
            (self.original, self.is_found) = (taken.original, true);
        }
        taken.values
    }

    fn pack(&self, values: &Data, now: Timestamp) -> Option<Data> {
        Some(self.cookie.with_values(values, now))
    }

    fn is_reserved(&self, name: &str) -> bool {
        is_reserved(name)
    }

    /// To `JSON.stringify` it is.
    fn minds_order(&self) -> bool {
        true
    }

    fn ends_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.cookie.ends_at(now)
    }

    fn due(&self, facts: &Facts<'_>) -> Due {
        let values = facts.values();
        let is_given = self.cookie == self.given;
        // Then another request has just done what `resave` is for.
        let is_saved_elsewhere = self.is_overtaken && is_given && !facts.is_changed();
        let is_saved_here = || self.saved.as_ref().is_some_and(|saved| is_same(saved, &values));
        let due = decide::due(Wants {
            is_save: facts.occasion() == Occasion::Save,
            is_absent: self.is_absent(facts) || facts.is_gone() || (self.is_over && is_given && facts.is_stored()),
            is_presented: self.is_presented(facts),
            has_saved: self.saved.is_some(),
            is_saved: !self.is_another(facts) && !facts.is_own_changed() && (is_saved_elsewhere || is_saved_here()),
            is_modified: self.is_modified(facts, &values),
            saves_uninitialized: self.express.saves_uninitialized,
        });
        if due == Due::Touch && !facts.is_touch_due() { Due::Nothing } else { due }
    }

    /// Express touches whatever it gains.
    fn is_worth_a_touch(&self, gain: Duration, throttle: Duration) -> bool {
        gain >= throttle
    }

    fn reloads_anew(&self) -> bool {
        true
    }

    fn ends_unset(&self) -> bool {
        self.express.unset == Unset::Destroy && self.absence == Some(Absence::Unset)
    }

    fn drops_quietly(&self) -> bool {
        true
    }

    fn note(&mut self, note: Note<'_>) {
        match note {
            Note::Ended(reason) => {
                self.is_replaced = true;
                self.restore(None);
                self.absence = match reason {
                    Reason::Logout => Some(Absence::Destroyed),
                    Reason::Unset => Some(Absence::Unset),
                    _ => None,
                };
            }
            // Who is who is not dropped quietly, though the session was unset before.
            Note::Rotated => (self.is_replaced, self.absence) = (true, None),
            Note::Unset => self.absence = Some(Absence::Unset),
            Note::Saved(values) => {
                self.given = self.cookie.clone();
                self.is_over = matches!(self.cookie.age, Age::For(..=0));
                // The methods of a session that was regenerated are the plain ones, which do not remember what they stored.
                if !self.is_replaced {
                    self.saved = Some(values.clone());
                }
            }
            Note::Reloaded => self.cookie = self.given.clone(),
            Note::Failed => self.has_failed = true,
            _ => {}
        }
    }

    /// It is `req.session.cookie.maxAge`, which takes any number.
    fn takes_age(&mut self, age: AgeWish) -> bool {
        let cookie = self.cookie.clone();
        self.cookie = match age {
            AgeWish::For(age) => cookie.with_max_age(age),
            AgeWish::UntilClosed => cookie.without_max_age(),
            AgeWish::Configured => cookie.with_age_of(&self.fresh),
        };
        true
    }

    fn own_age(&self) -> Option<Duration> {
        self.cookie.original_max_age().filter(|&age| self.fresh.original_max_age() != Some(age))
    }

    fn cookie_age(&self) -> Option<Duration> {
        self.cookie.original_max_age()
    }

    fn tell(&self, telling: &Telling<'_>) -> Told {
        let facts = telling.facts();
        let id = facts.id().filter(|_| self.sets_cookie(facts));
        let Express { name, secrets, .. } = &*self.express;
        let line = id.and_then(|id| self.cookie.issue(name, id, secrets, telling.now()));
        line.map_or(Told::Nothing, |line| Told::Cookie(Box::new((line, Vec::new()))))
    }

    fn varies_by(&self) -> Option<HeaderName> {
        Some(header::COOKIE)
    }

    fn snapshot(&self) -> AnyVisit {
        AnyVisit::new(self.clone())
    }

    /// Takes the cookie that another request stored meanwhile, unless this one changed it too.
    fn follow(&mut self, committed: AnyVisit) {
        if let (true, Some(committed)) = (self.cookie == self.given, committed.downcast::<Self>()) {
            self.given = committed.given;
            self.cookie = committed.cookie;
        }
    }
}
