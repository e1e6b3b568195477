//! From the driver's errors to ours.

use std::fmt;

use mongodb::error::{ErrorKind, RETRYABLE_WRITE_ERROR, WriteFailure};
use session_core::Error;

/// Why a call of a [`MongoStore`](crate::MongoStore) was refused: the driver's error, with a message that is fit for a log.
///
/// The driver's own text quotes the server's answer, which holds keys and addresses. This one says what kind of error it was
/// and, if the server refused, with which code.
#[derive(Clone)]
pub struct MongoCause(mongodb::error::Error);

impl MongoCause {
    /// Returns the driver's error. Its text may hold session keys and the addresses of servers.
    pub fn driver_error(&self) -> &mongodb::error::Error {
        &self.0
    }
}

impl fmt::Display for MongoCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0.kind {
            ErrorKind::Io(error) => write!(f, "the connection to the server failed: {}", error.kind()),
            ErrorKind::ConnectionPoolCleared { .. } => f.write_str("the connections to the server were lost"),
            ErrorKind::ServerSelection { .. } => f.write_str("no server is there that takes the call"),
            ErrorKind::DnsResolve { .. } => f.write_str("the server's name cannot be resolved"),
            ErrorKind::Authentication { .. } => f.write_str("the server refused the credentials"),
            ErrorKind::Shutdown => f.write_str("the client has been shut down"),
            _ => match code(&self.0) {
                Some(code) => write!(f, "the server refused with code {code}"),
                None => f.write_str("the driver refused"),
            },
        }
    }
}

impl fmt::Debug for MongoCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MongoCause({self})")
    }
}

impl std::error::Error for MongoCause {}

/// The code of a write that a unique index refused.
const DUPLICATE_KEY: i32 = 11000;

/// The codes of a server that has no answer now and may have one later: it is not or no longer the primary, starts or shuts
/// down, lost the others of its set, ran out of time, or gave up between two writers.
const OUTAGES: &[i32] = &[
    6, 7, 24, 46, 50, 63, 64, 89, 91, 100, 112, 133, 134, 149, 189, 202, 216, 262, 290, 358, 384, 9001, 10058, 10107,
    11600, 11601, 11602, 13388, 13435, 13436,
];

/// Gives an error its kind and keeps it as the cause.
pub(crate) fn refusal(error: mongodb::error::Error) -> Error {
    let cause = MongoCause(error);
    if is_outage(&cause.0) { Error::unavailable(cause) } else { Error::backend(cause) }
}

/// Says whether a unique index refused: the key is taken.
pub(crate) fn is_duplicate_key(error: &mongodb::error::Error) -> bool {
    code(error) == Some(DUPLICATE_KEY)
}

fn is_outage(error: &mongodb::error::Error) -> bool {
    match &*error.kind {
        ErrorKind::Io(_)
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::DnsResolve { .. }
        | ErrorKind::Shutdown
        // The write may have been made, but the majority has not said so.
        | ErrorKind::Write(WriteFailure::WriteConcernError(_)) => true,
        _ => error.contains_label(RETRYABLE_WRITE_ERROR) || code(error).is_some_and(|code| OUTAGES.contains(&code)),
    }
}

fn code(error: &mongodb::error::Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(error) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => Some(error.code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_hold_no_address_and_no_text_of_the_server() {
        let secret = std::io::Error::other("10.0.0.1:27017 said key 52b8f5");
        let refused = refusal(mongodb::error::Error::from(secret));
        assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
        let words = format!("{refused} {refused:?} {}", std::error::Error::source(&refused).expect("it has a cause"));
        assert!(!words.contains("10.0.0.1") && !words.contains("52b8"), "{words}");
    }

    #[test]
    fn what_is_no_outage_is_the_backends_refusal() {
        assert!(matches!(refusal(mongodb::error::Error::custom("a")), Error::Backend(_)));
        assert!(OUTAGES.contains(&10107) && !OUTAGES.contains(&DUPLICATE_KEY));
    }
}
