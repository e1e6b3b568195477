//! A record as Redis keeps it.

use session_core::Timestamp;

use crate::{may_be_answered, text};

/// What is read is what is written.
pub fn redis(input: &[u8]) {
    let answer = text::read(input, Timestamp::MIN);
    may_be_answered(&answer);
    if let Ok(Some((record, revision))) = answer {
        let written = text::write(&record, revision);
        let again = text::read(&written, Timestamp::MIN);
        assert_eq!(again.ok().flatten(), Some((record, revision)));
    }
    let answer = text::pending(input);
    may_be_answered(&answer);
    if let Ok(Some((part, head, data))) = answer {
        assert!(part < crate::part::PARTS);
        // A rotation that is made good gives a record, or one whose data is damaged.
        let confirmed = text::confirmed(input, data, head.times);
        let (end, now) = (head.expires_at, Timestamp::MIN);
        match text::read(&confirmed, now) {
            Ok(Some((record, revision))) => assert_eq!((record.expires_at, revision), (end, head.revision)),
            Ok(None) => assert!(end <= now),
            Err(_) => assert!(
                std::str::from_utf8(&input[data..])
                    .ok()
                    .and_then(|data| session_core::Data::parse(data).ok())
                    .is_none()
            ),
        }
    }
}
