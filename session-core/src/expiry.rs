//! When a session ends: pure arithmetic over timestamps.

use std::time::Duration;

use crate::Timestamp;

/// How long a session lives: a while after its last use, a while after its beginning, or whichever comes first.
///
/// The server decides, never the browser. Without a choice, a session ends 24 hours after its last use and 30 days
/// after its beginning.
///
/// A use extends a session in the store only if it gains enough: the *touch throttle* keeps reads from becoming writes,
/// and a session may end earlier than its idle time-out by as much.
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
    /// What the application chose, if it did.
    touch_throttle: Option<Duration>,
}

/// The refusal of a policy under which sessions would not live as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidExpiry {
    /// A lifetime is shorter than a millisecond.
    #[error("a session's lifetime is at least a millisecond")]
    TooShort,
    /// Sessions would end while they are used, for no use would gain as much as a touch has to.
    #[error("the touch throttle is shorter than the time without use after which a session ends")]
    ThrottleTooLong,
}

impl Expiry {
    /// The longest touch throttle that there is without a choice: one minute.
    pub const LONGEST_DEFAULT_THROTTLE: Duration = Duration::from_secs(60);

    /// Ends a session when it was not used for `idle`.
    ///
    /// # Errors
    ///
    /// [`InvalidExpiry::TooShort`] if that is less than a millisecond.
    pub fn idle(idle: Duration) -> Result<Self, InvalidExpiry> {
        Ok(Self::of(Some(check(idle)?), None))
    }

    /// Ends a session when `absolute` has passed since it began, however much it is used.
    ///
    /// # Errors
    ///
    /// [`InvalidExpiry::TooShort`] if that is less than a millisecond.
    pub fn absolute(absolute: Duration) -> Result<Self, InvalidExpiry> {
        Ok(Self::of(None, Some(check(absolute)?)))
    }

    /// Ends a session when it was not used for `idle`, and in any case when `absolute` has passed since it began.
    ///
    /// # Errors
    ///
    /// [`InvalidExpiry::TooShort`] if one of them is less than a millisecond.
    pub fn idle_and_absolute(idle: Duration, absolute: Duration) -> Result<Self, InvalidExpiry> {
        Ok(Self::of(Some(check(idle)?), Some(check(absolute)?)))
    }

    const fn of(idle: Option<Duration>, absolute: Option<Duration>) -> Self {
        Self { idle, absolute, touch_throttle: None }
    }

    /// Sets by how much a use has to move the expiry to be worth a touch; zero makes every use a write that moves it at
    /// all.
    ///
    /// ```
    /// use session_core::{Expiry, InvalidExpiry};
    /// use std::time::Duration;
    ///
    /// let policy = Expiry::idle(Duration::from_secs(600))?;
    /// assert_eq!(policy.touch_throttle(), Duration::from_secs(60));
    /// assert_eq!(policy.with_touch_throttle(Duration::from_secs(5))?.touch_throttle(), Duration::from_secs(5));
    /// let too_long = policy.with_touch_throttle(Duration::from_secs(600));
    /// assert_eq!(too_long, Err(InvalidExpiry::ThrottleTooLong));
    /// # Ok::<(), InvalidExpiry>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidExpiry::ThrottleTooLong`] if, in whole milliseconds, it is not shorter than the idle time-out; where
    /// there is none, than the absolute lifetime.
    #[doc(alias = "touchAfter")]
    pub fn with_touch_throttle(mut self, throttle: Duration) -> Result<Self, InvalidExpiry> {
        // A use comes at a whole millisecond, so what has to be gained is rounded up, and what can be gained, down.
        let least_gain = throttle.as_nanos().div_ceil(1_000_000);
        if self.idle.or(self.absolute).is_some_and(|lifetime| least_gain >= lifetime.as_millis()) {
            return Err(InvalidExpiry::ThrottleTooLong);
        }
        self.touch_throttle = Some(throttle);
        Ok(self)
    }

