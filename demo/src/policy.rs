//! What the demo decides about its sessions.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use session_core::{Expiry, InvalidExpiry, SessionIndex};
use session_tower::{CookiePolicy, Secrets, SessionConfig};

use crate::refusal;

/// A session ends this long after its last use.
pub(crate) const IDLE: Duration = Duration::from_secs(30 * 60);
/// A session ends this long after its beginning, however much it is used.
const ABSOLUTE: Duration = Duration::from_secs(12 * 60 * 60);
/// How exactly "last used" is known. Every request could be a write; this makes it one in a while.
const TOUCH_THROTTLE: Duration = Duration::from_secs(5);

/// Puts the configuration of the session layer together.
pub(crate) fn config(
    store: Arc<dyn SessionIndex>,
    secrets: Secrets,
    cookie: CookiePolicy,
) -> Result<SessionConfig, InvalidExpiry> {
    let expiry = Expiry::idle_and_absolute(IDLE, ABSOLUTE)?.with_touch_throttle(TOUCH_THROTTLE)?;
    let config = SessionConfig::new(store, secrets).with_cookie(cookie).with_expiry(expiry);
    Ok(config.with_namespace("demo").with_refusal(|error| Some(refusal::of_commit(error))))
}

/// Only this machine sees what goes over its loopback: there, plain HTTP will do.
pub(crate) fn cookie_at(address: SocketAddr) -> CookiePolicy {
    if address.ip().is_loopback() { CookiePolicy::insecure_for_development() } else { CookiePolicy::default() }
}
