//! The store that users see: every call is one hop to a thread that may block.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use session_core::{
    Clock, Error, Listing, OwnerId, Page, Record, Result, Revision, Scope, SessionIndex, SessionKey, SessionStore,
    Timestamp,
};

use crate::disk::Disk;
use crate::durability::Durability;

/// A session store in a folder: one file per session, durable, atomic, and shared by any number of processes.
///
/// The namespace is the folder. Cloning is cheap, and clones share everything. Every call runs on a thread of tokio's
/// blocking pool and runs to its end even if its future is dropped (`CANCEL-01`); outside of a tokio runtime a call
/// panics.
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
#[derive(Debug, Clone)]
pub struct FileStore {
    disk: Arc<Disk>,
}

impl FileStore {
    /// Opens the store in `folder`, and makes the folder if it is not there. Ten processes may do it at once.
    ///
    /// A relative path is taken from the present working directory, once. Refuses with
    /// [`Backend`](Error::Backend) if the process has no right to the folder or another version of the store made it,
    /// with [`Unavailable`](Error::Unavailable) if the disk is full or read-only.
    pub async fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref().to_owned();
        let disk = hop(move || Disk::open(&folder)).await?;
        Ok(Self { disk: Arc::new(disk) })
    }

    /// Sets the clock that decides whether a session is live; the system's by default.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        Arc::make_mut(&mut self.disk).options.clock = Arc::new(clock);
        self
    }

    /// Sets the most bytes of data that a session may have; 1 MiB by default.
    #[must_use]
    pub fn with_max_data_bytes(mut self, bytes: usize) -> Self {
        Arc::make_mut(&mut self.disk).options.max_data_bytes = bytes;
        self
    }

    /// Sets what an acknowledged write survives; [`Durability::Full`] by default.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        Arc::make_mut(&mut self.disk).durability = durability;
        self
    }

    /// Returns the path of the file that holds, or would hold, the session under `key`: for tools and for tests.
    pub fn record_path(&self, key: &SessionKey) -> PathBuf {
        self.disk.layout.record(&crate::name::RecordName::of(key))
    }

    async fn run<T: Send + 'static>(&self, call: impl FnOnce(&Disk) -> Result<T> + Send + 'static) -> Result<T> {
        let disk = Arc::clone(&self.disk);
        hop(move || call(&disk)).await
    }
}

#[async_trait]
impl SessionStore for FileStore {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        self.disk.options.check_size(record)?;
        let (key, record) = (key.clone(), record.clone());
        self.run(move |disk| disk.create(&key, &record)).await
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        let key = key.clone();
        self.run(move |disk| disk.load(&key)).await
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.disk.options.check_size(record)?;
        let (key, record) = (key.clone(), record.clone());
        self.run(move |disk| disk.update(&key, expected, &record)).await
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        let key = key.clone();
        self.run(move |disk| disk.touch(&key, expires_at)).await
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
        self.run(move |disk| disk.rotate(&old, expected, &new, &record)).await
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        let key = key.clone();
        self.run(move |disk| disk.delete(&key)).await
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        self.run(move |disk| disk.delete_expired(limit)).await
    }
}

#[async_trait]
impl SessionIndex for FileStore {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        let (owner, page) = (owner_of(scope)?, page.clone());
        self.run(move |disk| disk.list(owner.as_ref().map_or(Scope::All, Scope::Owner), &page)).await
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        let owner = owner_of(scope)?;
        self.run(move |disk| disk.count(owner.as_ref().map_or(Scope::All, Scope::Owner))).await
    }

    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        let (owner, except) = (owner.clone(), except.cloned());
        self.run(move |disk| disk.delete_owned(&owner, except.as_ref())).await
    }

    async fn clear(&self) -> Result<u64> {
        self.run(Disk::clear).await
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

/// Runs a call where it may block. It runs to its end, also when nobody waits for it any more.
async fn hop<T: Send + 'static>(call: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let outcome = tokio::task::spawn_blocking(call).await;
    // Either the call panicked, which is a bug, or the runtime is shutting down.
    outcome
        .unwrap_or_else(|error| Err(if error.is_panic() { Error::backend(error) } else { Error::unavailable(error) }))
}
