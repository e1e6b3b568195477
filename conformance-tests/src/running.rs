//! A clock that runs: the clock of a case, moved along with real time for as long as something really waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use session_core::{Clock, ManualClock};

/// Moves a clock along with real time until it is dropped; then the clock stands still again.
pub(crate) struct Running {
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Starts the clock from where it stands.
    pub(crate) fn start(clock: Arc<ManualClock>) -> Self {
        let (base, start) = (clock.now(), Instant::now());
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(5)).await;
                clock.set(base.saturating_add(start.elapsed()));
            }
        });
        Self { task }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
