//! The garbage collection that an application starts itself.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::{Result, SessionStore};

/// Removes expired records in the background: every so often, in batches, until it is told to stop.
///
/// Expired sessions are dead without it; it only frees their space. Nothing starts by itself: the application runs the
/// future where it runs its other tasks, with the sleep of its own runtime.
/// [`run`](Sweeper::run) shows how.
#[doc(alias = "cleanup")]
#[doc(alias = "clearsessions")]
#[doc(alias = "garbage collection")]
#[derive(Debug, Clone)]
pub struct Sweeper<S> {
    store: S,
    interval: Duration,
    batch: u32,
}

/// What one pass of the sweeper did.
///
/// Serde writes it as `{"removed":25,"batches":3,"elapsed_ms":12}`, the time in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepReport {
    /// How many expired records were removed.
    pub removed: u64,
    /// How many calls of `delete_expired` that took.
    pub batches: u64,
    /// How long the pass took.
    pub elapsed: Duration,
}

impl Serialize for SweepReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut report = serializer.serialize_struct("SweepReport", 3)?;
        report.serialize_field("removed", &self.removed)?;
        report.serialize_field("batches", &self.batches)?;
        report.serialize_field("elapsed_ms", &u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX))?;
        report.end()
    }
}

impl<S: SessionStore> Sweeper<S> {
    /// Makes a sweeper that passes every five minutes, in batches of 1000.
    pub fn new(store: S) -> Self {
        Self { store, interval: Duration::from_secs(300), batch: 1000 }
    }

    /// Sets the mean time between passes. Each pause is between half and one and a half of it, at random, so that
    /// the instances of an application do not sweep in step.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets the most records that one call removes; 0 is taken for 1.
    #[must_use]
    pub fn with_batch(mut self, batch: u32) -> Self {
        self.batch = batch.max(1);
        self
    }

    /// Makes one pass: removes what is expired now, batch after batch, until a batch is not full.
    ///
    /// Stops at the first error; what was removed stays removed.
    ///
    /// # Errors
    ///
    /// What [`SessionStore::delete_expired`] refuses with: [`Unavailable`](crate::Error::Unavailable) if no answer came
    /// in time or the backend accepts no writes, [`Backend`](crate::Error::Backend) if it refuses in a way that a retry
    /// does not cure.
    pub async fn pass(&self) -> Result<SweepReport> {
        self.pass_until(pin!(std::future::pending())).await.0
    }

    /// Runs until `stop` is ready: pause, pass, report, again. A failed pass is reported, and the next one comes.
    ///
    /// `sleep` is the runtime's timer. A pass that is under way ends after its current batch and is reported.
    ///
    /// ```
    /// use session_core::Sweeper;
    /// use session_store_memory::MemoryStore;
    /// use std::time::Duration;
    /// use tokio::sync::oneshot;
    ///
    /// #[tokio::main(flavor = "current_thread")]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let store = MemoryStore::new();
    ///     let (stop, stopped) = oneshot::channel::<()>();
    ///     let sweeper = Sweeper::new(store.clone()).with_interval(Duration::from_secs(300));
    ///     let sweeping = tokio::spawn(sweeper.run(
    ///         tokio::time::sleep,
    ///         // Whatever ends the application, for instance `tokio::signal::ctrl_c()`.
    ///         async move { stopped.await.unwrap_or_default() },
    ///         |outcome| match outcome {
    ///             Ok(report) => println!("removed {} sessions", report.removed),
    ///             Err(error) => eprintln!("the sweep failed: {error}"),
    ///         },
    ///     ));
    ///     // Here the application serves requests, with the same store.
    ///     drop(stop);
    ///     Ok(sweeping.await?)
    /// }
    /// ```
    pub async fn run<Sleep, Slept>(
        self,
        sleep: Sleep,
        stop: impl Future<Output = ()>,
        mut report: impl FnMut(Result<SweepReport>),
    ) where
        Sleep: Fn(Duration) -> Slept,
        Slept: Future,
    {
        let mut stop = pin!(stop);
        loop {
            let mut pause = pin!(sleep(self.jittered()));
            let is_stopped = poll_fn(|context| {
                if stop.as_mut().poll(context).is_ready() {
                    Poll::Ready(true)
                } else {
                    pause.as_mut().poll(context).map(|_| false)
                }
            });
            if is_stopped.await {
                return;
            }
            let (outcome, is_stopped) = self.pass_until(stop.as_mut()).await;
            report(outcome);
            if is_stopped {
                return;
            }
        }
    }

    /// Makes one pass that ends early when `stop` is ready after a batch; the flag says whether it was.
    async fn pass_until(&self, mut stop: Pin<&mut impl Future<Output = ()>>) -> (Result<SweepReport>, bool) {
        let start = Instant::now();
        let (mut removed, mut batches) = (0, 0);
        loop {
            let count = match self.store.delete_expired(self.batch).await {
                Ok(count) => count,
                Err(error) => return (Err(error), false),
            };
            removed += u64::from(count);
            batches += 1;
            let is_stopped = poll_fn(|context| Poll::Ready(stop.as_mut().poll(context).is_ready())).await;
            if count < self.batch || is_stopped {
                return (Ok(SweepReport { removed, batches, elapsed: start.elapsed() }), is_stopped);
            }
        }
    }

    fn jittered(&self) -> Duration {
        // Without randomness the pause is the interval itself, which is as good for one instance.
        let share = getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX));
        // The longest intervals have no half more.
        Duration::try_from_secs_f64(self.interval.as_secs_f64() * (0.5 + share)).unwrap_or(Duration::MAX)
    }
}
