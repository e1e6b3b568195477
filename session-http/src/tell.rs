//! What the client is told, and when: all of it, in one place.
//!
//! A commit says what became of the session (`News`), the rules make it a line of `Set-Cookie` or nothing, and this puts it into the response, with the
//! word to caches that belongs to it.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use session_core::{SessionId, Timestamp};

use crate::error::Outage;
use crate::rules::Told;

/// What a client has to know of what was done.
#[derive(Clone, Default, PartialEq)]
pub(crate) enum News {
    /// Nothing: it keeps what it has.
    #[default]
    Nothing,
    /// The session was created or rotated in this request.
    Issued(Life),
    /// It lives longer now. Told to browsers that keep the cookie for a limited time, or if its age is another one now.
    Extended(Life, bool),
    /// It has ended.
    Ended,
}

/// A session that lives from now on until then.
#[derive(Clone, PartialEq)]
pub(crate) struct Life {
    pub(crate) id: SessionId,
    pub(crate) now: Timestamp,
    pub(crate) expires_at: Timestamp,
}

impl Life {
    /// How long it lives, by the clock's one reading that decided it.
    pub(crate) fn remaining(&self) -> Duration {
        self.expires_at.saturating_since(self.now)
    }
}

impl News {
    /// Adds what came later. A cookie that the browser does not have yet is still to be issued.
    pub(crate) fn add(&mut self, later: Self) {
        *self = match (std::mem::take(self), later) {
            (earlier, Self::Nothing) => earlier,
            (Self::Issued(_), Self::Extended(life, _)) => Self::Issued(life),
            (Self::Extended(_, true), Self::Extended(life, _)) => Self::Extended(life, true),
            (_, later) => later,
        };
    }
}

/// The headers that a response gets because of its session; made by [`SessionSlot::commit`](crate::SessionSlot::commit).
#[must_use = "without its headers the browser does not learn what became of the session"]
pub struct ResponseHeaders {
    pub(crate) told: Told,
    /// The header in which the id travels, if the session was read.
    pub(crate) read: Option<Option<HeaderName>>,
    /// The response was made without the session, as the store failed.
    pub(crate) is_read_only: bool,
    pub(crate) retry_after: Duration,
}

impl ResponseHeaders {
    pub(crate) fn untouched(retry_after: Duration) -> Self {
        Self { told: Told::Nothing, read: None, is_read_only: false, retry_after }
    }

    /// Adds the headers to a response. One that an [`Error`](crate::Error) made for an outage gets the `Retry-After` of the
    /// [policy](crate::FailurePolicy).
    pub fn apply_to<B>(self, response: &mut Response<B>) {
        if response.extensions().get::<Outage>().is_some() {
            response.headers_mut().insert(header::RETRY_AFTER, self.retry_after.as_secs().into());
        }
        self.apply(response.headers_mut());
    }

    /// Adds the headers to those of a response.
    ///
    /// A `Set-Cookie` of the session's name, domain and path that is already there is replaced, so that there is one (S8); all others
    /// stay. A response that tells the client an id gets `Cache-Control: no-store` in place of any other, and loses what speaks to caches of
    /// one kind alone; one whose session was read gets `Vary: Cookie`, or what the [transport](crate::Transport) says, beside what it
    /// varies by already (S10). What was made without the session because the store failed is not kept by caches either.
    pub fn apply(self, headers: &mut HeaderMap) {
        let is_told = !matches!(self.told, Told::Nothing);
        match self.told {
            Told::Nothing => {}
            Told::Cookie(lines) => {
                let (line, removals) = *lines;
                remove_cookies_like(headers, &line);
                removals.iter().for_each(|removal| remove_cookies_like(headers, removal));
                headers.append(header::SET_COOKIE, line);
                headers.extend(removals.into_iter().map(|removal| (header::SET_COOKIE, removal)));
            }
            Told::By(tell) => tell(headers),
        }
        let varies_by = self.read.as_ref().and_then(Option::as_ref);
        if let Some(name) = varies_by.filter(|name| !varies(headers, name)) {
            // `Cookie` as everybody writes it.
            let name = if *name == header::COOKIE { HeaderValue::from_static("Cookie") } else { name.clone().into() };
            headers.append(header::VARY, name);
        }
        if is_told || self.is_read_only || self.read == Some(None) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            // What a handler says to some caches, or to old ones, counts for them before this.
            for name in ["cdn-cache-control", "surrogate-control", "x-accel-expires", "expires", "pragma"] {
                headers.remove(name);
            }
            let of_one_cdn = |name: &&HeaderName| name.as_str().ends_with("-cdn-cache-control");
            let of_one_cdn: Vec<_> = headers.keys().filter(of_one_cdn).cloned().collect();
            of_one_cdn.iter().for_each(|name| drop(headers.remove(name)));
        }
    }
}

fn varies(headers: &HeaderMap, name: &HeaderName) -> bool {
    let is_it = |listed: &[u8]| listed.eq_ignore_ascii_case(name.as_str().as_bytes()) || listed == b"*";
    let names = headers.get_all(header::VARY).iter().flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
    names.map(<[u8]>::trim_ascii).any(is_it)
}

/// The name of the cookie that a line sets, its domain without a leading dot, its path, and whether it is partitioned: cookies that differ in one of
/// these are different cookies.
fn scope(line: &[u8]) -> (&[u8], Vec<u8>, &[u8], bool) {
    let mut parts = line.split(|&byte| byte == b';');
    let pair = parts.next().unwrap_or_default();
    let name = pair.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii();
    let (mut domain, mut path, mut is_partitioned) = (Vec::new(), &b""[..], false);
    for part in parts {
        let equals = part.iter().position(|&byte| byte == b'=').unwrap_or(part.len());
        let (attribute, value) = (part[..equals].trim_ascii(), part.get(equals + 1..).unwrap_or_default().trim_ascii());
        if attribute.eq_ignore_ascii_case(b"domain") {
            domain = value.strip_prefix(b".").unwrap_or(value).to_ascii_lowercase();
        } else if attribute.eq_ignore_ascii_case(b"path") {
            path = value;
        }
        is_partitioned |= attribute.eq_ignore_ascii_case(b"partitioned");
    }
    (name, domain, path, is_partitioned)
}

fn remove_cookies_like(headers: &mut HeaderMap, line: &HeaderValue) {
    let ours = scope(line.as_bytes());
    // Without a path it is that of the request, which may be ours.
    let is_ours = |cookie: &HeaderValue| {
        let theirs = scope(cookie.as_bytes());
        let is_same_path = theirs.2.is_empty() || theirs.2 == ours.2;
        theirs.0 == ours.0 && theirs.1 == ours.1 && is_same_path && theirs.3 == ours.3
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

impl fmt::Debug for ResponseHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseHeaders")
            .field("told", &self.told)
            .field("was_read", &self.read.is_some())
            .finish_non_exhaustive()
    }
}
