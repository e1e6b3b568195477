//! What a harness can do inside its backend, beside opening the store: locks, the backend's own expiry, its bytes and its work.

use std::future::Future;

use session_core::{BoxError, SessionKey};

use crate::hooks::{Lock, Need, Outage};
use crate::{Space, Suite};

impl Suite {
    /// Gives a way to hold a stored record's lock in the backend until the returned value is dropped, as another program's
    /// transaction does that has written the record and not yet ended.
    ///
    /// In SQL that is a connection of its own, in which a transaction was begun and an `UPDATE` that changes nothing has met the
    /// row (a `SELECT … FOR UPDATE` alone would not hold up what locks the table); closing the connection ends it. Calls about other records
    /// must go on: where a lock holds them up too, say [`locks_all`](Self::locks_all). A case holds a lock for some seconds.
    pub fn locks<F, Fut, L>(self, lock: F) -> Self
    where
        F: Fn(Space, SessionKey) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<L, BoxError>> + Send + 'static,
        L: Send + 'static,
    {
        self.locks_all(lock).having(Need::RecordLock)
    }

    /// The same, for a backend whose locks hold up the writes of other records too, as SQLite's do.
    pub fn locks_all<F, Fut, L>(mut self, lock: F) -> Self
    where
        F: Fn(Space, SessionKey) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<L, BoxError>> + Send + 'static,
        L: Send + 'static,
    {
        self.hooks.lock = Some(std::sync::Arc::new(move |space, key| {
            let locking = lock(space, key);
            Box::pin(async move { Ok(Box::new(locking.await?) as Lock) })
        }));
        self.having(Need::Lock)
    }

    /// Gives a way to let the backend's own expiry run, as if its clock stood where the [space's](Space::clock) stands: what it
    /// would have removed by then is removed, in its way and not in the store's.
    pub fn collects_now<F, Fut>(mut self, collect: F) -> Self
    where
        F: Fn(Space) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.hooks.collect = Some(std::sync::Arc::new(move |space, ()| Box::pin(collect(space))));
        self.having(Need::Collection)
    }

    /// Gives a view of all bytes that the backend keeps for a namespace, also those that its language does not show: the whole
    /// files, or the names and values of all keys.
    ///
    /// Others' bytes may be among them. Logs and backups are not: what the backend cleans up by itself some time later may be
    /// cleaned up first (a checkpoint, a `VACUUM`).
    pub fn shows_bytes<F, Fut>(mut self, bytes: F) -> Self
    where
        F: Fn(Space) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Vec<u8>>, BoxError>> + Send + 'static,
    {
        self.hooks.bytes = Some(std::sync::Arc::new(move |space, ()| Box::pin(bytes(space))));
        self.having(Need::Bytes)
    }

    /// Gives a number that grows with the work that the backend has done for a namespace: the rows or entries that it has read, by
    /// its own counters.
    ///
    /// What others do at the same time must not be in it.
    pub fn counts_work<F, Fut>(mut self, work: F) -> Self
    where
        F: Fn(Space) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<u64, BoxError>> + Send + 'static,
    {
        self.hooks.work = Some(std::sync::Arc::new(move |space, ()| Box::pin(work(space))));
        self.having(Need::Work)
    }

    /// Gives a way to leave the backend no room for more, on its disk or in its memory, and to give it room again.
    ///
    /// It must be the namespace's own room, or nobody else's cases may run meanwhile.
    pub fn fills<F, Fut>(mut self, fill: F) -> Self
    where
        F: Fn(Space, Outage) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.hooks.fill = Some(std::sync::Arc::new(move |space, what| Box::pin(fill(space, what))));
        self.having(Need::Full)
    }

    /// Gives a way to replace a namespace behind the store's back: what there is of it, the file, table, collection or folder, is
    /// removed or renamed, and an empty one is made in its place.
    pub fn replaces<F, Fut>(mut self, replace: F) -> Self
    where
        F: Fn(Space) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.hooks.replace = Some(std::sync::Arc::new(move |space, ()| Box::pin(replace(space))));
        self.having(Need::Replacement)
    }

    /// Says that the store keeps its format version in the data, as one does that lies over another store: then calls that do not
    /// read the data cannot know that it is unknown.
    pub fn formats_data(mut self) -> Self {
        self.hooks.formats_data = true;
        self
    }
}
