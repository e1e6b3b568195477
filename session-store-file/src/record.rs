//! The text of a record: a head of lines that `cat` shows, an empty line, and the data byte for byte.
//!
//! One part of it is overwritten in place: the end. It is stored twice, in two lines of fixed length, each with its own
//! checksum. A write goes to the line that does not count, so that at every moment, also within a write that is cut
//! short, one whole line is there: the old end or the new one (A8). Within one file both times only grow, so the greater of
//! two whole lines is the newer (A5).

use std::fmt::Write as _;
use std::ops::Range;

use session_core::{Data, Error, OwnerId, Record, Revision, SessionInfo, SessionKey, Timestamp};

/// No head is longer: a key and an owner of 255 bytes each, and a dozen numbers, make 802 bytes.
pub(crate) const MAX_HEAD_LENGTH: usize = 1024;

const PROGRAM: &str = "session-store-file ";
const VERSION: &str = "session-store-file 1\n";
const ENDS: Range<usize> = VERSION.len()..VERSION.len() + 2 * End::LINE_LENGTH;

/// Everything that a file says about its record, except the data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Head {
    pub(crate) key: SessionKey,
    pub(crate) revision: Revision,
    pub(crate) created_at: Timestamp,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) owner: Option<OwnerId>,
    pub(crate) ends: Ends,
    head_length: usize,
    data_length: usize,
    data_crc: u32,
}

/// Writes a whole record.
pub(crate) fn write(key: &SessionKey, record: &Record, revision: Revision, sweep_at: Timestamp) -> Vec<u8> {
    let data = record.data.as_str();
    let end = End { expires_at: record.expires_at, sweep_at }.to_line();
    let mut text = String::with_capacity(MAX_HEAD_LENGTH + data.len());
    text.extend([VERSION, &end, &end]);
    // Writing to a string does not fail.
    let _ = write!(text, "revision {}\ncreated {}\n", revision.number(), record.created_at.unix_millis());
    if let Some(deadline) = record.deadline {
        let _ = writeln!(text, "deadline {}", deadline.unix_millis());
    }
    if let Some(owner) = &record.owner {
        let _ = writeln!(text, "owner {owner}");
    }
    let _ = writeln!(text, "key {key}\ndata {} crc {:08x}", data.len(), crc32(&[data.as_bytes()]));
    let crc = crc32(&[VERSION.as_bytes(), &text.as_bytes()[ENDS.end..]]);
    let _ = write!(text, "head crc {crc:08x}\n\n{data}");
    text.into_bytes()
}

