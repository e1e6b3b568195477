//! The index: list, count, end by owner, clear.

use async_trait::async_trait;
use session_core::{Cursor, Error, Listing, OwnerId, Page, Result, Scope, SessionIndex, SessionKey};

use crate::MemoryStore;
use crate::key::StoredKey;
use crate::node::Node;
use crate::shard::Shard;
use crate::store::shard_number;
use crate::turns::{TURN, Turns, next_turn};

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

    /// Counts those of an owner under the locks of all shards, or a session that is rotated meanwhile could count twice or not at all;
    /// and all sessions one shard after the other.
    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        let mut count = 0;
        if let Scope::Owner(owner) = scope {
            let shards: Vec<_> = self.shards.iter().map(|locked| locked.read()).collect();
            let now = self.now();
            count = shards.iter().map(|shard| shard.count_owned(owner, now)).sum();
        } else {
            let mut turns = Turns::default();
            for locked in &*self.shards {
                let looks = {
                    let shard = locked.read();
                    let (live, looks) = shard.count(self.now());
                    count += live;
                    looks
                };
                turns.looked_at(looks).await;
            }
        }
        Ok(count as u64)
    }

    /// Ends them under the locks of all shards: with one lock at a time a session could be rotated from a shard that is still to come into
    /// one that is done, and live on (`OWNER-04`). Many end in several steps; after the last one there is none.
    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        let except = except.map(StoredKey::new);
        let mut ended = 0;
        loop {
            let (removed, now) = {
                let mut shards: Vec<_> = self.shards.iter().map(|locked| locked.write()).collect();
                let now = self.now();
                let mut removed: Vec<Node> = Vec::new();
                for shard in &mut shards {
                    removed.extend(shard.take_owned(owner, except.as_ref(), TURN - removed.len()));
                }
                (removed, now)
            };
            ended += removed.iter().filter(|node| node.is_live(now)).count() as u64;
            if removed.len() < TURN {
                return Ok(ended);
            }
            drop(removed);
            next_turn().await;
        }
    }

    /// Empties all shards in one step; what they held is counted and freed after the locks.
    async fn clear(&self) -> Result<u64> {
        let (removed, now) = {
            let mut shards: Vec<_> = self.shards.iter().map(|locked| locked.write()).collect();
            let now = self.now();
            let removed: Vec<Shard> = shards.iter_mut().map(|shard| std::mem::take(&mut **shard)).collect();
            (removed, now)
        };
        let (mut ended, mut turns) = (0, Turns::default());
        for shard in removed {
            ended += shard.count(now).0;
            let looks = shard.usage().records;
            drop(shard);
            turns.looked_at(looks).await;
        }
        Ok(ended as u64)
    }
}
