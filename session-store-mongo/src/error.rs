//! From the driver's errors to ours.

use std::fmt;
use std::io;

use mongodb::error::{ErrorKind, RETRYABLE_WRITE_ERROR, WriteFailure};
use session_core::Error;

/// Why a call of a [`MongoStore`](crate::MongoStore) was refused, with a message that is fit for a log.
///
/// The driver's own text quotes the server's answer, which holds keys and addresses, and an URL that it does not understand,
/// password and all. This one says what kind of error it was and, if the server refused, with which code.
#[derive(Clone)]
pub struct MongoCause(Cause);

#[derive(Clone)]
enum Cause {
    Driver(mongodb::error::Error),
    /// The server refused with this code, in an answer that the driver does not look into.
    Code(i32),
    NoAnswer,
    Url,
    /// The cursor of a listing.
    Cursor,
}

impl MongoCause {
    /// Returns the driver's error, if it was one. Its text may hold session keys and the addresses of servers.
    pub fn driver_error(&self) -> Option<&mongodb::error::Error> {
        if let Cause::Driver(error) = &self.0 { Some(error) } else { None }
    }

    pub(crate) const fn no_answer() -> Self {
        Self(Cause::NoAnswer)
    }

    pub(crate) const fn url() -> Self {
        Self(Cause::Url)
    }

    pub(crate) const fn cursor() -> Self {
        Self(Cause::Cursor)
    }

    pub(crate) const fn code(code: i32) -> Self {
        Self(Cause::Code(code))
    }

    /// Says whether a unique index refused: the key is taken.
    pub(crate) fn is_duplicate_key(&self) -> bool {
        self.server_code() == Some(DUPLICATE_KEY)
    }

    /// Says whether the account has no right to do this.
    pub(crate) fn is_not_allowed(&self) -> bool {
        self.server_code() == Some(UNAUTHORIZED)
    }

    /// Says whether the server gave up before it wrote, as the time that it was given was over.
    pub(crate) fn has_written_nothing(&self) -> bool {
        // Not so where it waited for the majority: that is another kind of error.
        matches!(&self.0, Cause::Driver(error) if matches!(&*error.kind, ErrorKind::Command(error) if error.code == OUT_OF_TIME))
    }

    /// Says whether an index of that name or with those keys is there already, and another one.
    pub(crate) fn is_other_index(&self) -> bool {
        self.server_code().is_some_and(|code| OTHER_INDEX.contains(&code))
    }

    /// Says whether the server has written, and the majority of the set had not when the time was over.
    pub(crate) fn waits_for_majority(&self) -> bool {
        let is_concern = |kind: &ErrorKind| matches!(kind, ErrorKind::Write(WriteFailure::WriteConcernError(_)));
        matches!(&self.0, Cause::Driver(error) if is_concern(&error.kind))
    }

    /// Says whether the driver may have heard more about it.
    pub(crate) fn says_little(&self) -> bool {
        match &self.0 {
            Cause::NoAnswer => true,
            Cause::Driver(error) => matches!(&*error.kind, ErrorKind::ServerSelection { .. }),
            _ => false,
        }
    }

    /// Says whether a retry may cure it.
    fn is_outage(&self) -> bool {
        match &self.0 {
            Cause::NoAnswer => true,
            Cause::Url | Cause::Cursor => false,
            Cause::Code(code) => OUTAGES.contains(code),
            Cause::Driver(error) => match &*error.kind {
                ErrorKind::Io(error) => tls_mistake(error).is_none(),
                ErrorKind::ConnectionPoolCleared { .. }
                | ErrorKind::ServerSelection { .. }
                | ErrorKind::DnsResolve { .. }
                // A server that was given up while the call waited for it.
                | ErrorKind::Internal { .. }
                | ErrorKind::Shutdown
                // The write may have been made, but the majority has not said so.
                | ErrorKind::Write(WriteFailure::WriteConcernError(_)) => true,
                _ => {
                    error.contains_label(RETRYABLE_WRITE_ERROR)
                        || self.server_code().is_some_and(|code| OUTAGES.contains(&code))
                }
            },
        }
    }

    fn server_code(&self) -> Option<i32> {
        match &self.0 {
            Cause::Code(code) => Some(*code),
            Cause::Driver(error) => match &*error.kind {
                ErrorKind::Command(error) => Some(error.code),
                ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
                ErrorKind::Write(WriteFailure::WriteConcernError(error)) => Some(error.code),
                _ => None,
            },
            _ => None,
        }
    }
}

impl From<mongodb::error::Error> for MongoCause {
    fn from(error: mongodb::error::Error) -> Self {
        Self(Cause::Driver(error))
    }
}

impl From<MongoCause> for Error {
    fn from(cause: MongoCause) -> Self {
        if cause.is_outage() { Self::unavailable(cause) } else { Self::backend(cause) }
    }
}

