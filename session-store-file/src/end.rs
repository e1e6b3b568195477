//! The end of a record: the one part of a file that is overwritten in place.
//!
//! It is stored twice, in two lines of fixed length, each with its own checksum. A write goes to the line that does
//! not count, so that at every moment, also within a write that is cut short, one whole line is there: the old end or
//! the new one (A8). Within one file both times only grow, so the greater of two whole lines is the newer (A5).

use session_core::Timestamp;

use crate::crc::crc32;

/// When a record ends, and when the sweep looks at it next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End {
    pub(crate) expires_at: Timestamp,
    /// The time in the name of the record's sweep entry; never later than the expiry.
    pub(crate) sweep_at: Timestamp,
}

/// The two lines of one record, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    /// The end that counts.
    pub(crate) current: End,
    /// Where the next one is written: 0 or 1.
    pub(crate) spare_line: u8,
}

impl End {
    /// The length of a line with its line break.
    pub(crate) const LINE_LENGTH: usize = 59;

    /// Returns the line that stands for this end.
    pub(crate) fn to_line(self) -> String {
        let times = format!("expires {:015} sweep {:015}", self.expires_at.unix_millis(), self.sweep_at.unix_millis());
        format!("{times} crc {:08x}\n", crc32(&[times.as_bytes()]))
    }

    /// Reads a line, or `None` if it is not whole.
    fn parse(line: &[u8]) -> Option<Self> {
        let line = str::from_utf8(line).ok()?.strip_suffix('\n')?;
        let (times, crc) = line.split_once(" crc ")?;
        let (expires_at, sweep_at) = times.strip_prefix("expires ")?.split_once(" sweep ")?;
        let is_whole = crc32(&[times.as_bytes()]) == u32::from_str_radix(crc, 16).ok()?;
        let end = Self { expires_at: timestamp(expires_at)?, sweep_at: timestamp(sweep_at)? };
        is_whole.then_some(end)
    }
}

impl Ends {
    /// Reads both lines, or `None` if neither is whole: two touches may pass a reader, one in each line.
    pub(crate) fn parse(lines: &[u8]) -> Option<Self> {
        let (first, second) = lines.split_at_checked(End::LINE_LENGTH)?;
        let (first, second) = (End::parse(first), End::parse(second));
        let spare_line = u8::from(first > second);
        Some(Self { current: first.max(second)?, spare_line })
    }
}

/// Reads milliseconds since 1970.
pub(crate) fn timestamp(millis: &str) -> Option<Timestamp> {
    Timestamp::from_unix_millis(millis.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(expires_at: i64, sweep_at: i64) -> End {
        let at = |millis| Timestamp::from_unix_millis(millis).expect("the test's times are in range");
        End { expires_at: at(expires_at), sweep_at: at(sweep_at) }
    }

    #[test]
    fn a_line_has_its_length_whatever_it_says() {
        let year_9999 = Timestamp::MAX.unix_millis();
        for end in [end(0, 0), end(1_767_268_800_000, 5), end(year_9999, year_9999)] {
            let line = end.to_line();
            assert_eq!(line.len(), End::LINE_LENGTH);
            assert_eq!(End::parse(line.as_bytes()), Some(end));
        }
    }

    #[test]
    fn a_write_that_is_cut_anywhere_leaves_the_old_end_or_the_new_one() {
        let (old, new) = (end(1_767_268_800_000, 7), end(1_799_999_999_999, 7));
        let before = [old.to_line(), old.to_line()].concat().into_bytes();
        let ends = Ends::parse(&before).expect("both lines are whole");
        assert_eq!(ends, Ends { current: old, spare_line: 0 });
        for cut in 0..=End::LINE_LENGTH {
            // From the front, and from the back: a page is not always written in order.
            for is_reversed in [false, true] {
                let mut torn = before.clone();
                let written = if is_reversed { End::LINE_LENGTH - cut..End::LINE_LENGTH } else { 0..cut };
                torn[written.clone()].copy_from_slice(&new.to_line().as_bytes()[written]);
                let current = Ends::parse(&torn).expect("one line is always whole").current;
                assert!(current == old || current == new, "{cut}: {current:?}");
            }
        }
    }

    #[test]
    fn the_line_that_counts_is_never_the_one_that_is_written() {
        let mut lines = [end(1, 1).to_line(), end(1, 1).to_line()].concat().into_bytes();
        for expires_at in 2..10 {
            let ends = Ends::parse(&lines).expect("whole");
            let start = usize::from(ends.spare_line) * End::LINE_LENGTH;
            lines[start..start + End::LINE_LENGTH].fill(b'?');
            assert_eq!(Ends::parse(&lines).map(|ends| ends.current), Some(ends.current));
            lines[start..start + End::LINE_LENGTH].copy_from_slice(end(expires_at, 1).to_line().as_bytes());
            assert_eq!(Ends::parse(&lines).map(|ends| ends.current), Some(end(expires_at, 1)));
        }
        assert_eq!(Ends::parse(&[b'?'; 2 * End::LINE_LENGTH]), None);
    }
}
