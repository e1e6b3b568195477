//! The stored form: one line of fixed width, the owner at its end, and after it the data as it was written, with its checksum.
//!
//! ```text
//! 1 001767272400000 4000000000000000 001767268800000 001769860800000 ada
//! 9749c678 {"cart":[1,2]}
//! ```
//!
//! Format, expiry, revision, begin, deadline (dashes if there is none), owner; CRC-32 of the data. The width is fixed so that a
//! touch writes 15 bytes in place, and scripts need not look at the data. The checksum is there so that nobody else need, until a
//! value is asked for: it costs a twentieth of what a look at all of the JSON does.

use session_core::{Data, Error, OwnerId, Record, Result, Revision, SessionInfo, SessionKey, Timestamp};

/// The version that this crate writes and reads, with the space behind it (`DATA-03`).
const FORMAT: &str = "1 ";

/// The length of the line up to the deadline, owner and line break not counted.
const FIXED: usize = 66;

/// The longest line: with an owner of 255 bytes, its space and the line break.
#[cfg(test)]
const LONGEST: usize = FIXED + 1 + OwnerId::MAX_LENGTH + 1;

/// The length of a checksum and the space behind it.
const CHECKSUM: usize = 9;

/// The first digit of a record that is pending.
#[cfg(feature = "cluster")]
const PENDING: u8 = b'0';

/// The length of begin and deadline.
#[cfg(feature = "cluster")]
pub(crate) const TIMES: usize = 31;

const NO_DEADLINE: [u8; 15] = [b'-'; 15];

/// Writes a record, as it stands at this revision.
pub(crate) fn write(record: &Record, revision: Revision) -> Vec<u8> {
    write_as(FORMAT.as_bytes(), record, revision, b"")
}

/// Writes a record behind a format, with something between the line and the data.
fn write_as(format: &[u8], record: &Record, revision: Revision, between: &[u8]) -> Vec<u8> {
    let (owner, data) = (owner_text(record.owner.as_ref()), record.data.as_str());
    let mut text = Vec::with_capacity(FIXED + 2 + owner.len() + between.len() + CHECKSUM + data.len());
    text.extend_from_slice(format);
    text.extend_from_slice(&time_text(record.expires_at));
    text.push(b' ');
    text.extend_from_slice(&revision_text(revision));
    text.push(b' ');
    text.extend_from_slice(&time_text(record.created_at));
    text.push(b' ');
    text.extend_from_slice(&record.deadline.map_or(NO_DEADLINE, time_text));
    if !owner.is_empty() {
        text.push(b' ');
        text.extend_from_slice(owner.as_bytes());
    }
    text.push(b'\n');
    text.extend_from_slice(between);
    text.extend_from_slice(&checksum_text(data));
    text.push(b' ');
    text.extend_from_slice(data.as_bytes());
    text
}

fn checksum_text(data: &str) -> [u8; 8] {
    digits::<16, 8>(crc32fast::hash(data.as_bytes()).into())
}

/// Writes a revision.
pub(crate) fn revision_text(revision: Revision) -> [u8; 16] {
    digits::<16, 16>(revision.number())
}

/// Writes a time in the 15 digits that the end of the year 9999 has.
pub(crate) fn time_text(time: Timestamp) -> [u8; 15] {
    // A time is never before 1970.
    digits::<10, 15>(time.unix_millis().unsigned_abs())
}

/// Writes the last digits of a number. By hand: each call writes some.
fn digits<const BASE: u64, const COUNT: usize>(mut number: u64) -> [u8; COUNT] {
    let mut digits = [b'0'; COUNT];
    for digit in digits.iter_mut().rev() {
        // A remainder is below the base, which is 16 at most.
        *digit = b"0123456789abcdef"[(number % BASE) as usize];
        number /= BASE;
    }
    digits
}

/// The line before the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    pub(crate) expires_at: Timestamp,
    pub(crate) revision: Revision,
    pub(crate) created_at: Timestamp,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) owner: Option<OwnerId>,
    /// Begin and deadline as they are written.
    pub(crate) times: &'a str,
}

