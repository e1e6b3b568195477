//! A store with a way to close it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use session_core::SessionIndex;

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
