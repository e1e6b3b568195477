//! How many sessions a user may have at once.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::pin::pin;

use session_core::{Listing, OwnerId, Page, Scope, SessionInfo, SessionKey, Timestamp};

use crate::Error;
use crate::commit::Commit;
use crate::config::Config;
use crate::events::{self, Reason};
use crate::meta::Meta;
use crate::recent::Became;
use crate::state::Base;
use crate::tell::News;

/// How many sessions a user may have at once, and which give way when there are more.
///
/// The sessions of a user are in the order in which they were logged in, by the time and then by the key. Each login, when it has been
/// stored, ends all but the first or the last so many of that order. Who belongs to these in the end belongs to them
/// in all that any login can see, so no number of logins at once ends one of them, and the login that looks last ends all
/// others; no lock is needed. Of a user who has hundreds, as before there was a limit, the oldest go in batches after each login.
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

/// With more sessions than these beyond the limit, there are too many to look at each.
const BACKLOG: usize = 100;
/// How many of a backlog are looked at, and ended, at a time.
const BATCH: usize = 32;

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

    /// Returns those that have to go, of all with the times of their logins.
    fn excess(self, mut all: Vec<(Timestamp, SessionKey)>) -> Vec<SessionKey> {
        match self.excess {
            Excess::EndOldest => all.sort_by(|one, two| Reverse(one).cmp(&Reverse(two))),
            Excess::RejectNew => all.sort(),
        }
        all.into_iter().skip(self.most).map(|(_, key)| key).collect()
    }
}

impl Commit {
    /// Before a login is stored: refuses it if there is no room, and dates it after all others, whatever the clocks say.
    pub(crate) async fn make_room(&mut self) -> Result<(), Error> {
        let (Some(limit), Some(owner)) = (self.sessions.limit, self.work.login().cloned()) else { return Ok(()) };
        if !self.adds_login(self.base.stored()) {
            return Ok(());
        }
        let mut others = self.sessions.list(&owner, BACKLOG + limit.most).await?;
        others.retain(|other| !self.work.ends.iter().any(|end| end.key == other.key));
        if limit.excess == Excess::RejectNew && others.len() >= limit.most {
            // One of them may be this login, made by a double click a moment ago.
            let ended =
                self.work.ends.iter().filter(|end| end.reason == Reason::AnotherUser).map(|end| end.key.clone());
            let keys: Vec<_> = self.base.stored().map(|stored| stored.key.clone()).into_iter().chain(ended).collect();
            for key in keys {
                if self.join(&key).await? {
                    return Ok(());
                }
            }
            return Err(Error::TooManySessions);
        }
        if others.len() <= BACKLOG {
            let logins = self.sessions.login_times(&others, &mut self.logins).await?;
            let latest = logins.into_iter().map(|(at, _)| at).max();
            self.dated = latest.map(|at| at.saturating_add(std::time::Duration::from_millis(1)));
        }
        Ok(())
    }

    /// After a login was stored: ends the sessions that are too many. A failure is told by an event: the login stands, and the next one
    /// ends them.
    pub(crate) async fn keep_limit(&mut self) -> Result<(), Error> {
        let (Some(limit), Some(stored)) = (self.sessions.limit, self.base.stored()) else { return Ok(()) };
        let (Some(owner), own) = (stored.record.owner.clone(), stored.key.clone()) else { return Ok(()) };
        let sessions = self.sessions.clone();
        // In half of the time that there is for all, so that the login stands.
        let ended = sessions.within(sessions.store_timeout / 2, pin!(self.end_excess(limit, &owner, &own))).await;
        let stays = match ended {
            Ok(stays) => stays,
            Err(error) => {
                events::limit_not_kept(&error);
                return Ok(());
            }
        };
        if stays {
            return Ok(());
        }
        // Logins of the same moment took its place.
        self.base = Base::Ended { key: own, was_live: true };
        self.news = News::Nothing;
        if limit.excess == Excess::RejectNew { Err(Error::TooManySessions) } else { Ok(()) }
    }