    /// Returns by how much a use has to move the expiry to be worth a touch: without a choice a tenth of the idle
    /// time-out, and at most [a minute](Self::LONGEST_DEFAULT_THROTTLE).
    pub fn touch_throttle(&self) -> Duration {
        let tenth = || self.idle.map_or(Duration::MAX, |idle| idle / 10);
        self.touch_throttle.unwrap_or_else(|| tenth().min(Self::LONGEST_DEFAULT_THROTTLE))
    }

    /// Returns the time without use after which a session ends, if the policy has one.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.idle
    }

    /// Returns the time after its beginning at which a session ends in any case, if the policy has one.
    pub fn absolute_lifetime(&self) -> Option<Duration> {
        self.absolute
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

    /// Says whether a session used at `now` is worth a touch: whether that moves its expiry by at least `throttle`,
    /// which [`touch_throttle`](Self::touch_throttle) returns.
    ///
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
        Self::of(Some(DAY), Some(DAY.saturating_mul(30)))
    }
}

fn check(lifetime: Duration) -> Result<Duration, InvalidExpiry> {
    if lifetime.as_millis() == 0 { Err(InvalidExpiry::TooShort) } else { Ok(lifetime) }
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
        assert_eq!(Expiry::idle(Duration::ZERO), Err(InvalidExpiry::TooShort));
        assert_eq!(Expiry::absolute(Duration::from_micros(999)), Err(InvalidExpiry::TooShort));
        assert_eq!(Expiry::idle_and_absolute(ms(1), ms(0)), Err(InvalidExpiry::TooShort));
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

    #[test]
    fn a_touch_throttle_leaves_time_for_a_use() {
        let too_long = Err(InvalidExpiry::ThrottleTooLong);
        let idle = Expiry::idle(ms(100)).expect("not zero");
        assert_eq!(idle.with_touch_throttle(ms(100)), too_long);
        assert_eq!(idle.with_touch_throttle(Duration::MAX), too_long);
        assert_eq!(
            idle.with_touch_throttle(Duration::from_micros(99_001)),
            too_long,
            "the next whole millisecond is 100"
        );
        for throttle in [Duration::ZERO, ms(99)] {
            assert_eq!(idle.with_touch_throttle(throttle).map(|policy| policy.touch_throttle()), Ok(throttle));
        }
        let finer = Expiry::idle(Duration::from_micros(2900)).expect("not zero");
        assert_eq!(finer.with_touch_throttle(ms(2)), too_long, "what is stored is whole milliseconds");
        let both = Expiry::idle_and_absolute(ms(100), ms(1000)).expect("not zero");
        assert_eq!(both.with_touch_throttle(ms(500)), too_long);
        let absolute = Expiry::absolute(ms(100)).expect("not zero");
        assert_eq!(absolute.with_touch_throttle(ms(100)), too_long);
        assert!(absolute.with_touch_throttle(ms(99)).is_ok());
    }

    #[test]
    fn without_a_choice_a_tenth_is_worth_a_touch_and_a_minute_in_any_case() {
        const MINUTE: Duration = Duration::from_secs(60);
        for (policy, throttle) in [
            (Expiry::idle(ms(100)), ms(10)),
            (Expiry::idle_and_absolute(MINUTE * 9, MINUTE), MINUTE * 9 / 10),
            (Expiry::idle(MINUTE * 11), MINUTE),
            (Expiry::absolute(ms(100)), MINUTE),
        ] {
            assert_eq!(policy.map(|policy| policy.touch_throttle()), Ok(throttle));
        }
    }

    #[test]
    fn a_policy_says_what_it_was_given() {
        let both = Expiry::idle_and_absolute(ms(1), ms(2)).expect("not zero");
        assert_eq!((both.idle_timeout(), both.absolute_lifetime()), (Some(ms(1)), Some(ms(2))));
        let idle = Expiry::idle(ms(1)).expect("not zero");
        assert_eq!((idle.idle_timeout(), idle.absolute_lifetime()), (Some(ms(1)), None));
    }
}
