//! How many sessions a user may have at once.

use std::cmp::Reverse;
use std::pin::pin;

use session_core::{Listing, OwnerId, Page, Scope, SessionIndex, SessionInfo, SessionKey, Timestamp};

use crate::Error;
use crate::draft::LOGIN;
use crate::events::{self, Reason};
use crate::login::Login;
use crate::plan::Plan;
use crate::shared::Shared;
use crate::state::{CookieOrder, Line, Stored};

/// How many sessions a user may have at once, and which give way when there are more.
///
/// The sessions of a user are in the order in which they were logged in, by the time and then by the key. Each login, when it has been
/// stored, ends all but the first or the last so many of that order. Who belongs to these in the end belongs to them
/// in all that any login can see, so no number of logins at once ends one of them, and the login that looks last ends all
/// others; no lock is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimit {
    most: usize,
    excess: Excess,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Excess {
    EndOldest,
    RejectNew,
}

/// A session of the user whose login is being stored.
struct Other {
    key: SessionKey,
    /// When it was logged in.
    at: Timestamp,
}

impl SessionLimit {
    /// Ends the sessions that were logged in first, so that at most this many are left; 0 is taken for 1.
    #[must_use]
    pub fn end_oldest(most: u32) -> Self {
        Self::new(most, Excess::EndOldest)
    }

    /// Refuses the login when there are this many, with [`Error::TooManySessions`]; 0 is taken for 1.
    ///
    /// Of logins at the same moment one may have been told that it succeeded and then give way to an earlier one.
    #[must_use]
    pub fn reject_new(most: u32) -> Self {
        Self::new(most, Excess::RejectNew)
    }

    fn new(most: u32, excess: Excess) -> Self {
        Self { most: usize::try_from(most.max(1)).unwrap_or(usize::MAX), excess }
    }

    /// Removes and returns those that have to go.
    fn excess(self, others: &mut Vec<Other>) -> Vec<Other> {
        match self.excess {
            Excess::EndOldest => others.sort_by(|one, two| Reverse(one.place()).cmp(&Reverse(two.place()))),
            Excess::RejectNew => others.sort_by(|one, two| one.place().cmp(&two.place())),
        }
        others.split_off(self.most.min(others.len()))
    }
}

impl Other {
    fn place(&self) -> (Timestamp, &str) {
        (self.at, self.key.as_str())
    }
}

impl Shared {
    /// Before a login is stored: refuses it if there is no room, and dates it after all others, whatever the clocks say.
    pub(crate) async fn make_room(&self, plan: &mut Plan) -> Result<(), Error> {
        let (Some((index, limit)), Some(owner)) = (self.config.limit(), plan.wishes.owner.clone()) else {
            return Ok(());
        };
        match &plan.line {
            // It is one of them already.
            Line::Stored(stored) if stored.record.owner.as_ref() == Some(&owner) => return Ok(()),
            // It is going to be refused.
            Line::Unloaded(_) => return Ok(()),
            Line::New | Line::Stored(_) | Line::Gone(_) => {}
        }
        let others = others(index, &owner).await?;
        if limit.excess == Excess::RejectNew && others.len() >= limit.most {
            return Err(Error::TooManySessions);
        }
        let Some(login) = plan.draft.login() else { return Ok(()) };
        let after = others.iter().map(|other| other.at.saturating_add(std::time::Duration::from_millis(1))).max();
        let at = after.map_or(login.at, |after| after.max(login.at));
        if at != login.at {
            let value = Login { at, ..login }.to_value();
            plan.log.amend(LOGIN, &value);
            plan.draft.put(&LOGIN.into(), value);
        }
        plan.is_new_login = true;
        Ok(())
    }

    /// After a login was stored: ends the sessions that are too many. A failure is told by an event: the login stands, and the next one
    /// ends them.
    pub(crate) async fn keep_limit(&self) -> Result<(), Error> {
        let own = {
            let mut state = self.state();
            if !std::mem::take(&mut state.is_limit_due) {
                return Ok(());
            }
            match &state.line {
                Line::Stored(Stored { key, record, .. }) => record.owner.clone().map(|owner| (key.clone(), owner)),
                Line::New | Line::Gone(_) | Line::Unloaded(_) => None,
            }
        };
        let (Some((index, limit)), Some((key, owner))) = (self.config.limit(), own) else { return Ok(()) };
        let ended = self.config.in_time(pin!(self.end_excess(index, limit, &owner, &key))).await;
        match ended {
            Ok(true) => Ok(()),
            Ok(false) => {
                // Logins of the same moment took its place.
                let mut state = self.state();
                state.line = Line::Gone(key);
                state.order(CookieOrder::LeaveAlone);
                if limit.excess == Excess::RejectNew { Err(Error::TooManySessions) } else { Ok(()) }
            }
            Err(error) => {
                events::limit_not_kept(&error);
                Ok(())
            }
        }
    }

    /// Says whether this session is one of those that stay.
    async fn end_excess(
        &self,
        index: &dyn SessionIndex,
        limit: SessionLimit,
        owner: &OwnerId,
        own: &SessionKey,
    ) -> Result<bool, Error> {
        /// A session whose id changes between the look and its end is missed; a second look finds it.
        const LOOKS: u32 = 3;
        let mut stays = true;
        for _ in 0..LOOKS {
            let mut is_missed = false;
            for Other { key, .. } in limit.excess(&mut others(index, owner).await?) {
                self.config.remember_departed(&key);
                stays &= key != *own;
                if index.delete(&key).await? {
                    self.config.keep_departed(&key);
                    events::destroyed(&key, Reason::TooMany);
                } else {
                    is_missed = true;
                }
            }
            if !is_missed {
                break;
            }
        }
        Ok(stays)
    }
}

/// Returns the sessions of a user that are live, with the times of their logins.
async fn others(index: &dyn SessionIndex, owner: &OwnerId) -> Result<Vec<Other>, Error> {
    let mut others = Vec::new();
    for SessionInfo { key, created_at, .. } in list(index, owner, usize::MAX).await? {
        // The listing has no data. One that ended or moved meanwhile does not count here.
        let at = match index.load(&key).await {
            Ok(Some((record, _))) => Login::of_data(&record.data).map_or(created_at, |login| login.at),
            Ok(None) => continue,
            Err(session_core::Error::Corrupt(_)) => created_at,
            Err(error) => return Err(error.into()),
        };
        others.push(Other { key, at });
    }
    Ok(others)
}

/// Lists the live sessions of a user, at most this many.
pub(crate) async fn list(index: &dyn SessionIndex, owner: &OwnerId, most: usize) -> Result<Vec<SessionInfo>, Error> {
    let mut found = Vec::new();
    let mut page = Page::first(100);
    loop {
        let Listing { sessions, next, .. } = index.list(Scope::Owner(owner), &page).await?;
        found.extend(sessions);
        match next {
            Some(next) if found.len() < most => page = page.after(next),
            _ => break,
        }
    }
    found.truncate(most);
    Ok(found)
}
