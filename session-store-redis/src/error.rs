//! From errors of redis to ours.

use std::fmt;

use redis::{ErrorKind, RedisError};
use session_core::Error;

/// What went wrong in redis: its kind, and the code of an answer such as `READONLY`.
///
/// The rest of what redis and the server say is left out: it may name a key, an address or a line of a script's arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cause {
    kind: ErrorKind,
    code: Option<String>,
    io: Option<std::io::ErrorKind>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.code, self.io) {
            (Some(code), _) => write!(f, "redis answered with {code}"),
            (None, Some(kind)) => write!(f, "the connection to redis failed, {kind}"),
            (None, None) => write!(f, "redis failed, {:?}", self.kind),
        }
    }
}

impl std::error::Error for Cause {}

/// The codes of answers that mean "not now": worth a retry, and not absence.
const OUTAGES: [&str; 11] = [
    "LOADING",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "MOVED",
    "ASK",
    "OOM",
    "NOREPLICAS",
    "BUSY",
    "MISCONF",
];

/// What a node answers to a script one of whose keys has moved to another one already.
const NOT_HERE: &str = "non local key";

/// Gives an error its kind.
pub(crate) fn refusal(error: &RedisError) -> Error {
    let cause = Cause { kind: error.kind(), code: code(error).map(str::to_owned), io: io_kind(error) };
    match (error.kind(), cause.code.as_deref()) {
        (_, Some(code)) if OUTAGES.contains(&code) => Error::unavailable(cause),
        // Somebody has stored something else under the name.
        (_, Some("WRONGTYPE")) => Error::corrupt(cause),
        (
            ErrorKind::Io
            | ErrorKind::Parse
            | ErrorKind::ClusterConnectionNotFound
            | ErrorKind::MasterNameNotFoundBySentinel
            | ErrorKind::NoValidReplicasFoundBySentinel,
            _,
        ) => Error::unavailable(cause),
        _ => Error::backend(cause),
    }
}

/// Says whether the next call needs another connection: this one is broken, or leads to a server that is not the master.
pub(crate) fn needs_another_connection(error: &RedisError) -> bool {
    is_lost(error)
        || matches!(error.kind(), ErrorKind::Io | ErrorKind::Parse | ErrorKind::AuthenticationFailed)
        || matches!(code(error), Some("READONLY" | "MASTERDOWN" | "LOADING"))
}

/// Says whether the connection was found broken, so that the same call may succeed on another one.
pub(crate) fn is_lost(error: &RedisError) -> bool {
    error.is_connection_dropped()
}

/// Says whether the server does not know the script yet: nothing of it has run.
pub(crate) fn is_unknown_script(error: &RedisError) -> bool {
    code(error) == Some("NOSCRIPT")
}

/// Returns the code of a server's answer. The error of a command in a script has it in front, or within the text.
fn code(error: &RedisError) -> Option<&str> {
    match error.code() {
        // The error of a transaction that was refused as a whole has it within the text too.
        Some(code @ ("ERR" | "EXECABORT")) => {
            let detail = error.detail().unwrap_or_default();
            if detail.contains(NOT_HERE) {
                return Some("TRYAGAIN");
            }
            OUTAGES.into_iter().chain(["WRONGTYPE"]).find(|code| names(detail, code)).or(Some(code))
        }
        code => code,
    }
}

/// Older servers wrap what a command in a script answered: `ERR Error running script … -OOM command not allowed …`.
fn names(detail: &str, code: &str) -> bool {
    detail.split([' ', ':', '-']).any(|word| word == code)
}

fn io_kind(error: &RedisError) -> Option<std::io::ErrorKind> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: &str, detail: &str) -> Error {
        refusal(&redis::make_extension_error(code.to_owned(), Some(detail.to_owned())))
    }

    #[test]
    fn a_server_that_cannot_serve_now_is_unavailable() {
        for code in OUTAGES {
            assert!(matches!(answered(code, "of the moment"), Error::Unavailable(_)), "{code}");
        }
        // As Redis says it of a transaction and of a script.
        for (code, detail) in [
            ("EXECABORT", "Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'."),
            ("ERR", "Error running script: -READONLY You can't write against a read only replica."),
            ("ERR", "Script attempted to access a non local key in a cluster node script: f_1, on @user_script:1."),
        ] {
            assert!(matches!(answered(code, detail), Error::Unavailable(_)), "{code} {detail}");
        }
        assert!(matches!(
            answered("EXECABORT", "Transaction discarded because of previous errors."),
            Error::Backend(_)
        ));
        assert!(matches!(answered("NOAUTH", "Authentication required."), Error::Backend(_)));
        assert!(matches!(answered("WRONGTYPE", "Operation against a key"), Error::Corrupt(_)));
    }

    #[test]
    fn a_message_names_no_key_and_no_address() {
        let error = answered("NOPERM", "the user may not access the key sessions:{1}:key:secret");
        let cause = std::error::Error::source(&error).expect("the cause is kept");
        for words in [format!("{cause}"), format!("{cause:?}"), format!("{error:?}")] {
            assert!(!words.contains("secret") && words.contains("NOPERM"), "{words}");
        }
    }
}
