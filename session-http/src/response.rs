//! What a commit adds to the response.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};

use crate::SessionConfig;
use crate::session::Shared;
use crate::state::CookieOrder;

/// The headers that a response gets because of its session; made by [`SessionSlot::commit`](crate::SessionSlot::commit).
#[derive(Debug)]
#[must_use = "without its headers the browser does not learn what became of the session"]
pub struct ResponseHeaders {
    config: Arc<SessionConfig>,
    set_cookie: Option<HeaderValue>,
    was_read: bool,
}

impl ResponseHeaders {
    pub(crate) fn untouched(config: Arc<SessionConfig>) -> Self {
        Self { config, set_cookie: None, was_read: false }
    }

    pub(crate) fn of_session(config: Arc<SessionConfig>, set_cookie: Option<HeaderValue>) -> Self {
        Self { config, set_cookie, was_read: true }
    }

    /// Adds the headers to a response.
    ///
    /// A `Set-Cookie` of the session's name that is already there is replaced, so that there is one (S8); cookies of other
    /// names stay. A response that sets the cookie gets `Cache-Control: no-store` in place of any other, and one whose
    /// session was read gets `Vary: Cookie` beside what it varies by already (S10).
    pub fn apply(self, headers: &mut HeaderMap) {
        if self.was_read && !varies_by_cookie(headers) {
            headers.append(header::VARY, HeaderValue::from_static("Cookie"));
        }
        if let Some(cookie) = self.set_cookie {
            remove_cookies_named(headers, self.config.cookie_name());
            headers.append(header::SET_COOKIE, cookie);
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}

impl Shared {
    /// Writes the header that an order asks for; `own` is the session's own age.
    pub(crate) fn set_cookie(
        &self,
        order: &CookieOrder,
        own: Option<Duration>,
        is_outdated: bool,
    ) -> Option<HeaderValue> {
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