    /// Says whether this session is one of those that stay.
    async fn end_excess(&mut self, limit: SessionLimit, owner: &OwnerId, own: &SessionKey) -> Result<bool, Error> {
        /// A session whose id changes between the look and its end is missed; a second look finds it.
        const LOOKS: u32 = 3;
        let mut stays = true;
        for _ in 0..LOOKS {
            let all = self.sessions.list(owner, BACKLOG + limit.most + 1).await?;
            if all.len() <= limit.most {
                break;
            }
            if all.len() > BACKLOG + limit.most {
                self.leaves_excess = true;
                break;
            }
            let logins = self.sessions.login_times(&all, &mut self.logins).await?;
            // One that was listed and is not there has another id by now.
            let mut is_missed = logins.len() < all.len();
            for key in limit.excess(logins) {
                stays &= key != *own;
                is_missed |= !self.sessions.end_one(&key, Reason::TooMany).await?;
            }
            if !is_missed {
                break;
            }
        }
        Ok(stays)
    }
}

impl Config {
    /// The most sessions of a user that are listed at a time.
    const PAGE: u32 = 1000;

    /// Lists the live sessions of a user, at most this many.
    pub(crate) async fn list(&self, owner: &OwnerId, most: usize) -> Result<Vec<SessionInfo>, Error> {
        let mut found = Vec::new();
        let mut page = Page::first(u32::try_from(most).unwrap_or(Self::PAGE).min(Self::PAGE));
        loop {
            let Listing { sessions, next, .. } = self.store().list(Scope::Owner(owner), &page).await?;
            found.extend(sessions);
            match next {
                Some(next) if found.len() < most => page = page.after(next),
                _ => break,
            }
        }
        found.truncate(most);
        Ok(found)
    }

    /// Returns when sessions were logged in, which the listing does not say. A key has one login, so each is loaded once; one that ended
    /// or moved meanwhile does not count.
    async fn login_times(
        &self,
        listed: &[SessionInfo],
        known: &mut HashMap<SessionKey, Timestamp>,
    ) -> Result<Vec<(Timestamp, SessionKey)>, Error> {
        let mut logins = Vec::new();
        for info in listed {
            if !known.contains_key(&info.key) {
                let at = match self.store().load(&info.key).await {
                    Ok(Some((record, _))) => Meta::unpack(&record.data).login.map_or(info.created_at, |login| login.at),
                    Ok(None) => continue,
                    Err(session_core::Error::Corrupt(_)) => info.created_at,
                    Err(error) => return Err(error.into()),
                };
                known.insert(info.key.clone(), at);
            }
            logins.extend(known.get(&info.key).map(|at| (*at, info.key.clone())));
        }
        Ok(logins)
    }

    /// Ends one session, with which requests may be on their way; says whether it was there.
    pub(crate) async fn end_one(&self, key: &SessionKey, reason: Reason) -> Result<bool, Error> {
        let now = self.now();
        self.recent.ask(key, false, now);
        let was_live = self.store().delete(key).await?;
        if was_live {
            self.recent.note(key, Became::Ended, now);
            events::destroyed(key, reason);
        } else {
            self.recent.withdraw(key);
        }
        Ok(was_live)
    }

    /// Ends a user's sessions that are too many, the oldest first.
    ///
    /// A session was logged in at its beginning or later. So of those that began first, each whose login is older than the beginning of as many
    /// as may stay is none of these.
    pub(crate) async fn end_backlog(&self, owner: &OwnerId) -> Result<(), Error> {
        let Some(limit) = self.limit.filter(|limit| limit.excess == Excess::EndOldest) else { return Ok(()) };
        let mut all = self.list(owner, usize::MAX).await?;
        let place = |info: &SessionInfo| (info.created_at, info.key.clone());
        all.sort_by_key(place);
        let kept = all.split_off(all.len().saturating_sub(limit.most));
        let Some(newest) = kept.first().map(place) else { return Ok(()) };
        for batch in all.chunks(BATCH) {
            for (at, key) in self.login_times(batch, &mut HashMap::new()).await? {
                if (at, &key) < (newest.0, &newest.1) {
                    self.end_one(&key, Reason::TooMany).await?;
                }
            }
        }
        Ok(())
    }
}
