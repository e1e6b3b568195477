//! When a user logged in, and when they last proved who they are.

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use session_core::{Data, Timestamp};

use crate::draft::{Draft, Found, LOGIN, write};
use crate::{Error, Session};

/// What is kept with the session of a user, as two numbers of milliseconds. The session's `created_at` is no help: it is that of the
/// anonymous visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Login {
    /// When the session became this user's. It stays, and is what a limit of sessions goes by.
    pub(crate) at: Timestamp,
    /// When they last proved who they are.
    pub(crate) authenticated_at: Timestamp,
}

impl Session {
    /// Returns when the user last proved who they are, by [`login`](Session::login) or [`reauthenticate`](Session::reauthenticate), also if
    /// that was in this request; `None` for anonymous sessions, and for those whose login did not note it.
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        let found = {
            let state = self.0.state();
            state.owner()?;
            state.draft.find_own(LOGIN)
        };
        Some(Login::of(&found)?.authenticated_at)
    }

    /// Demands that the user proved who they are within this time, before they may do what somebody at an unlocked screen must not: change
    /// the password, pay, end other sessions.
    ///
    /// [`Error::NotFresh`] says that they did not, or that nobody is logged in; it becomes a 403. Ask for the password, and then
    /// call [`reauthenticate`](Session::reauthenticate).
    ///
    /// ```
    /// # fn example(session: &session_http::Session) -> Result<(), session_http::Error> {
    /// session.require_fresh(std::time::Duration::from_secs(5 * 60))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn require_fresh(&self, within: Duration) -> Result<(), Error> {
        let authenticated_at = self.authenticated_at().ok_or(Error::NotFresh)?;
        let is_fresh = self.0.config.now() <= authenticated_at.saturating_add(within);
        if is_fresh { Ok(()) } else { Err(Error::NotFresh) }
    }

    /// Notes that the user has just proved again who they are, and gives the session a new id (S11). An anonymous session only
    /// gets the new id.
    pub fn reauthenticate(&self) {
        let now = self.0.config.now();
        {
            let mut state = self.0.state();
            if state.owner().is_some() {
                let at = state.draft.login().map_or(now, |login| login.at);
                state.put(LOGIN, Login { at, authenticated_at: now }.to_value());
            }
        }
        self.rotate();
    }
}

impl Login {
    pub(crate) fn of_data(data: &Data) -> Option<Self> {
        // Data that does not mention it is not parsed.
        data.as_str().contains(LOGIN).then(|| data.raw(LOGIN)).flatten().and_then(Self::read)
    }

    fn of(found: &Found) -> Option<Self> {
        found.raw(LOGIN).and_then(Self::read)
    }

    fn read(value: &RawValue) -> Option<Self> {
        let [at, authenticated_at] = serde_json::from_str::<[i64; 2]>(value.get()).ok()?;
        let moment = |millis| Timestamp::from_unix_millis(millis).ok();
        Some(Self { at: moment(at)?, authenticated_at: moment(authenticated_at)? })
    }

    /// Two numbers are JSON, so it is never `None`.
    pub(crate) fn to_value(self) -> Option<Arc<RawValue>> {
        write(&[self.at.unix_millis(), self.authenticated_at.unix_millis()]).ok()
    }
}

impl Draft {
    pub(crate) fn login(&self) -> Option<Login> {
        Login::of(&self.find_own(LOGIN))
    }
}
