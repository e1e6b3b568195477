//! What a client gets when the store fails.

use std::time::Duration;

use http::StatusCode;

use crate::Error;
use crate::work::Work;

/// What a client gets when the store cannot be reached, or does not answer in [time](crate::SessionConfig::with_store_timeout).
///
/// The default is loud: a request that needs its session is answered 503 with `Retry-After`, whether the session could not be
/// loaded, stored or ended. Whatever is chosen, an outage ends no session, and nothing is ever written over one
/// that could not be loaded. A login and any other change of the id that could not be stored is always a 503.
///
/// ```
/// use session_http::{FailurePolicy, LoadFailure};
/// use std::time::Duration;
///
/// // Pages are shown as to a visitor while the store is away.
/// let policy = FailurePolicy::default().with_load(LoadFailure::Anonymous).with_retry_after(Duration::from_secs(30));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct FailurePolicy {
    pub(crate) load: LoadFailure,
    pub(crate) commit: CommitFailure,
    pub(crate) logout: LogoutFailure,
    pub(crate) retry_after: Duration,
    pub(crate) unreadable: UnreadableSession,
    pub(crate) server_errors: ServerErrors,
}

/// What a handler gets when the session that the request presents cannot be loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadFailure {
    /// An error, which becomes a 503.
    #[default]
    Refuse,
    /// An empty, anonymous session that is [read-only](crate::Session::is_read_only): what is set on it is never stored, also if
    /// the store is back by then, and the client keeps its id. A logout still tries to end the session that was presented.
    Anonymous,
}

/// What a client gets when the session's values or its new expiry cannot be stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitFailure {
    /// A 503 in place of the application's response.
    #[default]
    Refuse,
    /// The application's response. What the request changed is lost, and an event says so.
    Deliver,
}

/// What a client gets when a session cannot be ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutFailure {
    /// A 503 in place of the application's response: the user knows, and can try again.
    #[default]
    Refuse,
    /// The application's response, and the client forgets the id. The session lives on in the store until it expires, for
    /// whoever else has the id; an event says so.
    Forget,
}

/// What becomes of a stored session that cannot be read ([`Corrupt`](session_core::Error::Corrupt)): it was damaged, or a newer version of
/// the application wrote it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnreadableSession {
    /// It stays, and whoever presents it looks anonymous, with a session that is [read-only](crate::Session::is_read_only). A login begins
    /// a new one and a logout ends it, so that its user can help himself.
    #[default]
    LoginAndLogout,
    /// It is a failure of the store, and a 503, until it expires or is deleted.
    Refuse,
    /// It stays until it expires, and whoever presents it begins a new one when something is set.
    BeginAnew,
}

/// Whether a response with a status of 500 and more stores its session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerErrors {
    /// It is a response like any other.
    #[default]
    Store,
    /// What the request changed is forgotten, but for what was saved; the session is not extended either.
    Discard,
}

impl FailurePolicy {
    /// Sets what a handler gets when the session cannot be loaded; an error otherwise.
    pub fn with_load(mut self, load: LoadFailure) -> Self {
        self.load = load;
        self
    }

    /// Sets what a client gets when its session cannot be stored; a 503 otherwise.
    pub fn with_commit(mut self, commit: CommitFailure) -> Self {
        self.commit = commit;
        self
    }

    /// Sets what a client gets when its session cannot be ended; a 503 otherwise.
    pub fn with_logout(mut self, logout: LogoutFailure) -> Self {
        self.logout = logout;
        self
    }

    /// Sets how long clients are asked to wait before they try again, in whole seconds; five otherwise.
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// Sets what becomes of a stored session that cannot be read; its browser can log in and out otherwise, and nothing else.
    pub fn with_unreadable(mut self, unreadable: UnreadableSession) -> Self {
        self.unreadable = unreadable;
        self
    }

    /// Sets whether a response with a status of 500 and more stores its session; it does otherwise.
    pub fn with_server_errors(mut self, server_errors: ServerErrors) -> Self {
        self.server_errors = server_errors;
        self
    }

    /// Says whether the application's response is sent although this commit failed, and whether the client forgets its id then.
    pub(crate) fn delivers(self, work: &Work, error: &Error) -> Option<bool> {
        let is_outage = error.status() == StatusCode::SERVICE_UNAVAILABLE;
        if !is_outage || work.owner.is_some() || work.rotates {
            return None;
        }
        if work.ends.is_empty() {
            return (self.commit == CommitFailure::Deliver).then_some(false);
        }
        (self.logout == LogoutFailure::Forget).then_some(true)
    }
}

impl Default for FailurePolicy {
    fn default() -> Self {
        Self {
            load: LoadFailure::Refuse,
            commit: CommitFailure::Refuse,
            logout: LogoutFailure::Refuse,
            retry_after: Duration::from_secs(5),
            unreadable: UnreadableSession::LoginAndLogout,
            server_errors: ServerErrors::Store,
        }
    }
}
