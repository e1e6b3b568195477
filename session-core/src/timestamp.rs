//! A point in time as every backend can hold it: UTC, whole milliseconds.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time: UTC, whole milliseconds, from 1970 to the end of the year 9999.
///
/// Milliseconds are the finest unit that every backend keeps, so a timestamp that was stored equals
/// the one that comes back. Arithmetic saturates at [`Timestamp::MIN`] and [`Timestamp::MAX`].
///
/// As text it is RFC 3339, for serde too: `"2026-01-01T12:00:00Z"`, with as many digits of a second as it needs. What
/// is read may have any offset from UTC; a fraction of a millisecond is dropped, there and in every other conversion.
///
/// ```
/// use session_core::Timestamp;
/// use std::time::Duration;
///
/// let noon = Timestamp::from_unix_millis(1_767_268_800_000)?;
/// assert_eq!(noon.to_string(), "2026-01-01T12:00:00Z");
/// assert_eq!("2026-01-01T13:00:00+01:00".parse(), Ok(noon));
/// assert_eq!(noon.saturating_add(Duration::from_millis(1)).unix_millis(), 1_767_268_800_001);
/// # Ok::<(), session_core::InvalidTimestamp>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Timestamp(i64);

/// The refusal of what cannot be a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTimestamp {
    /// The time is before 1970 or after the year 9999.
    #[error("the time is not between the years 1970 and 9999")]
    OutOfRange,
    /// The text is not a date and a time as RFC 3339 writes them.
    #[error("the text is not a date and time of rfc 3339")]
    NotRfc3339,
}

impl Timestamp {
    /// The first instant of 1970.
    pub const MIN: Self = Self(0);
    /// The last millisecond of the year 9999.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// Makes a timestamp from milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// [`InvalidTimestamp::OutOfRange`] if that is before [`MIN`](Self::MIN) or after [`MAX`](Self::MAX).
    pub fn from_unix_millis(millis: i64) -> Result<Self, InvalidTimestamp> {
        if (Self::MIN.0..=Self::MAX.0).contains(&millis) { Ok(Self(millis)) } else { Err(InvalidTimestamp::OutOfRange) }
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
    ///
    /// # Errors
    ///
    /// [`InvalidTimestamp::OutOfRange`] if the moment is before 1970 or after the year 9999.
    fn try_from(moment: OffsetDateTime) -> Result<Self, InvalidTimestamp> {
        let millis = moment.unix_timestamp_nanos().div_euclid(1_000_000);
        Self::from_unix_millis(i64::try_from(millis).map_err(|_| InvalidTimestamp::OutOfRange)?)
    }
}

impl From<Timestamp> for OffsetDateTime {
    fn from(timestamp: Timestamp) -> Self {
        let nanos = i128::from(timestamp.0) * 1_000_000;
        // Every timestamp of the range is a date of the time crate, which reaches the year 9999.
        OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl TryFrom<SystemTime> for Timestamp {
    type Error = InvalidTimestamp;

    /// Drops the fraction of a millisecond.
    ///
    /// # Errors
    ///
    /// [`InvalidTimestamp::OutOfRange`] if the time is before 1970 or after the year 9999.
    fn try_from(time: SystemTime) -> Result<Self, InvalidTimestamp> {
        let since = time.duration_since(UNIX_EPOCH).map_err(|_| InvalidTimestamp::OutOfRange)?;
        Self::from_unix_millis(millis(since))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        // The systems that Rust knows count beyond the year 9999.
        UNIX_EPOCH + timestamp.saturating_since(Timestamp::MIN)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    /// Reads RFC 3339.
    ///
    /// # Errors
    ///
    /// [`InvalidTimestamp::NotRfc3339`] if the text is anything else; [`InvalidTimestamp::OutOfRange`] if the time is
    /// before 1970 or, in UTC, after the year 9999.
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidTimestamp::NotRfc3339)?.try_into()
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;

    /// Reads RFC 3339, as [`FromStr`] does.
    fn try_from(text: String) -> Result<Self, InvalidTimestamp> {
        text.parse()
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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

    #[test]
    fn a_time_of_the_system_comes_back_to_the_millisecond() {
        for millis in [0, 1, 999, 1_767_268_800_001, Timestamp::MAX.0] {
            let timestamp = Timestamp(millis);
            let finer = SystemTime::from(timestamp) + Duration::from_nanos(999_999);
            assert_eq!(Timestamp::try_from(finer), Ok(timestamp));
        }
        let (before, after) = (UNIX_EPOCH - Duration::from_nanos(1), SystemTime::from(Timestamp::MAX));
        for outside in [before, after + Duration::from_millis(1)] {
            assert_eq!(Timestamp::try_from(outside), Err(InvalidTimestamp::OutOfRange));
        }
    }

    #[test]
    fn a_timestamp_is_rfc_3339_for_serde_and_comes_back() {
        for (millis, text) in [
            (0, r#""1970-01-01T00:00:00Z""#),
            (1_767_268_800_001, r#""2026-01-01T12:00:00.001Z""#),
            (Timestamp::MAX.0, r#""9999-12-31T23:59:59.999Z""#),
        ] {
            assert_eq!(serde_json::to_string(&Timestamp(millis)).ok().as_deref(), Some(text));
            assert_eq!(serde_json::from_str(text).ok(), Some(Timestamp(millis)));
        }
        for bad in ["1767268800001", r#""2026-01-01""#, r#""1969-12-31T23:59:59Z""#, "null"] {
            assert!(serde_json::from_str::<Timestamp>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_time_is_told_from_a_time_that_is_out_of_range() {
        for text in
            ["", "yesterday", "2026-01-01", "2026-02-30T00:00:00Z", "2026-01-01T12:00:00", "10000-01-01T00:00:00Z"]
        {
            assert_eq!(text.parse::<Timestamp>(), Err(InvalidTimestamp::NotRfc3339), "{text}");
        }
        for text in ["1969-12-31T23:59:59.999Z", "1970-01-01T00:30:00+01:00", "9999-12-31T23:59:59-01:00"] {
            assert_eq!(text.parse::<Timestamp>(), Err(InvalidTimestamp::OutOfRange), "{text}");
        }
        assert_eq!("2026-01-01T12:00:00.0019999Z".parse(), Ok(Timestamp(1_767_268_800_001)));
    }
}
