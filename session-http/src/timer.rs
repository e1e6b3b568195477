//! The longest time that a request waits for its store.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use crate::Error;
use crate::config::Config;

/// Lets a task sleep. Runtimes can, and this crate has none; `session-tower` brings the one of tokio.
pub trait Timer: fmt::Debug + Send + Sync {
    /// Returns a future that is ready when `duration` has passed.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// The cause of an [`Unavailable`](session_core::Error::Unavailable) that was decided here.
#[derive(Debug, thiserror::Error)]
#[error("the store did not answer in time")]
struct NoAnswer;

/// Says whether it was decided here that there is no answer.
pub(crate) fn is_no_answer(error: &Error) -> bool {
    matches!(error, Error::Store(session_core::Error::Unavailable(cause)) if cause.is::<NoAnswer>())
}

impl Config {
    /// Gives up work on the store that takes too long. Nothing is timed as long as the store answers at once.
    pub(crate) fn in_time<'w, T>(
        &'w self,
        work: Pin<&'w mut (impl Future<Output = Result<T, Error>> + Send)>,
    ) -> impl Future<Output = Result<T, Error>> + Send {
        self.within(self.store_timeout, work)
    }

    /// Gives it up after another time.
    pub(crate) fn within<'w, T>(
        &'w self,
        limit: Duration,
        mut work: Pin<&'w mut (impl Future<Output = Result<T, Error>> + Send)>,
    ) -> impl Future<Output = Result<T, Error>> + Send {
        let mut alarm = None;
        poll_fn(move |context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            let Some(timer) = &self.timer else { return Poll::Pending };
            let alarm = alarm.get_or_insert_with(|| timer.sleep(limit));
            alarm.as_mut().poll(context).map(|()| Err(session_core::Error::unavailable(NoAnswer).into()))
        })
    }
}
