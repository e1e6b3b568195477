//! The store that users see: every call is handed to a thread that may block.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use session_core::{
    Clock, Error, Listing, OwnerId, Page, Record, Result, Revision, Scope, SessionIndex, SessionKey, SessionStore,
    Timestamp,
};

use crate::calls::Disk;
use crate::files::from_io;
use crate::locks::{self, Kind};

/// How many records one step of a sweep removes, and one of the end of an owner's.
const STEP: u16 = 1024;
/// In how many shards one step of a count looks.
const SHARDS: usize = 16;

/// What an acknowledged write of a [`FileStore`] survives.
///
/// Both survive the death of the process at any moment, and under both every file holds the old record or the new one
/// whole. They differ in what a loss of power may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// Survives a loss of power: files and folders are synced before the call returns. The default.
    #[default]
    Full,
    /// Survives the death of the process, not of the machine: nothing is synced, and writes are many times faster.
    ///
    /// A loss of power may undo the writes of the last seconds, a logout among them, and may leave a record that is
    /// refused as [`Corrupt`](session_core::Error::Corrupt); it never leaves one that reads wrong.
    Relaxed,
}

/// A session store in a folder: one file per session, durable, atomic, and shared by any number of processes.
///
/// The namespace is the folder. Cloning is cheap, and clones share everything. Calls run on up to 64 threads of the store's own, which
/// begin when they are needed and end when they are not; so a store serves any number of runtimes, and any runtime. A call that has
/// begun runs to its end even if its future is dropped (`CANCEL-01`).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path().join("sessions");
/// use session_store_file::{Durability, FileStore};
///
/// let store = FileStore::open(&folder)
///     .await?
///     .with_durability(Durability::Relaxed)
///     .with_max_data_bytes(64 * 1024);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FileStore {
    disk: Disk,
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let disk = &self.disk;
        f.debug_struct("FileStore")
            .field("folder", &disk.layout.root())
            .field("options", &disk.options)
            .field("durability", &disk.durability)
            .field("timeout", &disk.timeout)
            .finish_non_exhaustive()
    }
}

impl FileStore {
    /// Takes a folder for a store and looks at nothing yet: [`setup`](Self::setup) or [`verify`](Self::verify) does.
    ///
    /// A relative path is taken from the present working directory, once.
    ///
    /// # Errors
    ///
    /// [`Backend`](Error::Backend) if the path is empty, [`Unavailable`](Error::Unavailable) if there is no working directory any more.
    pub fn new(folder: impl AsRef<Path>) -> Result<Self> {
        Ok(Self { disk: Disk::new(std::path::absolute(folder).map_err(from_io)?) })
    }

    /// Opens the store in `folder`, and makes there what is missing: [`new`](Self::new) and [`setup`](Self::setup).
    ///
    /// # Errors
    ///
    /// Those of the two.
    pub async fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let store = Self::new(folder)?;
        store.setup().await?;
        Ok(store)
    }

    /// Makes the folder and what is missing in it, takes an earlier layout to the present one, and makes the index again if it is lost.
    /// Ten processes may do it at once. What is complete is only looked at.
    ///
    /// Also the way back under a handle whose folder was removed.
    ///
    /// # Errors
    ///
    /// [`Backend`](Error::Backend) if the folder belongs to another user, others may write to it, the process has no right to
    /// it, or its layout is another program's or a later version's ([`Error::layout`] says which);
    /// [`Unavailable`](Error::Unavailable) if the disk is full or read-only.
    pub async fn setup(&self) -> Result<()> {
        self.run(Kind::Write, Disk::setup).await
    }

    /// Looks whether the folder is a store that is complete, and makes nothing.
    ///
    /// # Errors
    ///
    /// [`Backend`](Error::Backend) if it is not: [`Error::layout`] says why, where neither its owner nor its rights are the reason.
    pub async fn verify(&self) -> Result<()> {
        self.run(Kind::Load, Disk::verify).await
    }

    /// Looks at every record and makes the index entries again that are missing; returns how many records missed some.
    ///
    /// Nobody has to call it: an index that is gone is made again by the first call that needs it. It is for an administrator who removed
    /// single files, or who lost power under [`Durability::Relaxed`]. It reads every record, while others read and write.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](Error::Unavailable) if the disk is full or another repair is at work.
    pub async fn repair(&self) -> Result<u64> {
        self.run(Kind::Write, Disk::repair).await
    }

    /// Sets the clock that decides whether a session is live; the system's by default.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.disk.options.clock = Arc::new(clock);
        self
    }

    /// Sets the most bytes of data that a session may have; 1 MiB by default.
    #[must_use]
    pub fn with_max_data_bytes(mut self, bytes: usize) -> Self {
        self.disk.options.max_data_bytes = bytes;
        self
    }

    /// Sets what an acknowledged write survives; [`Durability::Full`] by default.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.disk.durability = durability;
        self
    }

    /// Sets how long a call waits for a lock that another process holds, before it is
    /// [`Unavailable`](session_core::Error::Unavailable); five seconds by default.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.disk.timeout = timeout;
        self
    }

    /// Returns the path of the file that holds, or would hold, the session under `key`: for tools and for tests.
    pub fn record_path(&self, key: &SessionKey) -> PathBuf {
        self.disk.layout.record(&crate::layout::RecordName::of(key))
    }

    async fn run<T: Send + 'static>(
        &self,
        kind: Kind,
        call: impl FnMut(&Disk) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        locks::run(self.disk.clone(), kind, call).await
    }
}

