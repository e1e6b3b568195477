//! The sessions of the user whose session this is: "your devices".

use std::pin::pin;

use session_core::{SessionInfo, SessionKey};

use crate::events::{self, Reason};
use crate::limit::list;
use crate::{Error, Session};

impl Session {
    /// The most sessions that [`sessions`](Session::sessions) lists.
    pub const MOST_LISTED: usize = 1000;

    /// Lists the live sessions of the user whose session this is; none for an anonymous one. The one whose key is
    /// [`key`](Session::key) is this one, once it is stored.
    ///
    /// It needs an [index](crate::SessionConfig::with_index), and is [`Error::NoIndex`] without. An outage is an error like every other.
    pub async fn sessions(&self) -> Result<Vec<SessionInfo>, Error> {
        let index = self.0.config.index()?;
        let Some(owner) = self.owner() else { return Ok(Vec::new()) };
        let listing = pin!(list(index, &owner, Self::MOST_LISTED));
        self.0.config.in_time(listing).await
    }

    /// Ends one session of the user whose session this is, at once, and says whether it was there. This one ends as by
    /// [`logout`](Session::logout), when the response is ready.
    ///
    /// The key may come from a form: a session of somebody else is left alone, and `false`.
    pub async fn end_session(&self, key: &SessionKey) -> Result<bool, Error> {
        let Some(owner) = self.owner() else { return Ok(false) };
        if self.key().as_ref() == Some(key) {
            self.logout();
            return Ok(true);
        }
        let store = &self.0.config.store;
        let ending = pin!(async {
            let Some((record, _)) = store.load(key).await? else { return Ok(false) };
            if record.owner != Some(owner) {
                return Ok(false);
            }
            self.0.config.remember_departed(key);
            let was_live = store.delete(key).await?;
            if was_live {
                self.0.config.keep_departed(key);
                events::destroyed(key, Reason::EndedByOwner);
            }
            Ok(was_live)
        });
        self.0.config.in_time(ending).await
    }

    /// Ends all other sessions of the user whose session this is, at once, and returns how many that were; for after a change of the
    /// password, and for "log out everywhere else". For an anonymous session it does nothing.
    ///
    /// It needs an [index](crate::SessionConfig::with_index), and is [`Error::NoIndex`] without.
    pub async fn end_other_sessions(&self) -> Result<u64, Error> {
        let index = self.0.config.index()?;
        let ending = pin!(async {
            // Nobody changes this session's id meanwhile.
            let _taken = self.0.turn.take().await;
            let (Some(owner), own) = (self.owner(), self.key()) else { return Ok(0) };
            let mut others = list(index, &owner, Self::MOST_LISTED).await?;
            others.retain(|other| own.as_ref() != Some(&other.key));
            // Requests with their ids are on their way.
            others.iter().for_each(|other| self.0.config.remember_departed(&other.key));
            let ended = index.delete_owned(&owner, own.as_ref()).await?;
            for other in &others {
                self.0.config.keep_departed(&other.key);
                events::destroyed(&other.key, Reason::EndedByOwner);
            }
            Ok(ended)
        });
        self.0.config.in_time(ending).await
    }
}
