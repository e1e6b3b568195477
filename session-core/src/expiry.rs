//! When a session ends: pure arithmetic over timestamps.

use std::time::Duration;

use crate::Timestamp;

/// How long a session lives: a while after its last use, a while after its beginning, or whichever comes first.
///
/// The server decides, never the browser. Without a choice, a session ends 24 hours after its last use and 30 days
/// after its beginning.
///
/// ```
/// use session_core::{Expiry, Timestamp};
/// use std::time::Duration;
///
/// let policy = Expiry::idle_and_absolute(Duration::from_secs(600), Duration::from_secs(3600))?;
/// let start = Timestamp::MIN;
/// let deadline = policy.deadline(start);
/// assert_eq!(policy.expires_at(start, deadline), start.saturating_add(Duration::from_secs(600)));
/// let late = start.saturating_add(Duration::from_secs(3500));
/// assert_eq!(policy.expires_at(late, deadline), start.saturating_add(Duration::from_secs(3600)));
/// # Ok::<(), session_core::InvalidExpiry>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    idle: Option<Duration>,
    absolute: Option<Duration>,
}

/// The refusal of a lifetime shorter than a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session's lifetime is at least a millisecond")]
pub struct InvalidExpiry;

impl Expiry {
    /// Ends a session when it was not used for `idle`.
    pub fn idle(idle: Duration) -> Result<Self, InvalidExpiry> {
        Ok(Self { idle: Some(check(idle)?), absolute: None })
    }

    /// Ends a session when `absolute` has passed since it began, however much it is used.
    pub fn absolute(absolute: Duration) -> Result<Self, InvalidExpiry> {
        Ok(Self { idle: None, absolute: Some(check(absolute)?) })
    }

    /// Ends a session when it was not used for `idle`, and in any case when `absolute` has passed since it began.
    pub fn idle_and_absolute(idle: Duration, absolute: Duration) -> Result<Self, InvalidExpiry> {
        Ok(Self { idle: Some(check(idle)?), absolute: Some(check(absolute)?) })
    }

    /// Returns the time without use after which a session ends, if the policy has one.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.idle
    }

    /// Returns the deadline of a session that begins at `created_at`, if the policy has an absolute lifetime.
    pub fn deadline(&self, created_at: Timestamp) -> Option<Timestamp> {
        self.absolute.map(|absolute| created_at.saturating_add(absolute))
    }

    /// Returns the expiry of a session that is used at `now`, never later than its stored `deadline`.
    ///
    /// A policy without idle time-out on a record without deadline (it was stored under another policy) ends the session
    /// one absolute lifetime from now.
    pub fn expires_at(&self, now: Timestamp, deadline: Option<Timestamp>) -> Timestamp {
        let idle_end = self.idle.map(|idle| now.saturating_add(idle));
        match (idle_end, deadline) {
            (Some(end), Some(deadline)) => end.min(deadline),
            (Some(end), None) | (None, Some(end)) => end,
            // One of the two lifetimes is always there, by construction.
            (None, None) => self.deadline(now).unwrap_or(now),
        }
    }

    /// Says whether a session used at `now` is worth a touch: whether that moves its expiry by at least `throttle`.
    ///
    /// Throttling keeps reads from becoming writes; a session may end earlier than its idle time-out by as much.
    /// At the deadline there is nothing to gain, and no touch is due.
    pub fn is_touch_due(
        &self,
        now: Timestamp,
        expires_at: Timestamp,
        deadline: Option<Timestamp>,
        throttle: Duration,
    ) -> bool {
        let gain = self.expires_at(now, deadline).saturating_since(expires_at);
        !gain.is_zero() && gain >= throttle
    }
}

impl Default for Expiry {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { idle: Some(DAY), absolute: Some(DAY.saturating_mul(30)) }
    }
}

fn check(lifetime: Duration) -> Result<Duration, InvalidExpiry> {
    if lifetime.as_millis() == 0 { Err(InvalidExpiry) } else { Ok(lifetime) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis).expect("the test's times are in range")
    }

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_lifetime_below_a_millisecond_is_refused() {
        assert_eq!(Expiry::idle(Duration::ZERO), Err(InvalidExpiry));
        assert_eq!(Expiry::absolute(Duration::from_micros(999)), Err(InvalidExpiry));
        assert_eq!(Expiry::idle_and_absolute(ms(1), ms(0)), Err(InvalidExpiry));
        assert!(Expiry::idle(ms(1)).is_ok());
    }

    #[test]
    fn idle_moves_with_use_and_absolute_does_not() {
        let idle = Expiry::idle(ms(100)).expect("not zero");
        assert_eq!(idle.deadline(at(0)), None);
        assert_eq!(idle.expires_at(at(50), None), at(150));

        let absolute = Expiry::absolute(ms(100)).expect("not zero");
        assert_eq!(absolute.deadline(at(7)), Some(at(107)));
        assert_eq!(absolute.expires_at(at(50), Some(at(107))), at(107));
        assert_eq!(absolute.expires_at(at(50), None), at(150));
    }

    #[test]
    fn the_deadline_caps_the_idle_end_to_the_millisecond() {
        let both = Expiry::idle_and_absolute(ms(10), ms(100)).expect("not zero");
        let deadline = both.deadline(at(0));
        assert_eq!(both.expires_at(at(89), deadline), at(99));
        assert_eq!(both.expires_at(at(90), deadline), at(100));
        assert_eq!(both.expires_at(at(91), deadline), at(100));
        // A record whose policy had no deadline gets none by being used; one that had a deadline keeps it.
        assert_eq!(both.expires_at(at(500), None), at(510));
        assert_eq!(Expiry::idle(ms(1000)).expect("not zero").expires_at(at(50), deadline), at(100));
    }

    #[test]
    fn a_touch_is_due_when_it_gains_at_least_the_throttle() {
        let both = Expiry::idle_and_absolute(ms(100), ms(1000)).expect("not zero");
        let deadline = both.deadline(at(0));
        assert!(!both.is_touch_due(at(0), at(100), deadline, Duration::ZERO));
        assert!(both.is_touch_due(at(1), at(100), deadline, Duration::ZERO));
        assert!(!both.is_touch_due(at(9), at(100), deadline, ms(10)));
        assert!(both.is_touch_due(at(10), at(100), deadline, ms(10)));
        assert!(!both.is_touch_due(at(999), at(1000), deadline, Duration::ZERO));
    }

    #[test]
    fn the_end_of_time_is_the_end() {
        let idle = Expiry::idle(Duration::MAX).expect("not zero");
        assert_eq!(idle.expires_at(Timestamp::MAX, None), Timestamp::MAX);
    }
}
