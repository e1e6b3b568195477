//! The index: list, count, end by owner, clear.

use async_trait::async_trait;
use futures_util::future::join_all;
use session_core::{
    Cursor, Error, Listing, OwnerId, Page, Result, Scope, SessionIndex, SessionInfo, SessionKey, SessionStore,
};

use crate::RedisStore;
use crate::link::Twice;
use crate::part::{PARTS, part_of, set_of};
use crate::script::{CLEAR, COUNT, DELETE_OWNED, LIST};
use crate::store::MOST;
use crate::text::{Head, owner_text};

/// How many parts of a cluster a listing asks at the same time.
const ASKED: usize = 8;

/// The order is that of the parts, of the sets in them, and of the keys in those. A cursor is the last key that was shown.
#[async_trait]
impl SessionIndex for RedisStore {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        let limit = usize::try_from(page.limit().min(MOST)).unwrap_or(usize::MAX);
        let after =
            page.cursor().map(|cursor| SessionKey::parse(cursor.as_str())).transpose().map_err(Error::backend)?;
        let first = after.as_ref().map_or(0, |key| part_of(key.as_str()));
        let ranges: Vec<_> = self.ranges().into_iter().filter(|(_, last)| *last >= first).collect();
        let mut sessions: Vec<SessionInfo> = Vec::new();
        for ranges in ranges.chunks(ASKED) {
            // Where the page is full, one more says whether there is another page.
            let left = (limit - sessions.len()).max(1);
            let pages = ranges.iter().map(|range| self.page(*range, scope, left, after.as_ref()));
            for page in join_all(pages).await {
                let page = page?;
                for session in page.sessions {
                    if sessions.len() == limit {
                        let next = sessions.last().map(|session| Cursor::new(session.key.as_str()));
                        return Ok(Listing::new(sessions, next));
                    }
                    sessions.push(session);
                }
                if let Some(next) = page.next {
                    return Ok(Listing::new(sessions, Some(next)));
                }
            }
        }
        Ok(Listing::new(sessions, None))
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        let now = self.options.now();
        let counts = self.ranges().into_iter().map(|range| async move {
            let call = self.about_parts(&COUNT, range, owner_of(scope), now);
            let (count, pending): (u64, Vec<String>) = self.link.read(range.0, &call, self.manner).await?;
            let mut moved = Vec::new();
            for name in pending {
                moved.extend(self.moved(&name, scope).await?);
            }
            Ok(count + moved.len() as u64)
        });
        join_all(counts).await.into_iter().sum()
    }

    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        #[cfg(feature = "cluster")]
        if self.link.is_cluster() {
            return self.delete_owned_in_steps(owner, except).await;
        }
        self.delete_owned_at((0, PARTS - 1), owner, except).await
    }

    async fn clear(&self) -> Result<u64> {
        let mut count = 0;
        for range in self.ranges() {
            let mut is_done = false;
            while !is_done {
                let call = self.about_parts(&CLEAR, range, "", self.options.now()).number(MOST);
                let (live, done): (u64, u8) = self.link.write(range.0, &call, Twice::Differs, self.manner).await?;
                count += live;
                is_done = done == 1;
            }
        }
        Ok(count)
    }
}

impl RedisStore {
    /// Lists what a range of parts has after a key.
    async fn page(
        &self,
        range: (u16, u16),
        scope: Scope<'_>,
        limit: usize,
        after: Option<&SessionKey>,
    ) -> Result<Found> {
        let set = after.map_or(0, |key| match scope {
            Scope::Owner(_) => part_of(key.as_str()),
            _ => set_of(part_of(key.as_str()), key.as_str()),
        });
        let call = self.about_parts(&LIST, range, owner_of(scope), self.options.now());
        // A limit is at most a thousand.
        let call = call.number(i64::try_from(limit).unwrap_or(i64::MAX)).number(set);
        let call = call.arg(after.map_or("", SessionKey::as_str));
        let mut lines: Vec<Vec<u8>> = self.link.read(range.0, &call, self.manner).await?;
        let is_full = lines.pop().as_deref() == Some(b"full");
        let mut next = None;
        let mut sessions = Vec::new();
        for pair in lines.chunks_exact(2) {
            // What is not a session key was put there by hand. One damaged record must not hide the others.
            let (Ok(name), Ok(line)) = (str::from_utf8(&pair[0]), str::from_utf8(&pair[1])) else { continue };
            if is_full {
                next = Some(Cursor::new(name));
            }
            if line.is_empty() {
                sessions.extend(self.moved(name, scope).await?);
            } else if let (Ok(key), Ok(head)) = (SessionKey::parse(name), Head::parse(line)) {
                sessions.push(head.info(key));
            }
        }
        Ok(Found { sessions, next })
    }

    /// Describes the session under a key that a rotation between two parts has reserved, if that has had its moment.
    async fn moved(&self, name: &str, scope: Scope<'_>) -> Result<Option<SessionInfo>> {
        let Ok(key) = SessionKey::parse(name) else { return Ok(None) };
        let loaded = match self.load(&key).await {
            Err(Error::Corrupt(_)) => None,
            loaded => loaded?,
        };
        let record = loaded.map(|(record, _)| record);
        let record = record.filter(|record| owner_of(scope) == owner_text(record.owner.as_ref()));
        Ok(record.map(|record| SessionInfo::of(&key, &record)))
    }

    /// Ends an owner's sessions in a range of parts.
    pub(crate) async fn delete_owned_at(
        &self,
        range: (u16, u16),
        owner: &OwnerId,
        except: Option<&SessionKey>,
    ) -> Result<u64> {
        let call = self.about_parts(&DELETE_OWNED, range, owner.as_str(), self.options.now());
        let call = call.arg(except.map_or("", SessionKey::as_str));
        self.link.write(range.0, &call, Twice::Differs, self.manner).await
    }
}

fn owner_of(scope: Scope<'_>) -> &str {
    if let Scope::Owner(owner) = scope { owner.as_str() } else { "" }
}

/// What a range of parts has for a listing.
#[derive(Debug)]
struct Found {
    sessions: Vec<SessionInfo>,
    /// Where to go on, if the limit was reached.
    next: Option<Cursor>,
}
