//! From errors of redis to ours.

use redis::{ErrorKind, RedisError};
use session_core::Error;

/// What went wrong, in words. What the server says beside its code is left out: it may name a key or a line of a script's arguments.
#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("redis answered with {code}{}", meaning(code).map(|words| format!(": {words}")).unwrap_or_default())]
    Answer { code: String },
    #[error("redis refused the user or the password")]
    Credentials,
    #[error("the connection to redis failed: {words}")]
    Connection { words: String },
    #[error("redis failed: {words}, {kind:?}")]
    Other { kind: ErrorKind, words: String },
}

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

/// What a code says to who has not met it.
fn meaning(code: &str) -> Option<&'static str> {
    Some(match code {
        "OOM" => "its memory is full",
        "NOREPLICAS" => "not enough replicas have acknowledged the write",
        "READONLY" => "it is a replica",
        "BUSY" => "another client's script does not end",
        "MISCONF" => "it cannot write to its disk",
        "TRYAGAIN" => "a slot of the cluster is moving",
        "CLUSTERDOWN" => "the cluster has no master for the slot",
        "LOADING" => "it is still reading its data",
        "MOVED" | "ASK" => "it is a node of a cluster, and the slot is on another one",
        "NOAUTH" => "it asks for a password, and none was given",
        "NOPERM" => "the user may not use a command or a name that the store needs",
        _ => return None,
    })
}

/// What a node answers to a script one of whose keys has moved to another one already.
const NOT_HERE: &str = "non local key";

/// What rustls says when the two do not agree.
const TLS: [&str; 5] =
    ["peer certificate", "fatal alert", "corrupt message", "peer is incompatible", "peer misbehaved"];

/// Gives an error its kind.
pub(crate) fn refusal(error: &RedisError) -> Error {
    if let Some(code) = code(error) {
        let cause = Cause::Answer { code: code.to_owned() };
        return match code {
            _ if OUTAGES.contains(&code) => Error::unavailable(cause),
            // Somebody has stored something else under the name.
            "WRONGTYPE" => Error::corrupt(cause),
            "WRONGPASS" => Error::backend(Cause::Credentials),
            _ => Error::backend(cause),
        };
    }
    // Where no node of a cluster could be reached, the detail is what one of them said; else it is the system's or rustls' text.
    let words = error.detail().map_or_else(|| error.to_string(), str::to_owned);
    match error.kind() {
        ErrorKind::AuthenticationFailed => Error::backend(Cause::Credentials),
        ErrorKind::Io if words.contains("AuthenticationFailed") || words.contains("WRONGPASS") => {
            Error::backend(Cause::Credentials)
        }
        ErrorKind::Io if TLS.iter().any(|of_tls| words.contains(of_tls)) => Error::backend(Cause::Connection { words }),
        ErrorKind::Io => Error::unavailable(Cause::Connection { words }),
        kind @ (ErrorKind::Parse
        | ErrorKind::ClusterConnectionNotFound
        | ErrorKind::MasterNameNotFoundBySentinel
        | ErrorKind::NoValidReplicasFoundBySentinel) => {
            Error::unavailable(Cause::Other { kind, words: error.category().to_owned() })
        }
        kind => Error::backend(Cause::Other { kind, words: error.category().to_owned() }),
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

/// Says whether nothing of the call was carried out, and it may be soon: a cluster is changing.
pub(crate) fn is_undone(error: &RedisError) -> bool {
    error.kind() == ErrorKind::ClusterConnectionNotFound
        || matches!(
            code(error),
            Some("MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" | "READONLY")
        )
}

/// Says whether the server does not know the script yet: nothing of it has run.
pub(crate) fn is_unknown_script(error: &RedisError) -> bool {
    code(error) == Some("NOSCRIPT")
}

/// Returns the code of a server's answer. The error of a command in a script has it in front, or within the text.
fn code(error: &RedisError) -> Option<&str> {
    match error.code() {
        Some(code @ "ERR") => {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: &str, detail: &str) -> Error {
        refusal(&redis::make_extension_error(code.to_owned(), Some(detail.to_owned())))
    }

    fn words(error: &Error) -> String {
        std::error::Error::source(error).expect("the cause is kept").to_string()
    }

    #[test]
    fn a_server_that_cannot_serve_now_is_unavailable() {
        for code in OUTAGES {
            assert!(matches!(answered(code, "of the moment"), Error::Unavailable(_)), "{code}");
            assert!(words(&answered(code, "")).contains(code));
        }
        // As Redis says it of a script.
        for (code, detail) in [
            ("ERR", "Error running script: -READONLY You can't write against a read only replica."),
            ("ERR", "Script attempted to access a non local key in a cluster node script: f_1, on @user_script:1."),
        ] {
            assert!(matches!(answered(code, detail), Error::Unavailable(_)), "{code} {detail}");
        }
        assert!(matches!(answered("NOAUTH", "Authentication required."), Error::Backend(_)));
        assert!(matches!(answered("WRONGTYPE", "Operation against a key"), Error::Corrupt(_)));
    }

    #[test]
    fn what_a_retry_does_not_cure_is_no_outage_and_the_cause_is_told() {
        let io = |kind, words: &'static str| refusal(&RedisError::from(std::io::Error::new(kind, words)));
        let cluster = |detail: &str| {
            refusal(&RedisError::from((ErrorKind::Io, "Failed to create initial connections", detail.to_owned())))
        };
        for error in [
            io(std::io::ErrorKind::InvalidData, "invalid peer certificate: UnknownIssuer"),
            cluster("invalid peer certificate: UnknownIssuer"),
        ] {
            assert!(matches!(error, Error::Backend(_)) && words(&error).contains("UnknownIssuer"), "{error:?}");
        }
        for error in [
            answered("WRONGPASS", "invalid username-password pair or user is disabled."),
            cluster("Password authentication failed - AuthenticationFailed"),
            refusal(&RedisError::from((ErrorKind::AuthenticationFailed, "Password authentication failed"))),
        ] {
            assert!(matches!(error, Error::Backend(_)) && words(&error).contains("password"), "{error:?}");
        }
        for error in [
            io(std::io::ErrorKind::ConnectionRefused, "Connection refused (os error 111)"),
            cluster("Connection refused (os error 111)"),
        ] {
            assert!(matches!(error, Error::Unavailable(_)) && words(&error).contains("refused"), "{error:?}");
        }
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
