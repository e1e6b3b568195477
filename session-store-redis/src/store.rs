//! The seven calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::ConnectionManager;
use session_core::{Clock, Record, Result, Revision, SessionKey, SessionStore, StoreOptions, Timestamp};

use crate::keys::{InvalidPrefix, Place, Prefix};
use crate::link::{Link, Manner, Twice};
use crate::part::PARTS;
use crate::script::{CREATE, Call, DELETE, GRACE, Outcome, QUANTUM, ROTATE, SWEEP, Script, TOUCH, UPDATE};
use crate::server::Server;
use crate::text;

/// Keeps sessions in Redis or Valkey. A clone is a second handle of the same store.
///
/// All names begin with a prefix, the namespace: `sessions` until [`with_prefix`](RedisStore::with_prefix) says otherwise. Every
/// call is one round trip, except where the crate's page says what a cluster cannot do in one. What a
/// script finds it decides about with the store's clock; Redis' own expiry only collects what is over.
#[derive(Clone)]
pub struct RedisStore {
    pub(crate) link: Link,
    pub(crate) prefix: Arc<Prefix>,
    pub(crate) manner: Manner,
    pub(crate) options: StoreOptions,
}

impl RedisStore {
    /// Uses a connection of the application's own, which reconnects by itself.
    ///
    /// Its own time-outs hold beside the [store's](RedisStore::with_timeout); redis' default for an answer is half a second.
    pub fn new(connection: ConnectionManager) -> Self {
        Self::with_link(Link::Managed(connection))
    }

    /// Uses a client of the application's own, and keeps one connection up that all calls share.
    ///
    /// Nothing is connected before the first call. A connection that breaks, or that does not answer in time, is replaced by
    /// the next call.
    pub fn with_client(client: redis::Client) -> Self {
        Self::with_link(Link::Kept(Arc::new(Server::at(client))))
    }

    /// Uses the master that Sentinel names, and asks again whenever the connection breaks or leads to a replica.
    ///
    /// The client must be one for masters, or every write is refused with [`Unavailable`](session_core::Error::Unavailable).
    #[cfg(feature = "sentinel")]
    pub fn with_sentinel(client: redis::sentinel::SentinelClient) -> Self {
        Self::with_link(Link::Kept(Arc::new(Server::of_sentinel(client))))
    }

    /// Uses a connection to a cluster. Its own time-outs and retries hold beside the [store's](RedisStore::with_timeout).
    ///
    /// Everything is read from masters, whatever the connection does with other reads.
    #[cfg(feature = "cluster")]
    pub fn with_cluster(connection: redis::cluster_async::ClusterConnection) -> Self {
        Self::with_link(Link::Cluster(connection))
    }

    fn with_link(link: Link) -> Self {
        let manner = Manner { timeout: Duration::from_secs(5), replicas: 0 };
        Self { link, prefix: Arc::new(Prefix::sessions()), manner, options: StoreOptions::default() }
    }

    /// Sets what all keys begin with, for this handle and the clones made from it: its namespace.
    ///
    /// Refuses a prefix that is empty, too long, or has braces or control characters (`NAMESPACE-02`).
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, InvalidPrefix> {
        self.prefix = Arc::new(Prefix::parse(prefix)?);
        Ok(self)
    }

    /// Sets the clock that decides whether a session is live, for this handle and the clones made from it.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.options.clock = Arc::new(clock);
        self
    }

    /// Sets the most bytes of data that a record may have, for this handle and the clones made from it (`DATA-02`).
    #[must_use]
    pub fn with_max_data_bytes(mut self, bytes: usize) -> Self {
        self.options.max_data_bytes = bytes;
        self
    }

    /// Sets after how long a command is given up with [`Unavailable`](session_core::Error::Unavailable); 5 seconds unless
    /// said otherwise. A write that was given up may have been carried out all the same.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.manner.timeout = timeout;
        self
    }

    /// Sets how many replicas must have a write before it is acknowledged (`WAIT`); none unless said otherwise.
    ///
    /// Redis copies writes to replicas after it has answered. Without this, what was acknowledged just before a master died,
    /// a logout among it, may be undone by the replica that takes over. A write that not enough replicas have within a quarter
    /// of a second is refused with [`Unavailable`](session_core::Error::Unavailable), though the master has carried it out.
    /// Meanwhile other calls on the same connection wait. So have one replica more than you ask for: with one that is gone, or
    /// that took over, the store goes on.
    #[must_use]
    pub fn with_replicas_acknowledging(mut self, replicas: u32) -> Self {
        self.manner.replicas = replicas;
        self
    }

    /// Returns how long from now Redis shall keep what expires at `expires_at`, or later by less than a quantum, in milliseconds.
    pub(crate) fn time_to_live(expires_at: Timestamp, now: Timestamp) -> i64 {
        millis(expires_at.saturating_since(now).saturating_add(GRACE + QUANTUM))
    }

    /// Returns what a script declares beside the keys that it uses: in a cluster, two names that nothing is stored under.
    ///
    /// While a slot moves, its keys are on two nodes, and a script would take for absent what the other node has. But a node that has
    /// only some of the declared keys runs no script (`TRYAGAIN`): so none runs until the slot has moved.
    pub(crate) fn guards(&self, part: u16) -> Vec<String> {
        #[cfg(feature = "cluster")]
        if self.link.is_cluster() {
            return self.prefix.never(part).into();
        }
        let _ = part;
        Vec::new()
    }

    /// Begins the call of a script about a range of parts: about all sessions in it, or about an owner's.
    pub(crate) fn about_parts(
        &self,
        script: &'static Script,
        (first, last): (u16, u16),
        owner: &str,
        now: Timestamp,
    ) -> Call {
        let call = script.call(&[], &self.guards(first)).arg(self.prefix.as_str()).number(now.unix_millis());
        call.number(first).number(last).arg(owner)
    }

    /// Returns the ranges of parts that one script may touch: in a cluster each part is for itself.
    pub(crate) fn ranges(&self) -> Vec<(u16, u16)> {
        if self.link.is_cluster() { (0..PARTS).map(|part| (part, part)).collect() } else { vec![(0, PARTS - 1)] }
    }

    /// Runs a script about one session.
    #[cfg(feature = "cluster")]
    async fn outcome(&self, place: &Place, call: &Call, twice: Twice, want: Want) -> Result<Outcome> {
        self.settled(place, call, twice, want).await
    }

    /// Runs a script about one session.
    #[cfg(not(feature = "cluster"))]
    async fn outcome(&self, place: &Place, call: &Call, twice: Twice, _: Want) -> Result<Outcome> {
        Outcome::of(self.link.write(place.part, call, twice, self.manner).await?)
    }
}

