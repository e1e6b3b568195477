//! The timer of tokio.

use std::panic::catch_unwind;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use session_http::Timer;
use tokio::runtime::{Handle, Id};

/// Sleeps by tokio's clock. Where no tokio runs, or one without timers, nothing is timed: a store that needs neither has its own limits.
#[derive(Debug, Default)]
pub(crate) struct TokioTimer {
    /// The runtimes that were found to have no timers; usually none, and hardly ever more than one.
    timeless: Mutex<Vec<Id>>,
}

impl Timer for TokioTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let never = || Box::pin(std::future::pending());
        let Ok(runtime) = Handle::try_current() else { return never() };
        let timeless = || self.timeless.lock().unwrap_or_else(PoisonError::into_inner);
        if timeless().contains(&runtime.id()) {
            return never();
        }
        // Tokio tells by a panic alone whether a runtime has timers, so it happens once, and its message says what is missing.
        match catch_unwind(|| tokio::time::sleep(duration)) {
            Ok(sleep) => Box::pin(sleep),
            Err(_) => {
                timeless().push(runtime.id());
                never()
            }
        }
    }
}
