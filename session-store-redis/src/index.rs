//! The index: list, count, end by owner, clear.

use async_trait::async_trait;
use futures_util::future::join_all;
use session_core::{
    Cursor, Error, Listing, OwnerId, Page, Result, Scope, SessionIndex, SessionInfo, SessionKey, SessionStore,
};

use crate::RedisStore;
use crate::ask::Twice;
use crate::record::{Head, owner_text};
use crate::script::{CLEAR, COUNT, DELETE_OWNED, LIST};

/// How many parts of a cluster a listing asks at the same time.
const ASKED: usize = 8;

/// How many sessions a page has at most.
const MOST: u32 = 1000;

/// The order is that of the parts, of the sets in them, and of the keys in those. A cursor is the last key that was shown.
#[async_trait]
impl SessionIndex for RedisStore {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        let limit = usize::try_from(page.limit().min(MOST)).unwrap_or(usize::MAX);
        let after =
            page.cursor().map(|cursor| SessionKey::parse(cursor.as_str())).transpose().map_err(Error::backend)?;
        let first = after.as_ref().map_or(0, |key| self.names.part_of(key));
        let parts: Vec<u16> = self.names.parts().filter(|part| *part >= first).collect();
        let mut sessions: Vec<SessionInfo> = Vec::new();
        for parts in parts.chunks(ASKED) {
            // Where the page is full, one more says whether there is another page.
            let left = (limit - sessions.len()).max(1);
            let after = |part| if part == first { after.as_ref().map_or("", SessionKey::as_str) } else { "" };
            let pages = parts.iter().map(|part| self.list_of(*part, scope, left, after(*part)));
            for found in join_all(pages).await {
                let (found, is_all) = found?;
                for session in found {
                    if sessions.len() == limit {
                        let next = sessions.last().map(|session| Cursor::new(session.key.as_str()));
                        return Ok(Listing::new(sessions, next));
                    }
                    sessions.push(session);
                }
                if !is_all {
                    let next = sessions.last().map(|session| Cursor::new(session.key.as_str()));
                    return Ok(Listing::new(sessions, next));
                }
            }
        }
        Ok(Listing::new(sessions, None))
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        let counts = self.names.parts().map(|part| async move {
            match scope {
                Scope::Owner(_) => Ok(self.list_of(part, scope, usize::MAX, "").await?.0.len() as u64),
                _ => self.count_of(part).await,
            }
        });
        join_all(counts).await.into_iter().sum()
    }

    /// One owner's sessions end in steps of 500, so that Redis serves others between them; up to so many end in one moment.
    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        #[cfg(feature = "cluster")]
        if self.names.is_cluster() {
            return self.delete_owned_in_steps(owner, except).await;
        }
        self.delete_owned_of(0, owner, except).await
    }

    async fn clear(&self) -> Result<u64> {
        let mut count = 0;
        for part in self.names.parts() {
            let mut set = 0;
            while set >= 0 {
                let call = self.about_part(&CLEAR, part).number(set);
                let live: u64;
                (live, set) = self.write::<(u64, i64)>(&call, Twice::Never).await?;
                count += live;
            }
        }
        Ok(count)
    }
}

impl RedisStore {
    /// Lists what a part has after a key, and says whether that is all of it.
    async fn list_of(
        &self,
        part: u16,
        scope: Scope<'_>,
        limit: usize,
        after: &str,
    ) -> Result<(Vec<SessionInfo>, bool)> {
        let (mut sessions, mut after) = (Vec::new(), after.to_owned());
        while sessions.len() < limit {
            let left = (limit - sessions.len()).min(MOST as usize) as i64;
            let call = self.about_part(&LIST, part).arg(owner_of(scope)).arg(&after).number(left);
            let mut lines = self.read::<Vec<Vec<u8>>>(&call).await?.into_iter();
            let next = lines.next().unwrap_or_default();
            while let (Some(name), Some(line)) = (lines.next(), lines.next()) {
                // What is not a session key was put there by hand. One damaged record must not hide the others.
                let (Ok(name), Ok(line)) = (str::from_utf8(&name), str::from_utf8(&line)) else { continue };
                if line.is_empty() {
                    sessions.extend(self.moved(name, scope).await?);
                } else if let (Ok(key), Ok(head)) = (SessionKey::parse(name), Head::parse(line)) {
                    sessions.push(head.info(key));
                }
            }
            if next.is_empty() {
                return Ok((sessions, true));
            }
            after = String::from_utf8(next).map_err(Error::backend)?;
        }
        Ok((sessions, false))
    }

    /// Counts what lives in a part.
    async fn count_of(&self, part: u16) -> Result<u64> {
        let (mut count, mut set, mut passed) = (0, 0, 0);
        while set >= 0 {
            let call = self.about_part(&COUNT, part).number(set).number(passed);
            let (live, pending): (u64, Vec<String>);
            (live, set, passed, pending) = self.read::<(u64, i64, i64, Vec<String>)>(&call).await?;
            count += live;
            for name in pending {
                count += u64::from(self.moved(&name, Scope::All).await?.is_some());
            }
        }
        Ok(count)
    }

    /// Describes the session under a key that a rotation between two parts has reserved, if that has had its moment.
    async fn moved(&self, name: &str, scope: Scope<'_>) -> Result<Option<SessionInfo>> {
        let Ok(key) = SessionKey::parse(name) else { return Ok(None) };
        let loaded = match self.load(&key).await {
            Err(Error::Corrupt(_)) => None,
            loaded => loaded?,
        };
        let record = loaded.map(|(record, _)| record);
        let owner = owner_of(scope);
        let record = record.filter(|record| owner.is_empty() || owner == owner_text(record.owner.as_ref()));
        Ok(record.map(|record| SessionInfo::of(&key, &record)))
    }

    /// Ends an owner's sessions in a part.
    pub(crate) async fn delete_owned_of(&self, part: u16, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        let (mut count, mut may_be_more) = (0, true);
        while may_be_more {
            let call = self.about_part(&DELETE_OWNED, part).arg(owner.as_str());
            let call = call.arg(except.map_or("", SessionKey::as_str));
            let removed: u64;
            (removed, may_be_more) = self.write::<(u64, bool)>(&call, Twice::Never).await?;
            count += removed;
        }
        Ok(count)
    }
}

fn owner_of(scope: Scope<'_>) -> &str {
    if let Scope::Owner(owner) = scope { owner.as_str() } else { "" }
}