impl fmt::Display for MongoCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = match &self.0 {
            Cause::Driver(error) => error,
            Cause::Code(code) => return write!(f, "the server refused with code {code}"),
            Cause::NoAnswer => return f.write_str("the server gave no answer in time"),
            Cause::Url => {
                return f.write_str(
                    "the url cannot be understood; the characters : / ? # [ ] @ % of a user or a password are written as %3A and so on",
                );
            }
            Cause::Cursor => return f.write_str("the cursor is not one"),
        };
        match &*error.kind {
            ErrorKind::Io(error) => match tls_mistake(error) {
                Some(words) => write!(f, "the connection to the server is not secure: {words}"),
                None => write!(f, "the connection to the server failed: {}", error.kind()),
            },
            ErrorKind::ConnectionPoolCleared { .. } | ErrorKind::Internal { .. } => {
                f.write_str("the connections to the server were lost")
            }
            ErrorKind::ServerSelection { .. } => f.write_str("no server is there that takes the call"),
            ErrorKind::DnsResolve { .. } => f.write_str("the server's name cannot be resolved"),
            ErrorKind::Authentication { .. } => f.write_str("the server refused the credentials"),
            ErrorKind::InvalidTlsConfig { .. } => f.write_str("the certificates or keys for TLS cannot be used"),
            ErrorKind::InvalidArgument { .. } => f.write_str("the driver does not take the options"),
            ErrorKind::IncompatibleServer { .. } => f.write_str("the server's version is not one of the driver's"),
            ErrorKind::Shutdown => f.write_str("the client has been shut down"),
            _ => match self.server_code() {
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
const UNAUTHORIZED: i32 = 13;
const OUT_OF_TIME: i32 = 50;
/// `IndexOptionsConflict` and `IndexKeySpecsConflict`.
const OTHER_INDEX: &[i32] = &[85, 86];

/// The codes of a server that has no answer now and may have one later: it is not or no longer the primary, starts or shuts
/// down, lost the others of its set, ran out of time or room, or gave up between two writers.
const OUTAGES: &[i32] = &[
    6, 7, 24, 46, 50, 63, 64, 89, 91, 100, 112, 133, 134, 149, 189, 202, 216, 262, 290, 358, 384, 9001, 10058, 10107,
    11600, 11601, 11602, 13388, 13435, 13436, 14031,
];

/// Says in words what is wrong with a connection's TLS: both sides would say the same again. The library's own words name
/// hosts.
fn tls_mistake(error: &io::Error) -> Option<&'static str> {
    const WORDS: &[(&str, &str)] = &[
        ("UnknownIssuer", "nobody known vouches for the server's certificate"),
        ("not valid for name", "the server's certificate is for another name"),
        ("xpired", "the server's certificate has expired"),
        ("invalid peer certificate", "the server's certificate is not valid"),
        ("received corrupt message", "the server does not speak TLS"),
        ("received fatal alert", "the server refused the client's certificate or version of TLS"),
        ("peer is incompatible", "there is no version of TLS that both sides speak"),
    ];
    if error.kind() != io::ErrorKind::InvalidData {
        return None;
    }
    let said = error.to_string();
    WORDS.iter().find(|(part, _)| said.contains(part)).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(error: impl Into<mongodb::error::Error>) -> Error {
        MongoCause::from(error.into()).into()
    }

    fn words(error: &Error) -> String {
        format!("{error} {error:?} {}", std::error::Error::source(error).expect("it has a cause"))
    }

    #[test]
    fn messages_hold_no_address_and_no_text_of_the_server() {
        let refused = refusal(io::Error::other("10.0.0.1:27017 said key 52b8f5"));
        assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
        assert!(!words(&refused).contains("10.0.0.1") && !words(&refused).contains("52b8"), "{}", words(&refused));
    }

    #[test]
    fn what_is_no_outage_is_the_backends_refusal() {
        assert!(matches!(refusal(mongodb::error::Error::custom("a")), Error::Backend(_)));
        assert!(matches!(Error::from(MongoCause::url()), Error::Backend(_)));
        assert!(matches!(Error::from(MongoCause::code(10107)), Error::Unavailable(_)));
        assert!(matches!(Error::from(MongoCause::code(DUPLICATE_KEY)), Error::Backend(_)));
    }

    #[test]
    fn mistakes_of_tls_are_told_and_are_no_outages() {
        let said = |text: &str| refusal(io::Error::new(io::ErrorKind::InvalidData, text.to_owned()));
        for text in ["invalid peer certificate: UnknownIssuer", "received corrupt message of type InvalidContentType"] {
            assert!(matches!(said(text), Error::Backend(_)), "{text}");
        }
        let named =
            said("invalid peer certificate: certificate not valid for name \"db.shop.example\"; it is valid for none");
        assert!(words(&named).contains("for another name") && !words(&named).contains("shop"), "{}", words(&named));
        assert!(matches!(refusal(io::Error::from(io::ErrorKind::ConnectionRefused)), Error::Unavailable(_)));
    }
}
