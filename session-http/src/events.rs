//! The life-cycle events (S20). Their fields are session keys, reasons and counts; never an id, a cookie, a secret or a value.

use std::fmt;

use session_core::SessionKey;

use crate::Error;

/// The target of all events, whatever module they come from.
const TARGET: &str = "session_http";

/// Why a stored session was ended by a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Logout,
    Regenerated,
    AnotherUser,
    Emptied,
    Unset,
    EndedByOwner,
    TooMany,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Logout => "logout",
            Self::Regenerated => "regenerated",
            Self::AnotherUser => "another user logged in",
            Self::Emptied => "emptied",
            Self::Unset => "unset",
            Self::EndedByOwner => "ended from another session of the user",
            Self::TooMany => "more sessions than the limit",
        })
    }
}

pub(crate) fn created(key: &SessionKey) {
    tracing::info!(target: TARGET, %key, "session created");
}

pub(crate) fn rotated(old: &SessionKey, key: &SessionKey) {
    tracing::info!(target: TARGET, %old, %key, "session rotated");
}

pub(crate) fn destroyed(key: &SessionKey, reason: Reason) {
    tracing::info!(target: TARGET, %key, %reason, "session destroyed");
}

/// The store does not tell an expired session from one that never was.
pub(crate) fn unknown_id(key: &SessionKey) {
    tracing::info!(target: TARGET, %key, "session expired or unknown");
}

pub(crate) fn bad_signature() {
    tracing::warn!(target: TARGET, "session id refused: bad signature");
}

pub(crate) fn invalid_cookie() {
    tracing::warn!(target: TARGET, "session cookie not set: an attribute is not valid");
}

pub(crate) fn presented_twice() {
    tracing::warn!(target: TARGET, "session id refused: sent more than once");
}

pub(crate) fn conflict_merged(key: &SessionKey, conflicts: u32) {
    tracing::debug!(target: TARGET, %key, conflicts, "session changes merged with those of other requests");
}

pub(crate) fn gone_at_commit(key: &SessionKey) {
    tracing::warn!(target: TARGET, %key, "session gone at commit: its changes are dropped");
}

pub(crate) fn not_committed() {
    tracing::warn!(target: TARGET, "session changes dropped: nothing committed them");
}

pub(crate) fn limit_not_kept(error: &Error) {
    failed(error, "sessions over the limit not ended");
}

pub(crate) fn load_failed(error: &Error) {
    failed(error, "session not loaded");
}

pub(crate) fn commit_failed(error: &Error) {
    failed(error, "session not committed");
}

/// The causes of an outage are shown, for whoever has to end it. The cause of `Corrupt` may quote what is stored, so it is not.
fn failed(error: &Error, what: &'static str) {
    use session_core::Error::{Backend, Unavailable};
    let message: &dyn fmt::Display = match error {
        Error::Store(store) => store,
        other => other,
    };
    match error {
        Error::Store(Unavailable(cause) | Backend(cause)) => {
            let cause: &(dyn std::error::Error + 'static) = &**cause;
            tracing::error!(target: TARGET, error = %message, cause, "{what}");
        }
        _ => tracing::error!(target: TARGET, error = %message, "{what}"),
    }
}
