//! What the factory of a store is given: a namespace of its own and the clock of the case.

use std::sync::Arc;

use session_core::{Clock, ManualClock, SystemClock, Timestamp};

/// The namespace and the clock that a store is opened with.
///
/// Every case has a space of its own, so that cases can run in parallel on one server. The clock stands still and is
/// moved by the case; a store that takes it needs no waiting for an expiry.
#[derive(Debug, Clone)]
pub struct Space {
    namespace: String,
    clock: Arc<ManualClock>,
}

impl Space {
    /// Makes the space of a case: a name that no other case and no other run uses.
    pub(crate) fn fresh(case: &str) -> Self {
        let name = case.to_lowercase().replace('-', "_");
        let unique = session_core::Revision::fresh().number() & 0xffff_ffff_ffff;
        Self::at(format!("ct_{name}_{unique:012x}"), SystemClock.now())
    }

    /// Makes a space of a given name, whose clock stands at `now`.
    pub(crate) fn at(namespace: String, now: Timestamp) -> Self {
        Self { namespace, clock: Arc::new(ManualClock::new(now)) }
    }

    /// Makes another space with the same clock.
    pub(crate) fn named(&self, namespace: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), clock: Arc::clone(&self.clock) }
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
}
