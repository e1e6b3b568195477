//! What a commit adds to the response.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Response, header};

use crate::SessionConfig;
use crate::error::Outage;
use crate::session::Shared;
use crate::state::{CookieOrder, Line};

/// The headers that a response gets because of its session; made by [`SessionSlot::commit`](crate::SessionSlot::commit).
#[derive(Debug)]
#[must_use = "without its headers the browser does not learn what became of the session"]
pub struct ResponseHeaders {
    config: Arc<SessionConfig>,
    set_cookie: Option<HeaderValue>,
    was_read: bool,
    is_read_only: bool,
}

impl ResponseHeaders {
    pub(crate) fn untouched(config: Arc<SessionConfig>) -> Self {
        Self { config, set_cookie: None, was_read: false, is_read_only: false }
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
    /// names stay. A response that sets the cookie gets `Cache-Control: no-store` in place of any other, and one whose
    /// session was read gets `Vary: Cookie` beside what it varies by already (S10). What was made without the session because the
    /// store failed is not kept by caches either.
    pub fn apply(self, headers: &mut HeaderMap) {
        if self.was_read && !varies_by_cookie(headers) {
            headers.append(header::VARY, HeaderValue::from_static("Cookie"));
        }
        if let Some(cookie) = self.set_cookie {
            remove_cookies_named(headers, self.config.cookie_name());
            headers.append(header::SET_COOKIE, cookie);
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        } else if self.is_read_only {
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
        let set_cookie = match state.ledger.as_ref().zip(config.as_express()) {
            None => self.set_cookie(&order, state.draft.max_age(), state.is_outdated),
            Some((ledger, express)) => state
                .stored()
                .filter(|_| ledger.sets_cookie(&state, express))
                .and_then(|stored| ledger.cookie.issue(&express.name, &stored.id, &express.secrets, config.now())),
        };
        let is_read_only = matches!(state.line, Line::Unloaded(_));
        ResponseHeaders { config: config.clone(), set_cookie, was_read: true, is_read_only }
    }

    /// Writes the header that an order asks for; `own` is the session's own age.
    fn set_cookie(&self, order: &CookieOrder, own: Option<Duration>, is_outdated: bool) -> Option<HeaderValue> {
        let policy = &self.config.cookie;
        let age = own.or(policy.max_age());
        match order {
            CookieOrder::LeaveAlone => None,
            CookieOrder::Refresh(..) if age.is_none() && !is_outdated => None,
            CookieOrder::Issue(id, expires_at) | CookieOrder::Refresh(id, expires_at) => {
                let remaining = expires_at.saturating_since(self.config.now());
                policy.issue(&self.config.write_cookie(id), age, remaining)
            }
            CookieOrder::Remove => policy.remove(),
        }
    }
}

fn varies_by_cookie(headers: &HeaderMap) -> bool {
    let is_cookie = |name: &[u8]| name.eq_ignore_ascii_case(b"cookie") || name == b"*";
    let names = headers.get_all(header::VARY).iter().flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
    names.map(<[u8]>::trim_ascii).any(is_cookie)
}

fn remove_cookies_named(headers: &mut HeaderMap, name: &str) {
    let is_ours = |cookie: &HeaderValue| {
        let pair = cookie.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
        pair.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii() == name.as_bytes()
    };
    if headers.get_all(header::SET_COOKIE).iter().any(is_ours) {
        let others: Vec<_> =
            headers.get_all(header::SET_COOKIE).iter().filter(|cookie| !is_ours(cookie)).cloned().collect();
        headers.remove(header::SET_COOKIE);
        for cookie in others {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
}
