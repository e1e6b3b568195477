//! A store with a way to close it, and one whose database is not there yet.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use session_core::{
    Error, Listing, OwnerId, Page, Record, Result, Revision, Scope, SessionIndex, SessionKey, SessionStore, Timestamp,
};
use tokio::sync::Mutex;

use crate::OpenError;
use crate::open::Opening;

/// A store that [`open_closable`](crate::open_closable) opened.
#[non_exhaustive]
pub struct Opened {
    /// The store.
    pub store: Arc<dyn SessionIndex>,
    close: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Opened {
    /// Makes it for a store that needs no closing.
    pub(crate) fn new(store: impl SessionIndex + 'static) -> Self {
        Self { store: Arc::new(store), close: Box::pin(std::future::ready(())) }
    }

    #[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
    pub(crate) fn closing(mut self, close: impl Future<Output = ()> + Send + 'static) -> Self {
        self.close = Box::pin(close);
        self
    }

    /// Makes it for a store that is opened by the first call that finds its database.
    pub(crate) fn later(open: impl Fn() -> Opening + Send + Sync + 'static, timeout: Duration) -> Self {
        let shared =
            Arc::new(Later { open: Box::new(open), timeout, opened: OnceLock::new(), failed: Mutex::default() });
        let close = shared.clone();
        let close = async move {
            if let Some(close) = close.failed.lock().await.close.take() {
                close.await;
            }
        };
        Self { store: shared, close: Box::pin(close) }
    }

    /// Closes the store's connections after the calls that are under way; clones of the store are refused with
    /// [`Unavailable`](session_core::Error::Unavailable) afterwards. An SQLite file is then whole, without a log beside it.
    ///
    /// Memory, files, Redis and MongoDB have nothing to wait for.
    pub async fn close(self) {
        self.close.await;
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

/// A store whose database was away when it was opened (`connect=later`). Each call tries to open it, one at a time; who waits for
/// another's attempt hears what became of it.
struct Later {
    open: Box<dyn Fn() -> Opening + Send + Sync>,
    /// How long a call waits for an attempt.
    timeout: Duration,
    opened: OnceLock<Arc<dyn SessionIndex>>,
    failed: Mutex<Attempt>,
}

#[derive(Default)]
struct Attempt {
    /// When the last attempt failed, and why.
    failed: Option<(Instant, Arc<OpenError>)>,
    close: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Later {
    async fn store(&self) -> Result<&Arc<dyn SessionIndex>> {
        match self.opened.get() {
            Some(store) => Ok(store),
            None => {
                tokio::time::timeout(self.timeout, self.attempt(Instant::now())).await.map_err(Error::unavailable)?
            }
        }
    }

    async fn attempt(&self, begun: Instant) -> Result<&Arc<dyn SessionIndex>> {
        let mut attempt = self.failed.lock().await;
        if let Some(store) = self.opened.get() {
            return Ok(store);
        }
        match &attempt.failed {
            Some((at, error)) if *at > begun => return Err(refusal(error)),
            _ => {}
        }
        match (self.open)().await {
            Ok(opened) => {
                attempt.close = Some(opened.close);
                Ok(self.opened.get_or_init(|| opened.store))
            }
            Err(error) => {
                let error = Arc::new(error);
                attempt.failed = Some((Instant::now(), error.clone()));
                Err(refusal(&error))
            }
        }
    }
}

fn refusal(error: &Arc<OpenError>) -> Error {
    match **error {
        OpenError::Store(Error::Unavailable(_)) => Error::unavailable(error.clone()),
        _ => Error::backend(error.clone()),
    }
}

#[async_trait]
impl SessionStore for Later {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        self.store().await?.create(key, record).await
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        self.store().await?.load(key).await
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.store().await?.update(key, expected, record).await
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        self.store().await?.touch(key, expires_at).await
    }

    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Revision> {
        self.store().await?.rotate(old, expected, new, record).await
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        self.store().await?.delete(key).await
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        self.store().await?.delete_expired(limit).await
    }
}

#[async_trait]
impl SessionIndex for Later {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        self.store().await?.list(scope, page).await
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        self.store().await?.count(scope).await
    }

    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        self.store().await?.delete_owned(owner, except).await
    }

    async fn clear(&self) -> Result<u64> {
        self.store().await?.clear().await
    }
}
