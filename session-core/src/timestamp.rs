//! A point in time as every backend can hold it: UTC, whole milliseconds.

use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time: UTC, whole milliseconds, from 1970 to the end of the year 9999.
///
/// Milliseconds are the finest unit that every backend keeps, so a timestamp that was stored equals
/// the one that comes back. Arithmetic saturates at [`Timestamp::MIN`] and [`Timestamp::MAX`].
///
/// ```
/// use session_core::Timestamp;
/// use std::time::Duration;
///
/// let noon = Timestamp::from_unix_millis(1_767_268_800_000)?;
/// assert_eq!(noon.to_string(), "2026-01-01T12:00:00Z");
/// assert_eq!(noon.saturating_add(Duration::from_millis(1)).unix_millis(), 1_767_268_800_001);
/// # Ok::<(), session_core::InvalidTimestamp>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The refusal of a time before 1970 or after the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time is not between the years 1970 and 9999")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// The first instant of 1970.
    pub const MIN: Self = Self(0);
    /// The last millisecond of the year 9999.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// Makes a timestamp from milliseconds since 1970, or refuses what lies outside of the range.
    pub fn from_unix_millis(millis: i64) -> Result<Self, InvalidTimestamp> {
        if (Self::MIN.0..=Self::MAX.0).contains(&millis) { Ok(Self(millis)) } else { Err(InvalidTimestamp) }
    }

    /// Returns the milliseconds since 1970; never negative.
    pub fn unix_millis(self) -> i64 {
        self.0
    }

    /// Returns this instant moved later; fractions of a millisecond are dropped.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)).min(Self::MAX.0))
    }

    /// Returns this instant moved earlier; fractions of a millisecond are dropped.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)).max(Self::MIN.0))
    }

    /// Returns the time from `earlier` to this instant, or zero when `earlier` is later.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        // The difference of two values of the range is not negative once it is clamped at zero.
        Duration::from_millis(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl TryFrom<OffsetDateTime> for Timestamp {
    type Error = InvalidTimestamp;

    /// Drops the fraction of a millisecond.
    fn try_from(moment: OffsetDateTime) -> Result<Self, InvalidTimestamp> {
        let millis = moment.unix_timestamp_nanos().div_euclid(1_000_000);
        Self::from_unix_millis(i64::try_from(millis).map_err(|_| InvalidTimestamp)?)
    }
}

impl From<Timestamp> for OffsetDateTime {
    fn from(timestamp: Timestamp) -> Self {
        let nanos = i128::from(timestamp.0) * 1_000_000;
        // Every timestamp of the range is a date of the time crate, which reaches the year 9999.
        OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    /// Writes RFC 3339, as in `2026-01-01T12:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from(*self).format(&Rfc3339).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_ends_where_it_says() {
        assert!(Timestamp::from_unix_millis(-1).is_err());
        assert!(Timestamp::from_unix_millis(Timestamp::MAX.0 + 1).is_err());
        assert_eq!(Timestamp::MIN.to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn arithmetic_saturates_and_never_wraps() {
        assert_eq!(Timestamp::MAX.saturating_add(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.saturating_sub(Duration::MAX), Timestamp::MIN);
        assert_eq!(Timestamp::MIN.saturating_since(Timestamp::MAX), Duration::ZERO);
    }

    #[test]
    fn a_date_of_the_time_crate_comes_back_to_the_millisecond() {
        for millis in [0, 1, 999, 1_767_268_800_001, Timestamp::MAX.0] {
            let timestamp = Timestamp(millis);
            assert_eq!(Timestamp::try_from(OffsetDateTime::from(timestamp)), Ok(timestamp));
        }
    }
}