impl<'a> Head<'a> {
    /// Reads a line without its break.
    pub(crate) fn parse(line: &'a str) -> Result<Self> {
        if line.starts_with(FORMAT) { Self::parse_fields(line) } else { Err(unknown()) }
    }

    fn parse_fields(line: &'a str) -> Result<Self> {
        let fixed = line.get(..FIXED).ok_or_else(unknown)?;
        let field = |from, to| fixed.get(from..to).filter(|_| fixed.as_bytes().get(to).is_none_or(|&b| b == b' '));
        let time = |from| parse_time(field(from, from + 15).ok_or_else(unknown)?);
        let revision = field(18, 34).and_then(|digits| u64::from_str_radix(digits, 16).ok()).ok_or_else(unknown)?;
        let deadline = if field(51, 66).map(str::as_bytes) == Some(&NO_DEADLINE) { None } else { Some(time(51)?) };
        let owner = match line.get(FIXED..).unwrap_or_default() {
            "" => None,
            rest => {
                let owner = rest.strip_prefix(' ').ok_or_else(unknown)?;
                Some(OwnerId::parse(owner).map_err(Error::corrupt)?)
            }
        };
        let (expires_at, created_at) = (time(2)?, time(35)?);
        let times = field(35, 66).unwrap_or_default();
        Ok(Self { expires_at, revision: Revision::from_number(revision), created_at, deadline, owner, times })
    }

    /// Describes the session for a listing.
    pub(crate) fn info(self, key: SessionKey) -> SessionInfo {
        SessionInfo::new(key, self.created_at, self.expires_at, self.deadline, self.owner)
    }
}

/// Reads a record, or `None` if it is not live.
pub(crate) fn read(text: &[u8], now: Timestamp) -> Result<Option<(Record, Revision)>> {
    let text = std::str::from_utf8(text).map_err(Error::corrupt)?;
    let (line, rest) = text.split_once('\n').ok_or_else(unknown)?;
    let head = Head::parse(line)?;
    if head.expires_at <= now {
        return Ok(None);
    }
    let (checksum, data) = rest.split_once(' ').ok_or_else(unknown)?;
    if checksum.as_bytes() != checksum_text(data) {
        return Err(Error::corrupt("the data does not have its checksum"));
    }
    // It is as it was written.
    let mut record = Record::new(Data::trust(data), head.created_at, head.expires_at);
    record.deadline = head.deadline;
    record.owner = head.owner;
    Ok(Some((record, head.revision)))
}

/// Returns an owner as it is written.
pub(crate) fn owner_text(owner: Option<&OwnerId>) -> &str {
    owner.map_or("", OwnerId::as_str)
}

/// Writes a record that a rotation has reserved a key for: another digit in front, and a line more, for the old part.
#[cfg(feature = "cluster")]
pub(crate) fn write_pending(record: &Record, revision: Revision, old_part: u16) -> Vec<u8> {
    write_as(&[PENDING, b' '], record, revision, format!("{old_part}\n").as_bytes())
}

/// Reads a record that is pending: the old part, the line and where the data begins. `None` for any other record.
#[cfg(feature = "cluster")]
pub(crate) fn pending(stored: &[u8]) -> Result<Option<(u16, Head<'_>, usize)>> {
    if stored.first() != Some(&PENDING) {
        return Ok(None);
    }
    let mut lines = stored.splitn(3, |&byte| byte == b'\n');
    let (Some(line), Some(part), Some(data)) = (lines.next(), lines.next(), lines.next()) else {
        return Err(unknown());
    };
    let line = std::str::from_utf8(line).map_err(Error::corrupt)?;
    if line.as_bytes().get(1) != Some(&b' ') {
        return Err(unknown());
    }
    let part = std::str::from_utf8(part).ok().and_then(|part| part.parse().ok());
    let part = part.filter(|part| *part < crate::part::PARTS).ok_or_else(unknown)?;
    Ok(Some((part, Head::parse_fields(line)?, stored.len() - data.len())))
}

