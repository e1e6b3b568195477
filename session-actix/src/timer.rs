//! The timer of the runtime that actix-web runs on, which is tokio's and always has one.

use std::pin::Pin;
use std::time::Duration;

use session_http::Timer;

#[derive(Debug, Clone, Copy)]
pub(crate) struct RuntimeTimer;

impl Timer for RuntimeTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}
