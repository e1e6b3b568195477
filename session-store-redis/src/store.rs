//! The seven calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use session_core::{Clock, Record, Result, Revision, SessionKey, SessionStore, StoreOptions, Timestamp};

use crate::ask::{Manner, Twice};
use crate::connection::{Connections, Source};
use crate::names::{InvalidPrefix, Names, Place};
use crate::record;
use crate::script::{CREATE, Call, DELETE, GRACE, Outcome, ROTATE, SWEEP, Script, TOUCH, UPDATE};

/// Keeps sessions in Redis or Valkey. A clone is a second handle of the same store.
///
/// All names begin with a prefix, the namespace: `sessions` until [`with_prefix`](RedisStore::with_prefix) says otherwise. Every
/// call is one round trip, except where the crate's page says what a cluster cannot do in one. What a
/// script finds it decides about with the store's clock; Redis' own expiry only collects what is over.
///
/// Nothing is connected before the first call, and each tokio runtime that calls has connections of its own. They are made in tasks
/// that go on when the call that asked for them is given up, and one that breaks, or does not answer in time, is replaced.
#[derive(Clone)]
pub struct RedisStore {
    pub(crate) connections: Arc<Connections>,
    pub(crate) names: Names,
    pub(crate) manner: Manner,
    pub(crate) options: StoreOptions,
}

impl RedisStore {
    /// Uses the server that a client of the application's own leads to.
    pub fn with_client(client: redis::Client) -> Self {
        Self::over(Source::Server(Box::new(client)))
    }

    /// Uses the master that Sentinel names for a service, and asks again whenever the connection breaks or leads to a replica.
    ///
    /// `master` says how to connect to it: its user, password, database and certificates; its address is what Sentinel says.
    #[cfg(feature = "sentinel")]
    pub fn with_sentinel(
        sentinels: Vec<redis::ConnectionInfo>,
        service: impl Into<String>,
        master: redis::ConnectionInfo,
    ) -> Self {
        Self::over(Source::Sentinel(Box::new(crate::sentinel::Service { name: service.into(), sentinels, master })))
    }

    /// Uses a cluster. The client is built anew for each connection; its own time-outs hold beside the
    /// [store's](RedisStore::with_timeout), and everything is read from masters, whatever it does with other reads.
    #[cfg(feature = "cluster")]
    pub fn with_cluster(client: impl Fn() -> redis::cluster::ClusterClientBuilder + Send + Sync + 'static) -> Self {
        Self::over(Source::Cluster(Box::new(client)))
    }

    pub(crate) fn over(source: Source) -> Self {
        let connections = Connections::new(source);
        let manner = Manner { timeout: Duration::from_secs(5), replicas: 0 };
        let names = Names::of_sessions(connections.is_cluster());
        Self { connections: Arc::new(connections), names, manner, options: StoreOptions::default() }
    }