impl Head {
    /// Reads the head at the beginning of `bytes`, which may go on with anything.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Damage> {
        if !bytes.starts_with(VERSION.as_bytes()) {
            let is_other_version = bytes.starts_with(PROGRAM.as_bytes()) && bytes.len() >= VERSION.len();
            return Err(if is_other_version { Damage::Version } else { Damage::NotARecord });
        }
        let ends = bytes.get(ENDS).ok_or(Damage::Head)?;
        let rest = &bytes[ENDS.end..bytes.len().min(MAX_HEAD_LENGTH)];
        let length = rest.windows(2).position(|pair| pair == b"\n\n").ok_or(Damage::Head)?;
        let lines = str::from_utf8(&rest[..=length]).map_err(|_| Damage::Head)?;
        let mut head = Self::parse_lines(lines).ok_or(Damage::Head)?;
        head.head_length = ENDS.end + length + 2;
        head.ends = Ends::parse(ends).ok_or(Damage::End)?;
        Ok(head)
    }

    /// Reads the lines below the two ends; `None` if they are not exactly what [`write`] writes.
    fn parse_lines(lines: &str) -> Option<Self> {
        let (checked, crc) = lines.split_at_checked(lines.len().checked_sub("head crc 00000000\n".len())?)?;
        let crc = u32::from_str_radix(crc.strip_prefix("head crc ")?.strip_suffix('\n')?, 16).ok()?;
        if crc != crc32(&[VERSION.as_bytes(), checked.as_bytes()]) {
            return None;
        }
        let mut rest = checked;
        let revision = Revision::from_number(field(&mut rest, "revision ")?.parse().ok()?);
        let created_at = timestamp(field(&mut rest, "created ")?)?;
        let deadline = field(&mut rest, "deadline ").map(timestamp);
        let owner = field(&mut rest, "owner ").map(|owner| OwnerId::parse(owner).ok());
        let key = SessionKey::parse(field(&mut rest, "key ")?).ok()?;
        let (data_length, data_crc) = field(&mut rest, "data ")?.split_once(" crc ")?;
        let head = Self {
            key,
            revision,
            created_at,
            // A line that is there and wrong is damage, and not absence.
            deadline: match deadline {
                Some(deadline) => Some(deadline?),
                None => None,
            },
            owner: match owner {
                Some(owner) => Some(owner?),
                None => None,
            },
            ends: Ends { current: End { expires_at: Timestamp::MIN, sweep_at: Timestamp::MIN }, spare_line: 0 },
            head_length: 0,
            data_length: data_length.parse().ok()?,
            data_crc: u32::from_str_radix(data_crc, 16).ok()?,
        };
        rest.is_empty().then_some(head)
    }

    /// Returns how long the record is, head and data.
    pub(crate) fn record_length(&self) -> usize {
        self.head_length.saturating_add(self.data_length)
    }

    /// Returns the data of the record whose bytes begin with this head.
    pub(crate) fn data<'a>(&self, record: &'a [u8]) -> Result<&'a str, Damage> {
        let data = record.get(self.head_length..self.record_length()).ok_or(Damage::Truncated)?;
        if crc32(&[data]) != self.data_crc {
            return Err(Damage::Checksum);
        }
        str::from_utf8(data).map_err(|_| Damage::Data)
    }

    /// Returns where the end that is written next belongs, counted from the beginning of the record.
    pub(crate) fn spare_end_offset(&self) -> usize {
        ENDS.start + usize::from(self.ends.spare_line) * End::LINE_LENGTH
    }

    /// Says whether the record is live at `now`.
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        now < self.ends.current.expires_at
    }

    /// Puts the record together again.
    pub(crate) fn into_record(self, data: Data) -> (Record, Revision) {
        let mut record = Record::new(data, self.created_at, self.ends.current.expires_at);
        record.deadline = self.deadline;
        record.owner = self.owner;
        (record, self.revision)
    }

    /// Describes the record for a listing.
    pub(crate) fn into_info(self) -> SessionInfo {
        SessionInfo::new(self.key, self.created_at, self.ends.current.expires_at, self.deadline, self.owner)
    }
}

/// Takes the next line if it begins with `name`, and returns the rest of it.
fn field<'a>(lines: &mut &'a str, name: &str) -> Option<&'a str> {
    let (value, rest) = lines.strip_prefix(name)?.split_once('\n')?;
    *lines = rest;
    Some(value)
}

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

/// Why something that is stored is not a record: the cause of [`Error::Corrupt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damage {
    #[error("what is stored is not a regular file")]
    NotAFile,
    #[error("the file does not begin like a session record")]
    NotARecord,
    #[error("the file has another format version")]
    Version,
    #[error("the head of the file is damaged")]
    Head,
    #[error("neither of the two expiry lines is whole")]
    End,
    #[error("the file belongs to another session")]
    Key,
    #[error("the data is cut off")]
    Truncated,
    #[error("the data does not match its checksum")]
    Checksum,
    #[error("the data is not text")]
    Data,
}

impl From<Damage> for Error {
    fn from(damage: Damage) -> Self {
        Self::corrupt(damage)
    }
}