/// Returns a pending record as it is when its rotation is over, with the times of the old one.
#[cfg(feature = "cluster")]
pub(crate) fn confirmed(stored: &[u8], data: usize, times: &str) -> Vec<u8> {
    let line = stored.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut text = line.to_vec();
    text[0] = FORMAT.as_bytes()[0];
    text.splice(35..FIXED, times.bytes());
    text.push(b'\n');
    text.extend_from_slice(&stored[data..]);
    text
}

fn parse_time(digits: &str) -> Result<Timestamp> {
    // The sign that `parse` would take is no digit.
    let millis = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    Timestamp::from_unix_millis(millis.ok_or_else(unknown)?).map_err(Error::corrupt)
}

fn unknown() -> Error {
    Error::corrupt("the stored text is not of a format that is known")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis).expect("in range")
    }

    fn records() -> Vec<Record> {
        let data = Data::parse("{\"a\":\"1\\n\",\n\"b\": 2}").expect("an object");
        let plain = Record::new(data, at(5), Timestamp::MAX);
        let owned = plain.clone().with_owner(" ada ".parse().expect("an owner")).with_deadline(Timestamp::MAX);
        let longest = plain.clone().with_owner("é".repeat(127).parse().expect("an owner"));
        vec![plain, owned, longest]
    }

    #[test]
    fn what_is_written_reads_back() {
        for record in records() {
            let revision = Revision::fresh();
            let text = write(&record, revision);
            assert_eq!(read(&text, at(0)).ok().flatten(), Some((record, revision)));
            assert!(text.iter().position(|&byte| byte == b'\n').is_some_and(|end| end < LONGEST));
        }
    }

    #[test]
    fn an_expired_record_is_nothing_and_its_data_is_not_looked_at() {
        assert!(matches!(
            read(b"1 000000000000007 4000000000000000 000000000000001 ---------------\n?", at(7)),
            Ok(None)
        ));
    }

    #[test]
    fn what_is_not_of_the_format_is_corrupt() {
        let good = "1 000000000000007 4000000000000000 000000000000001 ---------------\na3a6bf43 {}";
        assert!(matches!(read(good.as_bytes(), at(6)), Ok(Some(_))));
        for bad in [
            "".into(),
            "{}".into(),
            good.replacen('1', "2", 1),
            good.replacen(" 0", " +", 1),
            good.replacen(" 4", "x4", 1),
            good.replacen("7 ", "77", 1),
            good.replacen("-\n", "-x\n", 1),
            good.replacen("-\n", "- \n", 1),
            good.replace('\n', " "),
            good.replace("{}", "{"),
            good.replace("{}", "{ }"),
            good.replace(" {}", "{}"),
            good.replace("a3", "A3"),
            good.replace("a3a6bf43 ", ""),
            good.replacen("000000000000001", "é0000000000001", 1),
        ] {
            assert!(matches!(read(bad.as_bytes(), at(6)), Err(Error::Corrupt(_))), "{bad}");
        }
    }

    /// The scripts count bytes where Rust has names.
    #[test]
    fn the_places_are_those_that_the_scripts_use() {
        let record = &records()[1];
        let revision = Revision::from_number(7);
        let text = write(record, revision);
        let text = std::str::from_utf8(&text).expect("text");
        // Lua counts from 1 and includes the end.
        let lua = |from: usize, to: usize| &text[from - 1..to];
        assert_eq!(lua(3, 17), format!("{:015}", record.expires_at.unix_millis()));
        assert_eq!(lua(19, 34), format!("{:016x}", revision.number()));
        assert_eq!(
            lua(36, 66),
            format!("{:015} {:015}", record.created_at.unix_millis(), Timestamp::MAX.unix_millis())
        );
        assert_eq!(&text[67..73], " ada \n");
    }
}
