//! What the factory of a store is given: a namespace of its own, the clock of the case, and lines to its server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use session_core::{Clock, ManualClock, SystemClock, Timestamp};

use crate::case::Case;
use crate::gate::Gate;
use crate::hooks::Need;
use crate::proxy::Proxy;

/// The namespace and the clock that a store is opened with.
///
/// Every case has a space of its own, so that cases can run in parallel on one server. The clock stands still and is
/// moved by the case; a store that takes it needs no waiting for an expiry. A store that reaches its server over the
/// space's [lines](Self::lines_to) shows the case its round trips, and meets outages.
#[derive(Debug, Clone)]
pub struct Space {
    namespace: String,
    clock: Arc<ManualClock>,
    /// Of this handle of the store, and of no other.
    gate: Arc<Gate>,
    lines: Arc<Mutex<Vec<Proxy>>>,
    /// The case looks at the lines; else there need be none.
    is_watched: bool,
    /// The time-out that the case wants, if it is about waiting.
    timeout: Option<Duration>,
}

impl Space {
    /// Makes the space of a case: a name that no other case and no other run uses.
    pub(crate) fn fresh(case: &Case) -> Self {
        let name = case.id.to_lowercase().replace('-', "_");
        let unique = session_core::Revision::fresh().number() & 0xffff_ffff_ffff;
        let looks = |need: &Need| matches!(need, Need::RoundTrips | Need::Gaps | Need::Outage | Need::Lines);
        let is_watched = case.needs.iter().any(looks);
        Self { is_watched, timeout: case.timeout(), ..Self::at(format!("ct_{name}_{unique:012x}"), SystemClock.now()) }
    }

    /// Makes a space of a given name, whose clock stands at `now`.
    pub(crate) fn at(namespace: String, now: Timestamp) -> Self {
        let gate = Arc::new(Gate::open_wide());
        let clock = Arc::new(ManualClock::new(now));
        Self { namespace, clock, gate, lines: Arc::default(), is_watched: false, timeout: None }
    }

    /// Makes another space with the same clock.
    pub(crate) fn named(&self, namespace: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), ..self.clone() }
    }

    /// Makes the same space for another handle, which has a gate and lines of its own.
    pub(crate) fn for_another_handle(&self) -> Self {
        Self { gate: Arc::new(Gate::open_wide()), lines: Arc::default(), ..self.clone() }
    }

    /// Returns the name for the table, prefix, collection or folder.
    ///
    /// It is a lower-case letter followed by at most 40 lower-case letters, digits and underscores, except in the
    /// cases about namespaces, where it is anything at all and the factory may refuse it.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns the clock that the store shall ask.
    pub fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }

    /// Returns the time-out that the store's calls shall have, where the case is about waiting; else `None`: the store's default.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Returns the gate that the round trips of this handle pass.
    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    /// Lays lines to servers, which are given as `host:port`, and returns where the store shall go instead, in the same order. That
    /// is to the servers themselves where the case does not look at the lines.
    ///
    /// Servers that tell a client where the others are, as those of a cluster do, are named in one call: where one names
    /// the port of another, with a colon or a line break before it and a carriage return or a zero byte after it, the store reads the
    /// line's port. They must then all listen on 127.0.0.1, at ports of five digits.
    ///
    /// The lines stay until the case is over. Fails when no local port can be had, or if there are several servers and one of
    /// them is elsewhere.
    pub async fn lines_to<'a>(&self, servers: impl IntoIterator<Item = &'a str>) -> std::io::Result<Vec<String>> {
        if !self.is_watched {
            return Ok(servers.into_iter().map(str::to_owned).collect());
        }
        let proxies = Proxy::open_all(servers, &self.gate).await?;
        let addresses = proxies.iter().map(|proxy| proxy.address().to_string()).collect();
        self.lines().extend(proxies);
        Ok(addresses)
    }

    pub(crate) fn lines(&self) -> MutexGuard<'_, Vec<Proxy>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
