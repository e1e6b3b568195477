//! A connection to one server that is replaced when it breaks, or when Sentinel has named another master.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult};

/// How long a failed attempt to connect is everybody's answer: those who wait for it do not all try again.
const PAUSE: Duration = Duration::from_millis(10);

/// One connection at a time, shared by all calls.
pub(crate) struct Server {
    source: Source,
    config: AsyncConnectionConfig,
    current: Mutex<Option<Numbered>>,
    /// Held by the one who connects.
    attempt: tokio::sync::Mutex<Attempts>,
}

enum Source {
    Address(Box<Client>),
    #[cfg(feature = "sentinel")]
    Sentinel(Box<tokio::sync::Mutex<redis::sentinel::SentinelClient>>),
}

#[derive(Default)]
struct Attempts {
    count: u64,
    failed: Option<(Instant, RedisError)>,
}

/// A connection, with its number, so that nobody gives up a newer one than the one that failed.
#[derive(Clone)]
pub(crate) struct Numbered {
    number: u64,
    since: Instant,
    pub(crate) line: MultiplexedConnection,
}

impl Server {
    pub(crate) fn at(client: Client) -> Self {
        Self::new(Source::Address(Box::new(client)))
    }

    #[cfg(feature = "sentinel")]
    pub(crate) fn of_sentinel(client: redis::sentinel::SentinelClient) -> Self {
        Self::new(Source::Sentinel(Box::new(tokio::sync::Mutex::new(client))))
    }

    fn new(source: Source) -> Self {
        // The time-out of a call is the store's; many calls are under way at once.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(Some(Duration::from_secs(2)))
            .set_pipeline_buffer_size(1024);
        Self { source, config, current: Mutex::new(None), attempt: tokio::sync::Mutex::default() }
    }

    /// Returns the connection, or makes one.
    pub(crate) async fn connection(&self) -> RedisResult<Numbered> {
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let mut attempts = self.attempt.lock().await;
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        if let Some((_, error)) = attempts.failed.as_ref().filter(|(when, _)| when.elapsed() < PAUSE) {
            return Err(error.clone());
        }
        match self.connect().await {
            Ok(line) => {
                attempts.count += 1;
                attempts.failed = None;
                let connection = Numbered { number: attempts.count, since: Instant::now(), line };
                *self.lock() = Some(connection.clone());
                Ok(connection)
            }
            Err(error) => {
                attempts.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Lets the next call make another connection. Calls that wait on this one are not disturbed.
    pub(crate) fn give_up(&self, connection: &Numbered) {
        let mut current = self.lock();
        if current.as_ref().is_some_and(|current| current.number == connection.number) {
            *current = None;
        }
    }

    /// The same after a call that began at `start` had no answer: the other end may be gone without a word.
    pub(crate) fn give_up_older_than(&self, start: Instant) {
        let mut current = self.lock();
        if current.as_ref().is_some_and(|current| current.since <= start) {
            *current = None;
        }
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        match &self.source {
            Source::Address(client) => client.get_multiplexed_async_connection_with_config(&self.config).await,
            #[cfg(feature = "sentinel")]
            Source::Sentinel(sentinel) => sentinel.lock().await.get_async_connection_with_config(&self.config).await,
        }
    }

    fn current(&self) -> Option<Numbered> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Numbered>> {
        // The option is written whole, so a panic elsewhere cannot leave half of one behind.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An address may come with a password.
        f.write_str("Server")
    }
}