#[async_trait]
impl SessionStore for FileStore {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        self.disk.options.check_size(record)?;
        let (key, record) = (key.clone(), record.clone());
        self.run(Kind::Write, move |disk| disk.create(&key, &record)).await
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        let key = key.clone();
        self.run(Kind::Load, move |disk| disk.load(&key)).await
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.disk.options.check_size(record)?;
        let (key, record) = (key.clone(), record.clone());
        self.run(Kind::Write, move |disk| disk.update(&key, expected, &record)).await
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        let key = key.clone();
        self.run(Kind::Write, move |disk| disk.touch(&key, expires_at)).await
    }

    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Revision> {
        self.disk.options.check_size(record)?;
        let (old, new, record) = (old.clone(), new.clone(), record.clone());
        self.run(Kind::Write, move |disk| disk.rotate(&old, expected, &new, &record)).await
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        let key = key.clone();
        self.run(Kind::Write, move |disk| disk.delete(&key)).await
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        let mut removed = 0;
        loop {
            let step = (limit - removed).min(STEP.into());
            let found =
                if step == 0 { 0 } else { self.run(Kind::Write, move |disk| disk.delete_expired(step)).await? };
            removed += found;
            if found < step || removed == limit {
                return Ok(removed);
            }
        }
    }
}

#[async_trait]
impl SessionIndex for FileStore {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        let (owner, page) = (owner_of(scope)?, page.clone());
        let kind = if owner.is_some() { Kind::Write } else { Kind::Load };
        self.run(kind, move |disk| disk.list(owner.as_ref(), &page)).await
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        if let Some(owner) = owner_of(scope)? {
            return self.run(Kind::Write, move |disk| disk.count(Some(&owner), 0..=u8::MAX)).await;
        }
        let mut count = 0;
        for first in (0..=u8::MAX).step_by(SHARDS) {
            count += self.run(Kind::Load, move |disk| disk.count(None, first..=first | 15)).await?;
        }
        Ok(count)
    }

    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        let mut ended = 0;
        loop {
            let (owner, except, mut count) = (owner.clone(), except.cloned(), 0);
            let step = move |disk: &Disk| {
                let is_more = disk.delete_owned(&owner, except.as_ref(), STEP.into(), &mut count)?;
                Ok((count, is_more))
            };
            let (count, is_more) = self.run(Kind::Write, step).await?;
            ended += count;
            if !is_more {
                return Ok(ended);
            }
        }
    }

    async fn clear(&self) -> Result<u64> {
        let mut locks = Vec::new();
        self.run(Kind::Write, move |disk| disk.clear(&mut locks)).await
    }
}

/// Returns the owner of a scope, or `None` for all sessions.
fn owner_of(scope: Scope<'_>) -> Result<Option<OwnerId>> {
    match scope {
        Scope::All => Ok(None),
        Scope::Owner(owner) => Ok(Some(owner.clone())),
        _ => Err(Error::backend("the store does not know this scope")),
    }
}