#[async_trait]
impl SessionStore for RedisStore {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        let (place, now, fresh) = (self.prefix.place_of(key), self.options.now(), Revision::fresh());
        let ttl = Self::time_to_live(record.expires_at, now);
        let payload = self.payload(&place, record, fresh, ttl);
        let call = CREATE.writing(&[&place.record], &self.guards(place.part), &payload).number(now.unix_millis());
        let call = call.number(ttl).number(place.set).payload(payload);
        self.outcome(&place, &call, Twice::Known, Want::Key).await?.done().map(|()| fresh)
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        // What is live when the call begins is not absent, even if the answer takes a while.
        let (place, now) = (self.prefix.place_of(key), self.options.now());
        match self.link.get(place.part, &place.record, self.manner).await? {
            #[cfg(feature = "cluster")]
            Some(stored) if text::pending(&stored)?.is_some() => self.load_pending(&place, stored, now).await,
            Some(stored) => text::read(&stored, now),
            None => Ok(None),
        }
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        let (place, now, fresh) = (self.prefix.place_of(key), self.options.now(), Revision::fresh());
        let ttl = Self::time_to_live(record.expires_at, now);
        let payload = self.payload(&place, record, fresh, ttl);
        let call = UPDATE.writing(&[&place.record], &self.guards(place.part), &payload).number(now.unix_millis());
        let call = call.arg(text::revision_text(expected)).number(ttl).number(place.set).payload(payload);
        self.outcome(&place, &call, Twice::Known, Want::Record).await?.done().map(|()| fresh)
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        let (place, now) = (self.prefix.place_of(key), self.options.now());
        let call = TOUCH.call(&[&place.record], &self.guards(place.part)).number(now.unix_millis());
        let call = call.arg(text::time_text(expires_at));
        let call = call.number(Self::time_to_live(expires_at, now)).number(place.set);
        self.outcome(&place, &call, Twice::Same, Want::Record).await?.done()
    }

    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Revision> {
        self.options.check_size(record)?;
        let (old, new) = (self.prefix.place_of(old), self.prefix.place_of(new));
        #[cfg(feature = "cluster")]
        if self.link.is_cluster() && old.part != new.part {
            return self.rotate_in_steps(&old, expected, &new, record).await;
        }
        let (now, fresh) = (self.options.now(), Revision::fresh());
        let ttl = Self::time_to_live(record.expires_at, now);
        let payload = self.payload(&new, record, fresh, ttl);
        let keys = [&*old.record, &new.record];
        let call = ROTATE.writing(&keys, &self.guards(old.part), &payload).number(now.unix_millis());
        let call = call.arg(text::revision_text(expected)).number(ttl).number(old.set).number(new.set);
        let call = call.payload(payload);
        #[cfg(feature = "cluster")]
        let outcome = self.rotate_in_part(&old, &new, &call).await?;
        #[cfg(not(feature = "cluster"))]
        let outcome = self.outcome(&old, &call, Twice::Known, Want::Record).await?;
        outcome.done().map(|()| fresh)
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        let place = self.prefix.place_of(key);
        let call = DELETE.call(&[&place.record], &self.guards(place.part));
        let call = call.number(self.options.now().unix_millis()).number(place.set);
        Ok(self.outcome(&place, &call, Twice::Differs, Want::Record).await? == Outcome::Done)
    }

    /// Removes what is over by the store's clock, though Redis will collect it too, and trims the index.
    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        let mut left = limit;
        for range in self.ranges() {
            while left > 0 {
                let most = left.min(MOST);
                let call = self.about_parts(&SWEEP, range, "", self.options.now()).number(most);
                let removed: u32 = self.link.write(range.0, &call, Twice::Differs, self.manner).await?;
                left = left.saturating_sub(removed);
                if removed < most {
                    break;
                }
            }
        }
        Ok(limit - left)
    }
}

/// How many sessions one script lists or removes at most, so that it does not keep Redis busy for long. The next one follows.
pub(crate) const MOST: u32 = 1000;

/// What a writer wants of a key that a rotation has reserved and not yet moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// The record, which is not there yet.
    Record,
    /// The key for itself.
    Key,
}

pub(crate) fn millis(duration: Duration) -> i64 {
    // Durations here end before the year 9999.
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { link, prefix, manner, options } = self;
        let mut store = f.debug_struct("RedisStore");
        store.field("redis", link).field("prefix", &prefix.as_str()).field("manner", manner);
        store.field("options", options).finish()
    }
}
