//! The timer of tokio.

use std::pin::Pin;
use std::time::Duration;

use session_http::Timer;
use tokio::runtime::Handle;

/// Sleeps by tokio's clock. Where no tokio runs, nothing is timed: a store that needs none has its own limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokioTimer;

impl Timer for TokioTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match Handle::try_current() {
            Ok(_) => Box::pin(tokio::time::sleep(duration)),
            Err(_) => Box::pin(std::future::pending()),
        }
    }
}
