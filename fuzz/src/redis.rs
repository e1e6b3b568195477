//! A record as Redis keeps it.

use session_core::Timestamp;

use crate::{may_be_answered, redis_record as record};

/// After a byte `!` the record itself; else its lines and its data, between which the checksum is added.
pub fn redis(input: &[u8]) {
    let (stored, is_summed) = match input {
        [b'!', stored @ ..] => (stored.to_vec(), false),
        _ => summed(input),
    };
    let answer = record::read(&stored, Timestamp::MIN);
    may_be_answered(&answer);
    if let Ok(Some((read, revision))) = answer {
        // What is read is what is written.
        assert!(stored.ends_with(read.data.as_str().as_bytes()));
        let written = record::write(&read, revision);
        let again = record::read(&written, Timestamp::MIN);
        assert_eq!(again.ok().flatten(), Some((read, revision)));
    }
    let answer = record::pending(&stored);
    may_be_answered(&answer);
    if let Ok(Some((part, head, data))) = answer {
        assert!(part < crate::part::PARTS);
        // A rotation that is made good gives a record, or one whose data is damaged.
        let confirmed = record::confirmed(&stored, data, head.times);
        let (end, now) = (head.expires_at, Timestamp::MIN);
        match record::read(&confirmed, now) {
            Ok(Some((read, revision))) => assert_eq!((read.expires_at, revision), (end, head.revision)),
            Ok(None) => assert!(end <= now),
            Err(_) => assert!(!is_summed || std::str::from_utf8(&stored[data..]).is_err()),
        }
    }
}

/// Adds the checksum of what comes after the line, or after both lines of a pending record, if they are there.
fn summed(input: &[u8]) -> (Vec<u8>, bool) {
    let lines = if input.first() == Some(&b'0') { 2 } else { 1 };
    let breaks = input.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(place, _)| place);
    let Some(end) = breaks.take(lines).nth(lines - 1) else { return (input.to_vec(), false) };
    let (before, data) = input.split_at(end + 1);
    let checksum = format!("{:08x} ", crc32fast::hash(data));
    ([before, checksum.as_bytes(), data].concat(), true)
}
