//! The user behind a session: login, proof, and their other sessions.

use std::pin::pin;
use std::time::Duration;

use session_core::{BoxError, OwnerId, SessionInfo, SessionKey, Timestamp};

use crate::events::{self, Reason};
use crate::recent::Became;
use crate::rules::Note;
use crate::work::Owner;
use crate::{Error, Session};

impl Session {
    /// The most sessions that [`sessions`](Session::sessions) lists.
    pub const MOST_LISTED: usize = 1000;

    /// Returns the user that the session belongs to, also when the login is of this request; `None` for anonymous sessions.
    pub fn owner(&self) -> Option<OwnerId> {
        self.0.with_state(|state| state.owner())
    }

    /// Makes the session this user's, under a new id (S11). The old id is dead when the response is sent.
    ///
    /// What an anonymous visitor had in the session stays. A session that belonged to another user ends, with its data, and a
    /// new one begins, also if that login was of this request. A login that is sent twice, or once more as its answer was lost, goes on with the session of the first one. If the
    /// session was logged out by another request meanwhile, so is this login, and the response is a 409.
    ///
    /// ```
    /// # fn example(session: &session_http::Session) -> Result<(), session_http::Error> {
    /// // The password was checked.
    /// session.login("ada")?;
    /// session.login(17_u64)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOwner`] for what cannot be a user's id, which is 1 to 255 bytes of text without control characters, [`Error::HeadSent`] after the response.
    pub fn login<O>(&self, owner: O) -> Result<(), Error>
    where
        O: TryInto<OwnerId>,
        O::Error: Into<BoxError>,
    {
        let owner = owner.try_into().map_err(|refused| Error::InvalidOwner(refused.into()))?;
        let now = self.0.sessions.now();
        if self.0.progress.is_answered() {
            return Err(Error::HeadSent);
        }
        self.0.with_visit(|state, visit| {
            let was_another = state.login(owner, now);
            if let Some(visit) = visit {
                if was_another {
                    visit.note(Note::Ended(Reason::AnotherUser));
                }
                visit.note(Note::Rotated);
            }
        });
        Ok(())
    }

    /// Makes the session anonymous, under a new id, and keeps its values; without any it ends. Whoever logs in next has these values: where they are
    /// the user's own, [`logout`](Session::logout) is meant.
    pub fn forget_owner(&self) {
        self.0.with_state(|state| {
            if state.owner().is_some() {
                state.work.owner = Some(Owner::Forgotten);
                state.work.proof = None;
            }
        });
        self.rotate();
    }

