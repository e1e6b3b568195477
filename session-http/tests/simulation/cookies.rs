//! The cookie, as a browser sends it and as it is set.

use http::{HeaderMap, Response, header};
use session_core::{SessionId, SessionKey};

const COOKIE: &str = "__Host-session";

pub(crate) fn headers(cookies: &[String]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let pairs: Vec<_> = cookies.iter().map(|value| format!("{COOKIE}={value}")).collect();
    if let Some(line) = pairs.join("; ").parse().ok().filter(|_| !pairs.is_empty()) {
        headers.insert(header::COOKIE, line);
    }
    headers
}

pub(crate) fn set_cookie(response: &Response<String>) -> Option<Option<String>> {
    let line = response.headers().get(header::SET_COOKIE)?.to_str().ok()?;
    let (value, attributes) = line.strip_prefix(COOKIE)?.strip_prefix('=')?.split_once(';')?;
    Some((!attributes.contains("Max-Age=0")).then(|| value.to_owned()))
}

/// Returns what the session of a cookie is stored under.
pub(crate) fn key_of(cookie: &str) -> Option<SessionKey> {
    let id = SessionId::parse(cookie.split('.').next()?).ok()?;
    Some(SessionKey::derive("session", &id))
}
