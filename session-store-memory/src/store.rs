//! The seven calls.

use std::fmt;
use std::sync::{Arc, RwLockWriteGuard};

use async_trait::async_trait;
use session_core::{Clock, Error, Record, Result, Revision, SessionKey, SessionStore, StoreOptions, Timestamp};

use crate::Usage;
use crate::expiries::Slot;
use crate::key::StoredKey;
use crate::node::Node;
use crate::shard::{Locked, Shard};
use crate::turns::Turns;

/// How many parts the store has: one for each value of [`StoredKey::spread`].
const SHARDS: usize = 256;

/// How many records a sweep looks at under one lock, before others get their turn.
const SWEEP_STEP: usize = 16;

/// Keeps sessions in the memory of this process. A clone is a second handle of the same store.
///
/// Sessions end with the process. No call waits for anything but a lock that is held for microseconds, none runs in
/// the background, and none fails except as the [contract](session_core::contract) says. Nothing is evicted: the store grows
/// until sessions are deleted or swept, so run a [`Sweeper`](session_core::Sweeper).
#[derive(Clone)]
pub struct MemoryStore {
    pub(crate) shards: Arc<[Locked]>,
    pub(crate) options: StoreOptions,
}

impl MemoryStore {
    /// Makes an empty store that asks the system's clock and accepts 1 MiB of data per session.
    pub fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Locked::default()).collect(), options: StoreOptions::default() }
    }

    /// Sets the clock that decides whether a session is live, for this handle and the clones made from it.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.options.clock = Arc::new(clock);
        self
    }

    /// Sets the most bytes of data that a record may have, for this handle and the clones made from it (`DATA-02`).
    #[must_use]
    pub fn with_max_data_bytes(mut self, bytes: usize) -> Self {
        self.options.max_data_bytes = bytes;
        self
    }

    /// Returns how many entries the store holds. It looks at one part after the other, so calls that run meanwhile may
    /// be counted in part.
    pub fn usage(&self) -> Usage {
        self.shards.iter().map(|shard| shard.read().usage()).sum()
    }

    /// Returns the time. It is asked under the lock that guards what it decides about: a call that was late for its
    /// lock would else revive what another call has already seen expired.
    pub(crate) fn now(&self) -> Timestamp {
        self.options.now()
    }

    fn shard(&self, key: &StoredKey) -> &Locked {
        &self.shards[shard_number(key)]
    }

    /// Locks the shards of two keys, in the order of their numbers as everybody does, so that no two wait for each other.
    fn lock_both(&self, old: &StoredKey, new: &StoredKey) -> Both<'_> {
        let (old, new) = (shard_number(old), shard_number(new));
        match old.cmp(&new) {
            std::cmp::Ordering::Equal => Both { old: self.shards[old].write(), new: None },
            std::cmp::Ordering::Less => {
                let old = self.shards[old].write();
                Both { old, new: Some(self.shards[new].write()) }
            }
            std::cmp::Ordering::Greater => {
                let new = self.shards[new].write();
                Both { old: self.shards[old].write(), new: Some(new) }
            }
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("usage", &self.usage()).field("options", &self.options).finish()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

/// The shards of two keys, which may be one.
struct Both<'a> {
    old: RwLockWriteGuard<'a, Shard>,
    new: Option<RwLockWriteGuard<'a, Shard>>,
}

impl Both<'_> {
    fn of_new(&mut self) -> &mut Shard {
        self.new.as_mut().unwrap_or(&mut self.old)
    }
}

/// Returns the number of the shard that keeps a key. Always the same one, so that a cursor, which is a key, is a place.
pub(crate) fn shard_number(key: &StoredKey) -> usize {
    usize::from(key.spread())
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        let node = Node::new(StoredKey::new(key), record);
        let revision = node.revision;
        let mut shard = self.shard(&node.key).write();
        let found = vacant(&shard, &node.key, self.now())?;
        let replaced = found.map(|expired| shard.remove(expired));
        shard.insert(node);
        drop(shard);
        drop(replaced);
        Ok(revision)
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        let key = StoredKey::new(key);
        let shard = self.shard(&key).read();
        let node = shard.find_live(&key, self.now()).map(|slot| shard.node(slot));
        Ok(node.map(|node| (node.record(), node.revision)))
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        let key = StoredKey::new(key);
        let mut shard = self.shard(&key).write();
        let slot = expect(&shard, &key, self.now(), expected)?;
        let replaced = shard.update(slot, record);
        let revision = shard.node(slot).revision;
        drop(shard);
        drop(replaced);
        Ok(revision)
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        let key = StoredKey::new(key);
        let mut shard = self.shard(&key).write();
        let slot = shard.find_live(&key, self.now()).ok_or(Error::NotFound)?;
        shard.extend(slot, expires_at);
        Ok(())
    }

    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Revision> {
        self.options.check_size(record)?;
        let (old, new) = (StoredKey::new(old), StoredKey::new(new));
        let mut both = self.lock_both(&old, &new);
        let now = self.now();
        let stored = expect(&both.old, &old, now, expected)?;
        let node = both.old.node(stored).successor(new, record);
        let revision = node.revision;
        let found = vacant(both.of_new(), &node.key, now)?;
        let replaced = found.map(|expired| both.of_new().remove(expired));
        // The first removal may have given it another slot.
        let stored = both.old.find(&old);
        let removed = stored.map(|stored| both.old.remove(stored));
        both.of_new().insert(node);
        drop(both);
        drop((removed, replaced));
        Ok(revision)
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        let key = StoredKey::new(key);
        let mut shard = self.shard(&key).write();
        let now = self.now();
        let removed = shard.find(&key).map(|slot| shard.remove(slot));
        drop(shard);
        Ok(removed.is_some_and(|node| node.is_live(now)))
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut removed = 0;
        let (mut is_moving, mut turns) = (true, Turns::default());
        while is_moving {
            is_moving = false;
            // One step for each shard in turn: readers that wait for a lock are not passed by the sweep that has just left it.
            for locked in &*self.shards {
                // An idle sweep disturbs no reader.
                let is_due = removed < wanted && {
                    let shard = locked.read();
                    shard.is_due(self.now())
                };
                if is_due {
                    let expired = {
                        let mut shard = locked.write();
                        shard.sweep(self.now(), SWEEP_STEP, wanted - removed)
                    };
                    removed += expired.len();
                    is_moving = true;
                    drop(expired);
                    turns.looked_at(SWEEP_STEP).await;
                }
            }
        }
        // No more than `limit` were removed.
        Ok(u32::try_from(removed).unwrap_or(limit))
    }
}

/// Returns the slot of the live record that a writer has loaded, or refuses: `NotFound` before `Conflict` (`ROTATE-09`).
fn expect(shard: &Shard, key: &StoredKey, now: Timestamp, expected: Revision) -> Result<Slot> {
    let slot = shard.find_live(key, now).ok_or(Error::NotFound)?;
    if shard.node(slot).revision == expected { Ok(slot) } else { Err(Error::Conflict) }
}

/// Refuses a key whose record is live; returns the slot of one that has expired, which is to be removed.
fn vacant(shard: &Shard, key: &StoredKey, now: Timestamp) -> Result<Option<Slot>> {
    let slot = shard.find(key);
    if slot.is_some_and(|slot| shard.node(slot).is_live(now)) { Err(Error::AlreadyExists) } else { Ok(slot) }
}
