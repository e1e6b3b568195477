//! The index: list, count, end by owner, clear.

use async_trait::async_trait;
use session_core::{Cursor, Error, Listing, OwnerId, Page, Result, Scope, SessionIndex, SessionKey};

use crate::MemoryStore;
use crate::key::StoredKey;
use crate::node::Node;
use crate::shard::Shard;
use crate::store::shard_number;

/// The order of a listing is that of the shards, and of the keys within each. A cursor is the last key that was shown.
#[async_trait]
impl SessionIndex for MemoryStore {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
        let cursor = page.cursor().map(|cursor| SessionKey::parse(cursor.as_str()));
        let after = cursor.transpose().map_err(Error::backend)?.as_ref().map(StoredKey::new);
        let first = after.as_ref().map_or(0, shard_number);
        let mut sessions = Vec::new();
        for (number, locked) in self.shards.iter().enumerate().skip(first) {
            let after = after.as_ref().filter(|_| number == first);
            let wanted = limit - sessions.len();
            let shard = locked.read();
            sessions.extend(match scope {
                Scope::Owner(owner) => shard.list_owned(owner, after, self.now(), wanted),
                _ => shard.list(after, self.now(), wanted),
            });
            drop(shard);
            if sessions.len() == limit {
                let next = sessions.last().map(|session| Cursor::new(session.key.as_str()));
                return Ok(Listing::new(sessions, next));
            }
        }
        Ok(Listing::new(sessions, None))
    }

    /// Counts under the locks of all shards, or a session that is rotated meanwhile could count twice or not at all.
    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        let shards: Vec<_> = self.shards.iter().map(|locked| locked.read()).collect();
        let now = self.now();
        let count_one = |shard: &Shard| match scope {
            Scope::Owner(owner) => shard.count_owned(owner, now),
            _ => shard.count(now),
        };
        Ok(shards.iter().map(|shard| count_one(shard)).sum::<usize>() as u64)
    }

    /// Ends them in one step, under the locks of all shards: with one lock at a time a session could be rotated from
    /// a shard that is still to come into one that is done, and live on (`OWNER-04`).
    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        let except = except.map(StoredKey::new);
        let mut shards: Vec<_> = self.shards.iter().map(|locked| locked.write()).collect();
        let now = self.now();
        let removed: Vec<Node> = shards.iter_mut().flat_map(|shard| shard.take_owned(owner, except.as_ref())).collect();
        drop(shards);
        Ok(removed.iter().filter(|node| node.is_live(now)).count() as u64)
    }

    /// Empties all shards in one step; what they held is freed after the locks.
    async fn clear(&self) -> Result<u64> {
        let mut shards: Vec<_> = self.shards.iter().map(|locked| locked.write()).collect();
        let now = self.now();
        let removed: Vec<Shard> = shards.iter_mut().map(|shard| std::mem::take(&mut **shard)).collect();
        drop(shards);
        Ok(removed.iter().map(|shard| shard.count(now)).sum::<usize>() as u64)
    }
}
