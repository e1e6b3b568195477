//! What can go wrong between a request and its session.

use http::{HeaderValue, Response, StatusCode, header};
use session_core::RandomnessUnavailable;

use crate::events;

/// What opening, reading, writing or committing a session refuses with.
///
/// Neither a message nor `Debug` shows an id, a cookie or a value of the session; what a value could not be read as is named
/// by its Rust type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store refused. An outage is never taken for an empty session.
    #[error("the session store failed")]
    Store(#[from] session_core::Error),
    /// Other requests changed the session each time that this one tried to write it.
    #[error("the session was changed by too many requests at once")]
    Contention,
    /// The session ended while the request was running or on its way: logged out, expired, or under another id since. What the
    /// request changed is not stored.
    #[error("the session has ended, and what the request changed is not stored")]
    Ended,
    /// The change needs a new cookie, and the response head has already been sent.
    #[error("the response has been sent, so the session's cookie cannot change any more")]
    HeadSent,
    /// The session could not be loaded, so nothing is written to it; see [`LoadFailure::Anonymous`](crate::LoadFailure::Anonymous) and
    /// [`UnreadableSession`](crate::UnreadableSession).
    #[error("the session could not be loaded and is read-only")]
    ReadOnly,
    /// The user did not prove who they are recently enough, or at all; see [`require_fresh`](crate::Session::require_fresh).
    #[error("the login is not recent enough")]
    NotFresh,
    /// The user has as many sessions as they may have; see [`SessionLimit::reject_new`](crate::SessionLimit::reject_new).
    #[error("the user has too many sessions")]
    TooManySessions,
    /// The name is not the application's: `__session`, `__login` and `__max_age`, and under the rules of other programs more.
    #[error("the name belongs to the session itself")]
    ReservedName,
    /// What was given is no id of a user, which is 1 to 255 bytes of text without control characters; see [`OwnerId`](session_core::OwnerId).
    #[error("this cannot be the id of a user")]
    InvalidOwner(#[source] session_core::BoxError),
    /// The path of the request is not one that the session's cookie is sent to.
    #[error("there is no session on this path")]
    OutsidePath,
    /// No session layer is around the handler: add it to the router, after the routes that need it.
    #[error("no session layer is around the handler: add it to the router, after the routes that need it")]
    MissingLayer,
    /// A value is stored under this name, and it is of another type; see [`get_or_reset`](crate::Session::get_or_reset).
    #[error("a session value cannot be read as {expected}")]
    UnreadableValue {
        /// The Rust type that was asked for.
        expected: &'static str,
    },
    /// The value cannot be written as JSON, for instance a map whose keys are not strings.
    #[error("a value of type {given} cannot be written as JSON")]
    UnwritableValue {
        /// The Rust type that was given.
        given: &'static str,
    },
    /// The application's own generator gave no id, or one that the cookie's format cannot carry.
    #[error("no session id was given")]
    NewId(#[source] session_core::BoxError),
    /// No new id could be made.
    #[error("no session id could be made")]
    Randomness(#[from] RandomnessUnavailable),
}

impl Error {
    /// How long a client is asked to wait before it tries again, in seconds.
    const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

    /// Returns the status that tells the client: 503 for what may be cured by waiting, 409 for what met another request of the
    /// session, 400 for what cannot be a user, 403 for what the user may not, 500 for what the program did wrong.
    ///
    /// `TooLarge` and values of the wrong type are the program's; everything else that a store refuses is an outage.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Store(session_core::Error::TooLarge { .. })
            | Self::MissingLayer
            | Self::HeadSent
            | Self::OutsidePath
            | Self::ReservedName
            | Self::UnreadableValue { .. }
            | Self::UnwritableValue { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Self::InvalidOwner(_) => StatusCode::BAD_REQUEST,
            Self::Ended => StatusCode::CONFLICT,
            Self::NotFresh | Self::TooManySessions => StatusCode::FORBIDDEN,
            Self::Store(_) | Self::ReadOnly | Self::Contention | Self::Randomness(_) | Self::NewId(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// Makes the response that tells the client: an empty body, `Cache-Control: no-store`, and with a 503 a `Retry-After`. For a
    /// mistake of the program an event says what it is, as the client is told nothing.
    ///
    /// It never sets a cookie. The layer around the application puts the `Retry-After` of its
    /// [policy](crate::FailurePolicy::with_retry_after) in place of the five seconds that this says.
    pub fn to_response<B: Default>(&self) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = self.status();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, Self::RETRY_AFTER);
            response.extensions_mut().insert(Outage);
        }
        if self.status() == StatusCode::INTERNAL_SERVER_ERROR {
            events::mistake(self);
        }
        response
    }
}

/// A mark on the response to an outage, whose `Retry-After` the policy decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outage;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_asks_to_try_again_and_a_mistake_does_not() {
        let outage: Response<()> = Error::Store(session_core::Error::unavailable("refused")).to_response();
        assert_eq!(outage.status(), 503);
        assert!(outage.headers().contains_key("retry-after"));
        let mistake: Response<()> = Error::UnreadableValue { expected: "u32" }.to_response();
        assert_eq!(mistake.status(), 500);
        assert!(!mistake.headers().contains_key("retry-after"));
    }
}