    /// Sets what all keys begin with, for this handle and the clones made from it: its namespace.
    ///
    /// Refuses a prefix that is empty, too long, or has braces or control characters (`NAMESPACE-02`).
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, InvalidPrefix> {
        self.names = self.names.with_prefix(prefix)?;
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

    /// Returns for how many milliseconds from now Redis keeps what expires then.
    pub(crate) fn time_to_live(expires_at: Timestamp, now: Timestamp) -> i64 {
        millis(expires_at.saturating_since(now).saturating_add(GRACE))
    }

    /// Begins the call of a script about one session, which it brings a record or not.
    fn about(&self, script: &'static Script, place: &Place, now: Timestamp, bytes: usize) -> Call {
        script.call_with_room(&self.names, place.part, &[&place.record], bytes).time(now)
    }

    /// Begins the call of a script about a part.
    pub(crate) fn about_part(&self, script: &'static Script, part: u16) -> Call {
        script.call(&self.names, part, &[]).arg(self.names.base(part)).time(self.options.now())
    }

    /// Runs a script about one session.
    async fn outcome(&self, place: &Place, call: &Call, twice: Twice, want: Want) -> Result<Outcome> {
        #[cfg(feature = "cluster")]
        if self.names.is_cluster() {
            return self.settled(place, call, twice, want).await;
        }
        let _ = (place, want);
        Outcome::of(self.write(call, twice).await?)
    }
}

#[async_trait]
impl SessionStore for RedisStore {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        let (place, now, fresh) = (self.names.place_of(key), self.options.now(), Revision::fresh());
        let ttl = Self::time_to_live(record.expires_at, now);
        let text = record::write(record, fresh);
        let call = self.about(&CREATE, &place, now, text.len()).time(now.saturating_sub(GRACE)).number(ttl).arg(text);
        // A second one could make live again what has ended since the first.
        self.outcome(&place, &call, Twice::Never, Want::Key).await?.done().map(|()| fresh)
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        // What is live when the call begins is not absent, even if the answer takes a while.
        let (place, now) = (self.names.place_of(key), self.options.now());
        match self.get(place.part, &place.record).await? {
            #[cfg(feature = "cluster")]
            Some(stored) if record::pending(&stored)?.is_some() => self.load_pending(&place, stored, now).await,
            Some(stored) => record::read(&stored, now),
            None => Ok(None),
        }
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        let (place, now, fresh) = (self.names.place_of(key), self.options.now(), Revision::fresh());
        let ttl = Self::time_to_live(record.expires_at, now);
        let text = record::write(record, fresh);
        let call = self.about(&UPDATE, &place, now, text.len()).arg(record::revision_text(expected));
        let call = call.number(ttl).arg(text);
        self.outcome(&place, &call, Twice::Known, Want::Record).await?.done().map(|()| fresh)
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        let (place, now) = (self.names.place_of(key), self.options.now());
        let ttl = Self::time_to_live(expires_at, now);
        let call = self.about(&TOUCH, &place, now, 0).time(expires_at).number(ttl);
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
        let (old, new) = (self.names.place_of(old), self.names.place_of(new));
        #[cfg(feature = "cluster")]
        if old.part != new.part {
            return self.rotate_in_steps(&old, expected, &new, record).await;
        }
        let (now, fresh) = (self.options.now(), Revision::fresh());
        let ttl = Self::time_to_live(record.expires_at, now);
        let text = record::write(record, fresh);
        let call = ROTATE.call_with_room(&self.names, old.part, &[&old.record, &new.record], text.len()).time(now);
        let call = call.arg(record::revision_text(expected)).number(ttl).arg(text);
        #[cfg(feature = "cluster")]
        let outcome = self.rotate_in_part(&old, &new, &call).await?;
        #[cfg(not(feature = "cluster"))]
        let outcome = self.outcome(&old, &call, Twice::Known, Want::Record).await?;
        outcome.done().map(|()| fresh)
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        let (place, now) = (self.names.place_of(key), self.options.now());
        let call = self.about(&DELETE, &place, now, 0);
        Ok(self.outcome(&place, &call, Twice::Never, Want::Record).await? == Outcome::Done)
    }

    /// Removes what is over by the store's clock, though Redis will collect it too, and trims the index: in steps of 500 sessions.
    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        let mut left = limit;
        for part in self.names.parts() {
            let (mut set, mut passed) = (0, 0);
            while left > 0 && set >= 0 {
                let call = self.about_part(&SWEEP, part).number(set).number(passed).number(left);
                let removed: u32;
                (removed, set, passed) = self.write::<(u32, i64, i64)>(&call, Twice::Never).await?;
                left = left.saturating_sub(removed);
            }
        }
        Ok(limit - left)
    }
}

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
        let Self { connections, names, manner, options } = self;
        let mut store = f.debug_struct("RedisStore");
        store.field("redis", connections).field("prefix", &names.prefix()).field("manner", manner);
        store.field("options", options).finish()
    }
}