/// Returns the CRC-32 of the parts, as if they were one text: it detects damage, not malice.
pub(crate) fn crc32(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis).expect("the test's times are in range")
    }

    fn key() -> SessionKey {
        SessionKey::parse("a:b/../*").expect("visible")
    }

    fn record(data: &str) -> Record {
        let owner = OwnerId::parse(" ada 名前 ").expect("no control characters");
        let data = Data::parse(data).expect("an object");
        Record::new(data, at(1_767_268_800_000), at(1_767_355_200_000)).with_deadline(at(9)).with_owner(owner)
    }

    fn written() -> Vec<u8> {
        write(&key(), &record("{\"a\\n\": \n\n 1}"), Revision::from_number(42), at(5))
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = written();
        let head = Head::parse(&bytes).expect("whole");
        assert_eq!(head.key, key());
        assert_eq!(head.revision, Revision::from_number(42));
        assert_eq!(head.created_at, at(1_767_268_800_000));
        assert_eq!(head.ends.current, End { expires_at: at(1_767_355_200_000), sweep_at: at(5) });
        assert_eq!(head.deadline, Some(at(9)));
        assert_eq!(head.owner.as_ref().map(OwnerId::as_str), Some(" ada 名前 "));
        assert_eq!(head.data(&bytes), Ok("{\"a\\n\": \n\n 1}"));
        assert_eq!(head.record_length(), bytes.len());
    }

    #[test]
    fn the_example_of_the_readme_is_a_record() {
        let readme = include_str!("../README.md");
        let start = readme.find(VERSION).expect("an example");
        let example = readme[start..].split("\n```").next().expect("it ends").as_bytes();
        let head = Head::parse(example).expect("whole");
        assert_eq!(head.data(example), Ok(r#"{"user":"ada","cart":["tea"],"views":7}"#));
        assert_eq!(head.ends.current.expires_at, at(1_798_894_800_000));
    }

    #[test]
    fn the_longest_head_fits() {
        let longest = "k".repeat(255);
        let mut record = record("{}").with_owner(OwnerId::parse(&longest).expect("fits")).with_deadline(Timestamp::MAX);
        (record.created_at, record.expires_at) = (Timestamp::MAX, Timestamp::MAX);
        let key = SessionKey::parse(&longest).expect("fits");
        let bytes = write(&key, &record, Revision::from_number(Revision::MAX), Timestamp::MAX);
        assert!(bytes.len() < MAX_HEAD_LENGTH - 100, "{}", bytes.len());
        assert!(Head::parse(&bytes).is_ok());
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_damaged() {
        let bytes = written();
        for length in 0..bytes.len() {
            let cut = &bytes[..length];
            assert!(Head::parse(cut).and_then(|head| head.data(cut).map(drop)).is_err(), "{length}");
        }
    }

    #[test]
    fn a_byte_that_is_changed_anywhere_is_noticed_or_does_not_matter() {
        let bytes = written();
        let head = Head::parse(&bytes).expect("whole");
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 4;
            let Ok(read) = Head::parse(&changed) else { continue };
            // One of the two ends is spare, so its damage costs nothing.
            assert!(ENDS.contains(&position) || read.data(&changed).is_err(), "{position}");
            assert_eq!(read.ends.current, head.ends.current);
        }
    }

    #[test]
    fn another_version_is_told_from_garbage() {
        assert_eq!(Head::parse(b"session-store-file 2\nwhat comes then"), Err(Damage::Version));
        assert_eq!(Head::parse(b"session-store-file 10\n"), Err(Damage::Version));
        assert_eq!(Head::parse(b"{\"a\":1}"), Err(Damage::NotARecord));
        assert_eq!(Head::parse(b""), Err(Damage::NotARecord));
    }

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

    #[test]
    fn the_check_value_of_the_standard_comes_out() {
        assert_eq!(crc32(&[b"123456789"]), 0xcbf4_3926);
        assert_eq!(crc32(&[b"The quick brown fox jumps over the lazy dog"]), 0x414f_a339);
        assert_eq!(crc32(&[]), 0);
    }

    #[test]
    fn parts_count_as_one_text() {
        let text = [7_u8; 100];
        for cut in 0..100 {
            assert_eq!(crc32(&[&text[..cut], &text[cut..]]), crc32(&[&text]), "{cut}");
        }
    }
}
