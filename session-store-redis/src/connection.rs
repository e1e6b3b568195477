//! The connections: made in tasks of their own, a set for each runtime, and looked at after a pause.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt, Shared};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionInfo, RedisError, RedisResult};
use tokio::runtime::{Handle, Id};

/// How long an attempt to connect may take. Calls do not wait for it longer than they would.
const MOST_CONNECTING: Duration = Duration::from_secs(10);

/// How long a failed attempt is everybody's answer, so that they do not all try again.
const AFTER_FAILURE: Duration = Duration::from_millis(50);

/// After how long without an answer a connection is asked whether it is still there: a server, or what is between, may have dropped it.
const PAUSE: Duration = Duration::from_secs(1);

/// How many connections are remembered, those of runtimes that have ended among them.
const MOST: usize = 64;

/// Where Redis is. The client of a cluster is made anew for each connection, so that it belongs to one runtime.
pub(crate) enum Source {
    Server(Box<Client>),
    #[cfg(feature = "sentinel")]
    Sentinel(Box<crate::sentinel::Service>),
    #[cfg(feature = "cluster")]
    Cluster(Box<Make>),
}

#[cfg(feature = "cluster")]
type Make = dyn Fn() -> redis::cluster::ClusterClientBuilder + Send + Sync;

/// Which of two connections a call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Of one server: for short calls. Of a cluster: for what may be sent again by its client.
    First,
    /// Of one server: for long records, so that others do not wait behind them. Of a cluster: for what is sent once.
    Second,
}

/// A connection to the server, or to all of a cluster.
#[derive(Clone)]
pub(crate) enum Line {
    Server(MultiplexedConnection),
    #[cfg(feature = "cluster")]
    Cluster(redis::cluster_async::ClusterConnection),
}

pub(crate) struct Connections {
    source: Arc<Source>,
    slots: Mutex<Vec<Slot>>,
    count: AtomicU64,
}

/// A connection that is there, or on its way, or has failed.
#[derive(Clone)]
pub(crate) struct Slot {
    number: u64,
    runtime: Id,
    lane: Lane,
    line: Shared<BoxFuture<'static, RedisResult<Line>>>,
    /// When something was heard from it last.
    heard: Arc<AtomicU64>,
}

impl Connections {
    pub(crate) fn new(source: Source) -> Self {
        Self { source: Arc::new(source), slots: Mutex::default(), count: AtomicU64::new(0) }
    }

    pub(crate) fn is_cluster(&self) -> bool {
        #[cfg(feature = "cluster")]
        if matches!(*self.source, Source::Cluster(_)) {
            return true;
        }
        false
    }

    /// Returns the connection of this runtime, or waits for the one that is being made. After a pause it is asked whether it is still
    /// there, for as long as `patience` says.
    pub(crate) async fn connection(&self, lane: Lane, patience: Duration) -> RedisResult<(Slot, Line)> {
        let slot = self.slot(lane);
        let line = slot.line.clone().await?;
        if slot.is_still_there(&line, patience).await {
            return Ok((slot, line));
        }
        self.give_up(&slot);
        let slot = self.slot(lane);
        let line = slot.line.clone().await?;
        Ok((slot, line))
    }

    /// Lets the next call make another connection. Calls that wait on this one are not disturbed.
    pub(crate) fn give_up(&self, given: &Slot) {
        self.slots().retain(|slot| slot.number != given.number);
    }

    /// The same after a call that had no answer in its time, of the connections that have answered nobody meanwhile: the other end may be
    /// gone without a word. What is being made goes on.
    pub(crate) fn give_up_what_is_silent(&self, time: Duration) {
        let runtime = Handle::current().id();
        let is_silent = |slot: &Slot| slot.runtime == runtime && slot.line.peek().is_some() && slot.idle() >= time;
        self.slots().retain(|slot| !is_silent(slot));
    }

