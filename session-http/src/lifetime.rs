//! When a session ends that is used now, and whether that is worth a touch.

use std::time::Duration;

use session_core::{Record, Timestamp};

use crate::config::Config;
use crate::meta::{Age, Meta};
use crate::rules::Visit;
use crate::state::Stored;

impl Config {
    /// Returns when a session that is used now ends: by its own age, or else the policy's, and never past its deadline.
    pub(crate) fn ends_at(&self, visit: &dyn Visit, meta: &Meta, record: &Record, now: Timestamp) -> Timestamp {
        let deadline = meta.deadline(&self.expiry, record);
        let own = match meta.age {
            Age::Own(age) => Some(now.saturating_add(age)),
            Age::OfPolicy | Age::OfBrowser => None,
        };
        let end = visit.ends_at(now).or(own).unwrap_or_else(|| self.expiry.expires_at(now, deadline));
        deadline.map_or(end, |deadline| end.min(deadline))
    }

    /// Says whether an end that is this much later is worth a touch: by anything, if the touch was wished for. A session, or a cookie, that lives
    /// for a short time is extended ten times in it.
    pub(crate) fn is_touch_due(
        &self,
        visit: &dyn Visit,
        stored: &Stored,
        meta: &Meta,
        end: Timestamp,
        is_wished: bool,
    ) -> bool {
        let own = match meta.age {
            Age::Own(age) => Some(age),
            Age::OfPolicy => visit.cookie_age(),
            Age::OfBrowser => None,
        };
        let throttle = if is_wished { Duration::ZERO } else { self.expiry.touch_throttle() };
        let throttle = own.map_or(throttle, |age| throttle.min(age / 10));
        let gain = end.saturating_since(stored.record.expires_at);
        visit.is_worth_a_touch(gain, throttle)
    }

    /// Says whether a stored session lives for longer than it may, as another request extended it by an age that it has no more, or under an
    /// earlier policy. Servers' clocks differ.
    pub(crate) fn is_too_long(&self, visit: &dyn Visit, stored: &Stored, end: Timestamp, now: Timestamp) -> bool {
        const SLACK: Duration = Duration::from_secs(60);
        let most = self.expiry.touch_throttle().max(SLACK);
        visit.ends_at(now).is_none() && stored.record.expires_at.saturating_since(end) > most
    }

    /// Says whether a stored session is older than today's policy lets it get.
    pub(crate) fn is_too_old(&self, meta: &Meta, record: &Record, now: Timestamp) -> bool {
        meta.deadline(&self.expiry, record).is_some_and(|deadline| deadline <= now)
    }
}
