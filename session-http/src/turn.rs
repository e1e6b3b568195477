//! Whose turn it is to talk to the store.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};

use async_lock::{Mutex, MutexGuard};

use crate::Error;
use crate::commit::Commit;

/// A commit that is under way, which the next one to have the turn brings to its end.
pub(crate) type Running = Pin<Box<dyn Future<Output = (Box<Commit>, Result<(), Error>)> + Send>>;

/// Lets one task after the other talk to the store.
#[derive(Default)]
pub(crate) struct Turn {
    running: Mutex<Option<Running>>,
    /// Somebody has waited for it for as long as one waits; it may never end.
    pub(crate) is_late: AtomicBool,
}

impl Turn {
    pub(crate) async fn take(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().await
    }

    /// Waits once more for as long as one waits.
    pub(crate) fn wait_anew(&self) {
        self.is_late.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.running.try_lock().is_none_or(|running| running.is_some())
    }
}
