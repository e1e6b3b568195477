//! The session of a user who proved a moment ago who they are.

use std::ops::Deref;
use std::time::Duration;

use crate::{Error, Session};

/// The session of a user who proved who they are within this number of seconds: an extractor for what somebody at an unlocked screen must
/// not do.
///
/// Without such a login the handler does not run, and the response is a 403; `Result<Fresh<300>, Error>` lets it ask for
/// the password instead.
///
/// ```
/// use session_http::{Error, Fresh};
///
/// async fn change_password(session: Fresh<{ 5 * 60 }>) -> Result<&'static str, Error> {
///     session.end_other_sessions().await?;
///     Ok("changed")
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Fresh<const SECONDS: u64>(Session);

impl<const SECONDS: u64> Fresh<SECONDS> {
    /// Takes a session whose user has just proved it.
    ///
    /// # Errors
    ///
    /// As [`Session::require_fresh`].
    pub fn of(session: Session) -> Result<Self, Error> {
        session.require_fresh(Duration::from_secs(SECONDS))?;
        Ok(Self(session))
    }

    /// Returns the session without the wrapper.
    pub fn into_inner(self) -> Session {
        self.0
    }
}

impl<const SECONDS: u64> Deref for Fresh<SECONDS> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}
