//! What a commit adds to the response.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

use crate::draft::Age;
use crate::error::Outage;
use crate::shared::Shared;
use crate::state::{CookieOrder, Line, State, Stored};
use crate::{News, SessionConfig, Transport};

/// The headers that a response gets because of its session; made by [`SessionSlot::commit`](crate::SessionSlot::commit).
#[must_use = "without its headers the browser does not learn what became of the session"]
pub struct ResponseHeaders {
    config: Arc<SessionConfig>,
    told: Told,
    was_read: bool,
    is_read_only: bool,
}

/// What a response tells the client.
enum Told {
    Nothing,
    /// A `Set-Cookie`.
    Cookie(HeaderValue),
    /// By a transport.
    Issued(String, Duration),
    Ended,
}

impl ResponseHeaders {
    pub(crate) fn untouched(config: Arc<SessionConfig>) -> Self {
        Self { config, told: Told::Nothing, was_read: false, is_read_only: false }
    }

    /// The response was made without the session, as the store failed.
    pub(crate) fn without_store(config: Arc<SessionConfig>) -> Self {
        Self { was_read: true, is_read_only: true, ..Self::untouched(config) }
    }

    /// Adds the headers to a response. One that an [`Error`](crate::Error) made for an outage gets the `Retry-After` of the
    /// [policy](crate::FailurePolicy).
    pub fn apply_to<B>(self, response: &mut Response<B>) {
        if response.extensions().get::<Outage>().is_some() {
            let seconds = self.config.failure.retry_after.as_secs();
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        self.apply(response.headers_mut());
    }

    /// Adds the headers to those of a response.
    ///
    /// A `Set-Cookie` of the session's name that is already there is replaced, so that there is one (S8); cookies of other
    /// names stay. A response that tells the client an id gets `Cache-Control: no-store` in place of any other, and one whose
    /// session was read gets `Vary: Cookie`, or what the [transport](crate::Transport) says, beside what it varies by already (S10).
    /// What was made without the session because the store failed is not kept by caches either.
    pub fn apply(self, headers: &mut HeaderMap) {
        let transport = self.config.as_transport();
        let varies_by = transport.map_or(Some(header::COOKIE), Transport::varies_by);
        let is_told = !matches!(self.told, Told::Nothing);
        match &self.told {
            Told::Nothing => {}
            Told::Cookie(line) => {
                remove_cookies_named(headers, name_of(line));
                headers.append(header::SET_COOKIE, line.clone());
            }
            Told::Issued(value, lives_for) => {
                let news = News::Issued { value, lives_for: *lives_for };
                transport.into_iter().for_each(|transport| transport.tell(&news, headers));
            }
            Told::Ended => transport.into_iter().for_each(|transport| transport.tell(&News::Ended, headers)),
        }
        if let Some(name) = varies_by.as_ref().filter(|name| self.was_read && !varies(headers, name)) {
            // `Cookie` as everybody writes it.
            let name = if *name == header::COOKIE { HeaderValue::from_static("Cookie") } else { name.clone().into() };
            headers.append(header::VARY, name);
        }
        if is_told || self.is_read_only || (self.was_read && varies_by.is_none()) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}

impl Shared {
    /// Makes the headers that tell the client what was done, once.
    pub(crate) fn response_headers(&self) -> ResponseHeaders {
        let config = &self.config;
        let mut state = self.state();
        let order = std::mem::take(&mut state.cookie);
        let told = match state.ledger.as_ref().zip(config.as_express()) {
            None => self.tell(&order, state.draft.age(), state.is_outdated),
            Some((ledger, express)) => {
                let stored = state.stored().filter(|_| ledger.sets_cookie(&state, express));
                let line =
                    |stored: &Stored| ledger.cookie.issue(&express.name, &stored.id, &express.secrets, config.now());
                stored.and_then(line).map_or(Told::Nothing, Told::Cookie)
            }
        };
        match told {
            Told::Nothing => self.tell_nothing(&state),
            Told::Cookie(_) | Told::Issued(..) | Told::Ended => self.note_told(&mut state),
        }
        let is_read_only = matches!(state.line, Line::Unloaded(_));
        ResponseHeaders { config: config.clone(), told, was_read: true, is_read_only }
    }

    /// Once the client has something else to present, who presents the old key was on the way.
    fn note_told(&self, state: &mut State) {
        let news = state.stored().map(|stored| stored.key.clone());
        if news != state.presented
            && let Some(old) = std::mem::replace(&mut state.presented, news)
        {
            self.config.supersede_departed(&old);
            state.is_departed = false;
        }
    }

    /// Who is not told that their session ended, presents its key again and comes back: Express leaves its cookie in the browser, and
    /// after the head, or without a response, nobody can be told.
    pub(crate) fn tell_nothing(&self, state: &State) {
        if let Some(presented) = state.presented.as_ref().filter(|_| state.is_departed)
            && !matches!(state.line, Line::Gone(_))
        {
            self.config.keep_departed(presented);
        }
    }

    /// Decides what an order tells the client; `said` is what the session says of its age.
    fn tell(&self, order: &CookieOrder, said: Age, is_outdated: bool) -> Told {
        let (config, client) = (&self.config, &self.client);
        let policy = config.cookie_for(client);
        let is_own = config.as_transport().is_some();
        let age = match said {
            _ if is_own => None,
            Age::OfPolicy => policy.max_age(),
            Age::OfBrowser => None,
            Age::Own(age) => Some(age),
        };
        let cookie = |line: Option<HeaderValue>| line.map_or(Told::Nothing, Told::Cookie);
        match order {
            CookieOrder::LeaveAlone => Told::Nothing,
            CookieOrder::Refresh(..) if age.is_none() && !is_outdated => Told::Nothing,
            CookieOrder::Issue(id, expires_at) | CookieOrder::Refresh(id, expires_at) => {
                let (value, remaining) = (config.write_id(id), expires_at.saturating_since(config.now()));
                if is_own {
                    Told::Issued(value, remaining)
                } else {
                    cookie(policy.issue(&value, age, remaining, client.is_secure))
                }
            }
            CookieOrder::Remove if is_own => Told::Ended,
            CookieOrder::Remove => cookie(policy.remove(client.is_secure)),
        }
    }
}

fn varies(headers: &HeaderMap, name: &HeaderName) -> bool {
    let is_it = |listed: &[u8]| listed.eq_ignore_ascii_case(name.as_str().as_bytes()) || listed == b"*";
    let names = headers.get_all(header::VARY).iter().flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
    names.map(<[u8]>::trim_ascii).any(is_it)
}

/// Returns the name of the cookie that a line sets.
fn name_of(line: &HeaderValue) -> &[u8] {
    line.as_bytes().split(|&byte| byte == b'=' || byte == b';').next().unwrap_or_default().trim_ascii()
}

fn remove_cookies_named(headers: &mut HeaderMap, name: &[u8]) {
    let is_ours = |cookie: &HeaderValue| name_of(cookie) == name;
    if headers.get_all(header::SET_COOKIE).iter().any(is_ours) {
        let others: Vec<_> =
            headers.get_all(header::SET_COOKIE).iter().filter(|cookie| !is_ours(cookie)).cloned().collect();
        headers.remove(header::SET_COOKIE);
        for cookie in others {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
}

impl fmt::Debug for ResponseHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = match &self.told {
            Told::Nothing => "nothing",
            Told::Cookie(_) => "a cookie",
            Told::Issued(..) => "an id",
            Told::Ended => "the end",
        };
        f.debug_struct("ResponseHeaders").field("told", &told).field("was_read", &self.was_read).finish_non_exhaustive()
    }
}
