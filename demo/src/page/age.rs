//! Times as people say them.

use std::time::Duration;

use session_core::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Says how long ago something was: `just now`, `3 min ago`.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let since = now.saturating_since(then);
    if since.as_secs() < 5 { "just now".to_owned() } else { format!("{} ago", rounded(since)) }
}

/// Says how far off something is, to the nearest minute: `in 30 min`, `now`.
pub(crate) fn ahead(then: Timestamp, now: Timestamp) -> String {
    let left = then.saturating_since(now);
    match left.as_secs() {
        0 => "now".to_owned(),
        1..MINUTE => format!("in {}", rounded(left)),
        _ => format!("in {}", rounded(left.saturating_add(Duration::from_secs(MINUTE / 2)))),
    }
}

/// Writes a time without its fraction of a second: `2026-01-01 12:00:00 UTC`.
pub(crate) fn clock(time: Timestamp) -> String {
    let text = time.to_string();
    let seconds = text.get(..19).unwrap_or(&text);
    format!("{} UTC", seconds.replace('T', " "))
}

fn rounded(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..DAY => match seconds % HOUR / MINUTE {
            0 => format!("{} h", seconds / HOUR),
            minutes => format!("{} h {minutes} min", seconds / HOUR),
        },
        _ => format!("{} d", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1000).expect("the test's times are in range")
    }

    #[test]
    fn the_past_is_rounded_down() {
        assert_eq!(ago(at(100), at(50)), "just now");
        assert_eq!(ago(at(100), at(104)), "just now");
        assert_eq!(ago(at(100), at(159)), "59 s ago");
        assert_eq!(ago(at(100), at(160)), "1 min ago");
        assert_eq!(ago(at(0), at(2 * 3600)), "2 h ago");
        assert_eq!(ago(at(0), at(2 * 3600 + 300)), "2 h 5 min ago");
        assert_eq!(ago(at(0), at(3 * 86_400)), "3 d ago");
    }

    #[test]
    fn the_future_ends_now() {
        assert_eq!(ahead(at(1800), at(0)), "in 30 min");
        assert_eq!(ahead(at(1800), at(1)), "in 30 min");
        assert_eq!(ahead(at(1800), at(31)), "in 29 min");
        assert_eq!(ahead(at(1800), at(1790)), "in 10 s");
        assert_eq!(ahead(at(0), at(1)), "now");
    }

    #[test]
    fn a_time_is_written_to_the_second() {
        let noon = Timestamp::from_unix_millis(1_767_268_800_123).expect("the year 2026 is in range");
        assert_eq!(clock(noon), "2026-01-01 12:00:00 UTC");
    }
}
