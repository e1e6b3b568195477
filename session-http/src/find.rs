//! Looks for a session among those of its user.

use session_core::{OwnerId, Page, Record, Revision, Scope, SessionKey, Timestamp};

use crate::Error;
use crate::config::Config;
use crate::meta::Age;

/// How many sessions of a user are listed to find one that came from another a moment ago, and how many of these are loaded.
const LISTED: u32 = 200;
const LOADED: usize = 12;

/// A session whose id changes between the look and what is done with it is missed; a second look finds it.
pub(crate) const LOOKS: u32 = 3;

/// A session that was looked for.
type Found = (SessionKey, Record, Revision);

/// What one look at the sessions of a user finds.
enum Look {
    Found(Found),
    /// A session was listed that was not there any more.
    Missed,
    Not {
        has_seen_all: bool,
    },
}

impl Config {
    /// Looks among the sessions of a user, beginning with those that end when one that was just logged in would. Says also whether it saw all of them.
    pub(crate) async fn find_owned(
        &self,
        owner: &OwnerId,
        age: Option<Age>,
        is_it: impl Fn(&Record) -> bool,
    ) -> Result<(Option<Found>, bool), Error> {
        for _ in 0..LOOKS {
            match self.look_for(owner, age, &is_it).await? {
                Look::Found(found) => return Ok((Some(found), false)),
                Look::Missed => {}
                Look::Not { has_seen_all } => return Ok((None, has_seen_all)),
            }
        }
        Ok((None, false))
    }

    /// Looks once.
    async fn look_for(
        &self,
        owner: &OwnerId,
        age: Option<Age>,
        is_it: impl Fn(&Record) -> bool,
    ) -> Result<Look, Error> {
        let page = self.store().list(Scope::Owner(owner), &Page::first(LISTED)).await?;
        let now = self.now();
        let expected = match age {
            Some(Age::Own(age)) => now.saturating_add(age),
            _ => self.expiry.expires_at(now, self.expiry.deadline(now)),
        };
        let mut listed = page.sessions;
        let distance = |at: Timestamp| at.saturating_since(expected).max(expected.saturating_since(at));
        listed.sort_by_key(|info| distance(info.expires_at));
        let has_seen_all = page.next.is_none() && listed.len() <= LOADED;
        let mut is_missed = false;
        for info in listed.into_iter().take(LOADED) {
            match self.store().load(&info.key).await {
                Ok(Some((record, revision))) if is_it(&record) => return Ok(Look::Found((info.key, record, revision))),
                Ok(None) => is_missed = true,
                Ok(Some(_)) | Err(session_core::Error::Corrupt(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(if is_missed { Look::Missed } else { Look::Not { has_seen_all } })
    }

    /// Loads a session if it is what is looked for; one that cannot be read is not.
    pub(crate) async fn load_if(
        &self,
        key: &SessionKey,
        is_it: impl Fn(&Record) -> bool,
    ) -> Result<Option<(Record, Revision)>, Error> {
        match self.store().load(key).await {
            Ok(loaded) => Ok(loaded.filter(|(record, _)| is_it(record))),
            Err(session_core::Error::Corrupt(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
