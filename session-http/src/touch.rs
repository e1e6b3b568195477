//! When a use of the session is worth a touch.

use std::time::Duration;

use session_core::{Record, Timestamp};

use crate::SessionConfig;

impl SessionConfig {
    /// Says whether a use now moves the expiry by enough to be worth a touch; by anything, if the touch was wished for. The session may
    /// have an age of its own.
    pub(crate) fn is_touch_due(&self, record: &Record, own: Option<Duration>, now: Timestamp, is_wished: bool) -> bool {
        let throttle = if is_wished { Duration::ZERO } else { self.touch_throttle() };
        let Some(own) = own else {
            return self.expiry.is_touch_due(now, record.expires_at, record.deadline, throttle);
        };
        let end = now.saturating_add(own);
        let gain = record.deadline.map_or(end, |deadline| end.min(deadline)).saturating_since(record.expires_at);
        !gain.is_zero() && gain >= throttle
    }

    pub(crate) fn touch_throttle(&self) -> Duration {
        let default = || {
            let tenth = self.expiry.idle_timeout().map_or(Duration::MAX, |idle| idle / 10);
            tenth.min(Self::LONGEST_DEFAULT_THROTTLE)
        };
        self.touch_throttle.unwrap_or_else(default)
    }
}