    /// Returns when the user last proved who they are, by [`login`](Session::login) or [`reauthenticate`](Session::reauthenticate), also if
    /// that was in this request; `None` for anonymous sessions, and for those whose login did not note it.
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        let login = self.0.with_state(|state| state.owner().and(state.meta().login));
        login.map(|login| login.proved_at)
    }

    /// Demands that the user proved who they are within this time, before they may do what somebody at an unlocked screen must not: change
    /// the password, pay, end other sessions. Ask for the password otherwise, and then call [`reauthenticate`](Session::reauthenticate).
    ///
    /// ```
    /// # fn example(session: &session_http::Session) -> Result<(), session_http::Error> {
    /// session.require_fresh(std::time::Duration::from_secs(5 * 60))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFresh`], a 403: they did not, nobody is logged in, or the clock was set back since by more than a minute.
    pub fn require_fresh(&self, within: Duration) -> Result<(), Error> {
        /// How much the clocks of two servers may differ.
        const SKEW: Duration = Duration::from_secs(60);
        let proved_at = self.authenticated_at().ok_or(Error::NotFresh)?;
        let now = self.0.sessions.now();
        let is_fresh = now <= proved_at.saturating_add(within) && proved_at <= now.saturating_add(SKEW);
        if is_fresh { Ok(()) } else { Err(Error::NotFresh) }
    }

    /// Notes that the user has just proved again who they are, and gives the session a new id (S11). An anonymous session only
    /// gets the new id.
    pub fn reauthenticate(&self) {
        let now = self.0.sessions.now();
        self.0.with_state(|state| {
            if state.owner().is_some() {
                state.work.proof = Some(now);
            }
        });
        self.rotate();
    }

    /// Lists the live sessions of the user whose session this is, [`MOST_LISTED`](Session::MOST_LISTED) at most; none for an anonymous one. The
    /// one whose key is [`key`](Session::key) is this one, once it is stored.
    ///
    /// ```
    /// # async fn example(session: &session_http::Session) -> Result<(), session_http::Error> {
    /// let own = session.key();
    /// for device in session.sessions().await? {
    ///     let mark = if Some(&device.key) == own.as_ref() { "this device" } else { "" };
    ///     println!("{} since {} {mark}", device.key, device.created_at);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Store`]: an outage is an error like every other.
    pub async fn sessions(&self) -> Result<Vec<SessionInfo>, Error> {
        let Some(owner) = self.owner() else { return self.without_owner().map(|()| Vec::new()) };
        let sessions = &self.0.sessions;
        sessions.in_time(pin!(sessions.list(&owner, Self::MOST_LISTED))).await
    }

    /// Ends one session of the user whose session this is, at once, and says whether it was there. This one ends as by
    /// [`logout`](Session::logout), when the response is ready.
    ///
    /// The key may come from a form: a session of somebody else is left alone, and `false`.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]
    pub async fn end_session(&self, key: &SessionKey) -> Result<bool, Error> {
        let Some(owner) = self.owner() else { return self.without_owner().map(|()| false) };
        if self.key().as_ref() == Some(key) {
            self.logout();
            return Ok(true);
        }
        let sessions = &self.0.sessions;
        let ending = pin!(async {
            let is_own = match sessions.store().load(key).await {
                Ok(loaded) => loaded.is_some_and(|(record, _)| record.owner.as_ref() == Some(&owner)),
                // It cannot be read, and is ended all the same if the index says whose it is.
                Err(session_core::Error::Corrupt(_)) => {
                    sessions.list(&owner, Self::MOST_LISTED).await?.iter().any(|info| info.key == *key)
                }
                Err(error) => return Err(error.into()),
            };
            Ok(is_own && sessions.end_one(key, Reason::EndedByOwner).await?)
        });
        sessions.in_time(ending).await
    }

    /// Refuses if nobody knows whether the session has an owner, as it could not be loaded.
    fn without_owner(&self) -> Result<(), Error> {
        if self.is_read_only() { Err(Error::ReadOnly) } else { Ok(()) }
    }

    /// Ends all other sessions of the user whose session this is, at once, and returns how many that were; for after a change of the
    /// password, and for "log out everywhere else". For an anonymous session it does nothing.
    ///
    /// This session gets a new id first, and is stored with all that the request changed so far: who shares the old id is out too. So after it
    /// nobody but this browser has a session of the user.
    ///
    /// ```
    /// # async fn example(session: &session_http::Session) -> Result<(), session_http::Error> {
    /// // The old password was right, and the new one is stored.
    /// session.reauthenticate();
    /// let ended = session.end_other_sessions().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Ended`] if somebody else was faster, who may have a session now: nothing was ended, and the user logs in again; also where what the
    /// browser presents has expired, or is two sessions. [`Error::ReadOnly`] where it could not be loaded.
    /// [`Error::HeadSent`] after the response, [`Error::Store`].
    #[doc(alias("revoke", "invalidate"))]
    pub async fn end_other_sessions(&self) -> Result<u64, Error> {
        let Some(owner) = self.owner() else {
            let is_unclear = self.has_expired() || self.0.with_state(|state| state.is_several);
            return self.without_owner().and(if is_unclear { Err(Error::Ended) } else { Ok(0) });
        };
        self.rotate();
        self.save().await?;
        let sessions = &self.0.sessions;
        let ending = pin!(async {
            // Nobody changes this session's id meanwhile.
            let _turn = self.0.turn.take().await;
            let own = self.key().ok_or(Error::Ended)?;
            let mut others = sessions.list(&owner, Self::MOST_LISTED).await?;
            others.retain(|other| other.key != own);
            let now = sessions.now();
            // Requests with their ids are on their way.
            others.iter().for_each(|other| sessions.recent.ask(&other.key, false, now));
            let ended = sessions.store().delete_owned(&owner, Some(&own)).await?;
            for other in &others {
                sessions.recent.note(&other.key, Became::Ended, now);
                events::destroyed(&other.key, Reason::EndedByOwner);
            }
            let listed = others.len() as u64;
            if ended > listed {
                events::destroyed_more(ended - listed, Reason::EndedByOwner);
            }
            Ok(ended)
        });
        sessions.in_time(ending).await
    }
}
