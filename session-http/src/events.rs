//! The life-cycle events and spans (S20), each event with its counter. Their fields are session keys, reasons and counts; never an id, a cookie, a secret or a value.

use std::fmt;

use session_core::SessionKey;
use tracing::{Span, field};

use crate::Error;
use crate::counters::{count, count_for, count_many_for};

/// The target of all events, whatever module they come from.
const TARGET: &str = "session_http";

/// Why a stored session was ended by a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The user logged out.
    Logout,
    /// A handler began another one in its place.
    Regenerated,
    /// Another user logged in.
    AnotherUser,
    /// Its last value was removed.
    Emptied,
    /// A handler unset it, and the rules say that this ends it.
    Unset,
    /// It was ended from another session of its user.
    EndedByOwner,
    /// Its user has more than they may.
    TooMany,
    /// It is older than today's policy lets a session get.
    TooOld,
    /// The browser presented it beside the one that was ended or logged in.
    Beside,
    /// Nobody could be told its id.
    Unreachable,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Regenerated => "regenerated",
            Self::AnotherUser => "another user logged in",
            Self::Emptied => "emptied",
            Self::Unset => "unset",
            Self::EndedByOwner => "ended from another session of the user",
            Self::TooMany => "more sessions than the limit",
            Self::TooOld => "older than the policy allows",
            Self::Beside => "presented beside another one",
            Self::Unreachable => "nobody was told its id",
        }
    }
}

/// Around the call that loads a session.
pub(crate) fn loading(key: &SessionKey) -> Span {
    tracing::debug_span!(target: TARGET, "session load", %key)
}

/// Around the calls that store one; it has no key if it is not stored yet.
pub(crate) fn storing(key: Option<&SessionKey>) -> Span {
    tracing::debug_span!(target: TARGET, "session commit", key = key.map(field::display))
}

pub(crate) fn loaded(key: &SessionKey) {
    tracing::debug!(target: TARGET, %key, "session loaded");
    count("session_loaded_total");
}

pub(crate) fn created(key: &SessionKey) {
    tracing::info!(target: TARGET, %key, "session created");
    count("session_created_total");
}

pub(crate) fn updated(key: &SessionKey) {
    tracing::debug!(target: TARGET, %key, "session updated");
    count("session_updated_total");
}

pub(crate) fn extended(key: &SessionKey) {
    tracing::debug!(target: TARGET, %key, "session extended");
    count("session_extended_total");
}

pub(crate) fn rotated(old: &SessionKey, key: &SessionKey) {
    tracing::info!(target: TARGET, %old, %key, "session rotated");
    count("session_rotated_total");
}

/// Who it was is the application's to say: a user's id may be a name.
pub(crate) fn logged_in(key: &SessionKey) {
    tracing::info!(target: TARGET, %key, "session logged in");
    count("session_login_total");
}

pub(crate) fn destroyed(key: &SessionKey, reason: Reason) {
    tracing::info!(target: TARGET, %key, reason = %reason.as_str(), "session destroyed");
    count_for("session_destroyed_total", reason.as_str());
}

/// Ends that the store counted and did not name.
pub(crate) fn destroyed_more(many: u64, reason: Reason) {
    tracing::info!(target: TARGET, many, reason = %reason.as_str(), "sessions destroyed");
    count_many_for("session_destroyed_total", reason.as_str(), many);
}

/// The store does not tell an expired session from one that never was.
pub(crate) fn unknown_id(key: &SessionKey) {
    tracing::info!(target: TARGET, %key, "session expired or unknown");
    count("session_unknown_total");
}

/// For rules of other programs too.
pub fn bad_signature() {
    tracing::warn!(target: TARGET, "session id refused: bad signature");
    count_for("session_refused_total", "bad signature");
}

pub(crate) fn presented_several() {
    tracing::warn!(target: TARGET, "session id refused: two live sessions were presented");
    count_for("session_refused_total", "two live sessions");
}

/// For rules whose cookie need not be valid.
pub fn invalid_cookie() {
    tracing::warn!(target: TARGET, "session cookie not set: an attribute is not valid");
}

pub(crate) fn conflict() {
    count("session_conflict_total");
}

pub(crate) fn conflict_merged(key: &SessionKey, conflicts: u32) {
    tracing::debug!(target: TARGET, %key, conflicts, "session changes merged with those of other requests");
}

/// A login, or a logout, went on with what the presented id became.
pub(crate) fn followed(old: &SessionKey, key: &SessionKey) {
    tracing::info!(target: TARGET, %old, %key, "session followed from an id that was rotated a moment ago");
    count("session_followed_total");
}

pub(crate) fn gone_at_commit(key: &SessionKey) {
    tracing::warn!(target: TARGET, %key, "session gone at commit: its changes are dropped");
    count("session_gone_total");
}

pub(crate) fn not_committed() {
    tracing::warn!(target: TARGET, "session changes dropped: nothing committed them");
    count("session_dropped_total");
}

/// The policy is to go on without it.
pub(crate) fn read_only(key: &SessionKey) {
    tracing::warn!(target: TARGET, %key, "session not loaded: the request goes on without it, read-only");
    count("session_read_only_total");
}

pub(crate) fn limit_not_kept(error: &Error) {
    failed(error, "sessions over the limit not ended");
    count_for("session_failed_total", "limit");
}

pub(crate) fn load_failed(error: &Error) {
    failed(error, "session not loaded");
    count_for("session_failed_total", "load");
}

pub(crate) fn commit_failed(error: &Error) {
    failed(error, "session not committed");
    count_for("session_failed_total", "commit");
}

/// What the program did wrong; the client is told nothing of it.
pub(crate) fn mistake(error: &Error) {
    tracing::error!(target: TARGET, error = %error, "session used wrongly");
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