    fn slot(&self, lane: Lane) -> Slot {
        let runtime = Handle::current();
        let mut slots = self.slots();
        let place = slots.iter().position(|slot| slot.runtime == runtime.id() && slot.lane == lane);
        if let Some(place) = place {
            if !slots[place].has_failed() {
                return slots[place].clone();
            }
            slots.remove(place);
        } else if slots.len() == MOST {
            slots.remove(0);
        }
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let heard = Arc::new(AtomicU64::new(millis()));
        let (source, at) = (Arc::clone(&self.source), Arc::clone(&heard));
        // It goes on when the call that asked for it has been given up.
        let task = runtime.spawn(async move {
            let line = tokio::time::timeout(MOST_CONNECTING, source.connect(lane)).await;
            at.store(millis(), Ordering::Relaxed);
            line.unwrap_or_else(|_| Err(RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))))
        });
        let line = async move { task.await.unwrap_or_else(|_| Err(ended())) }.boxed().shared();
        let slot = Slot { number, runtime: runtime.id(), lane, line, heard };
        slots.push(slot.clone());
        slot
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, Vec<Slot>> {
        // Each change is one step, so a panic elsewhere cannot leave half of one behind.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Notes that an answer has come.
    pub(crate) fn has_answered(&self) {
        self.heard.store(millis(), Ordering::Relaxed);
    }

    /// For how long nothing has been heard.
    fn idle(&self) -> Duration {
        Duration::from_millis(millis().saturating_sub(self.heard.load(Ordering::Relaxed)))
    }

    fn has_failed(&self) -> bool {
        matches!(self.line.peek(), Some(Err(_))) && self.idle() > AFTER_FAILURE
    }

    async fn is_still_there(&self, line: &Line, patience: Duration) -> bool {
        match line {
            Line::Server(line) if self.idle() > PAUSE => {
                let (mut line, ping): (_, Cmd) = (line.clone(), redis::cmd("PING"));
                let answer = tokio::time::timeout(patience.min(PAUSE), ping.exec_async(&mut line)).await;
                let is_there = matches!(answer, Ok(Ok(())));
                if is_there {
                    self.has_answered();
                }
                is_there
            }
            _ => true,
        }
    }
}

impl Source {
    async fn connect(&self, lane: Lane) -> RedisResult<Line> {
        #[cfg(feature = "tls")]
        name_the_cryptography();
        // Of one server both are alike.
        let _ = lane;
        match self {
            Self::Server(client) => to(client.get_connection_info().clone()).await.map(Line::Server),
            #[cfg(feature = "sentinel")]
            Self::Sentinel(service) => service.connect().await.map(Line::Server),
            #[cfg(feature = "cluster")]
            Self::Cluster(make) => {
                let builder = make();
                let builder = if lane == Lane::Second { builder.retries(0) } else { builder };
                let builder = builder.tcp_settings(tcp_settings()).overall_response_timeout(None);
                builder.build()?.get_async_connection().await.map(Line::Cluster)
            }
        }
    }
}

/// Connects to a server.
pub(crate) async fn to(server: ConnectionInfo) -> RedisResult<MultiplexedConnection> {
    // The time-outs are those of the calls and of the attempt; many calls are under way at once.
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_connection_timeout(None)
        .set_pipeline_buffer_size(1024);
    let client = Client::open(server.set_tcp_settings(tcp_settings()))?;
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// An answer does not wait for the next packet, and a connection whose bytes nobody acknowledges is broken.
fn tcp_settings() -> redis::io::tcp::TcpSettings {
    let settings = redis::io::tcp::TcpSettings::default().set_nodelay(true);
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let settings = settings.set_user_timeout(Duration::from_secs(5));
    settings
}

/// Chooses for redis, which leaves it open and panics where an application has two.
#[cfg(feature = "tls")]
fn name_the_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // That somebody else was quicker is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}

fn ended() -> RedisError {
    RedisError::from(std::io::Error::other("the runtime of the connection has ended"))
}

/// The milliseconds since the first call.
fn millis() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An address may come with a password.
        f.write_str(if self.is_cluster() { "cluster" } else { "one server" })
    }
}
