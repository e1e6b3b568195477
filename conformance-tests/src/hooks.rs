//! What a harness can do beside opening the store. A case that needs what a harness lacks is ignored, with the reason.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use session_core::{BoxError, SessionIndex, SessionKey, SessionStore};

use crate::Space;

pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;
pub(crate) type Open<T> = Arc<dyn Fn(Space) -> Boxed<T> + Send + Sync>;
pub(crate) type OpenPair = Arc<dyn Fn(Space, Space) -> Boxed<(Handle, Handle)> + Send + Sync>;
/// What holds a lock until it is dropped.
pub(crate) type Lock = Box<dyn Any + Send>;
pub(crate) type Hook<A, T> = Arc<dyn Fn(Space, A) -> Boxed<T> + Send + Sync>;

/// What a case may need of the harness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Need {
    /// The store implements the index.
    Index,
    /// The store asks the clock that it is given.
    Clock,
    /// Time can pass: the store asks the given clock, or records can be aged.
    Time,
    /// A second handle on the same records.
    Handles,
    /// The factory can be called again for the same records.
    Opening,
    /// A handle in a second process.
    Processes,
    /// A view of everything that the backend keeps.
    Raw,
    /// A way to damage what is stored.
    Damage,
    /// A counter of round trips.
    RoundTrips,
    /// A way to hold a call up between two of its round trips.
    Gaps,
    /// A way to stop the backend and to start it again.
    Outage,
    /// Lines to the servers that the suite lays.
    Lines,
    /// A way to hold a record's lock in the backend.
    Lock,
    /// The same, where the lock holds up no call about another record.
    RecordLock,
    /// A way to let the backend's own expiry run.
    Collection,
    /// A view of all bytes that the backend keeps.
    Bytes,
    /// A counter of the backend's own work.
    Work,
    /// A way to leave the backend no room for more.
    Full,
    /// A way to replace a namespace behind the store's back.
    Replacement,
}

impl Need {
    /// Says in a clause why a case that needs this cannot run.
    pub(crate) fn lack(self) -> &'static str {
        match self {
            Self::Index => "the store has no index",
            Self::Clock => "the store does not ask the suite's clock",
            Self::Time => "the store does not ask the suite's clock and its records cannot be aged",
            Self::Handles => "the harness has no second handle",
            Self::Opening => "the harness cannot open the same records twice",
            Self::Processes => "the harness has no second process",
            Self::Raw => "the harness has no raw view of what is stored",
            Self::Damage => "the harness cannot damage what is stored",
            Self::RoundTrips => "the harness does not count round trips",
            Self::Gaps => "the harness cannot hold a call up between two of its round trips",
            Self::Outage => "the harness cannot stop the backend",
            Self::Lines => "the store reaches its backend over no line of the suite's",
            Self::Lock => "the harness holds no lock in the backend",
            Self::RecordLock => "the harness holds no lock of one record alone in the backend",
            Self::Collection => "the backend has no expiry of its own, or the harness cannot let it run",
            Self::Bytes => "the harness does not show the bytes that the backend keeps",
            Self::Full => "the harness cannot fill the backend up",
            Self::Replacement => "the harness does not replace a namespace behind the store's back",
            Self::Work => "the harness does not count the backend's own work",
        }
    }
}

/// What the `damage` hook shall do to a stored record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// Replace the stored data by this text, which is not a JSON object, and leave everything else.
    Data(&'static str),
    /// Mark the record as stored in a format version that does not exist.
    Format,
}

/// What the `outage` hook shall do to the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outage {
    /// Make the backend unreachable, or unable to answer.
    Begin,
    /// Bring it back, with what was stored.
    End,
}

/// A store as the suite holds it.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) index: Option<Arc<dyn SessionIndex>>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("has_index", &self.index.is_some()).finish_non_exhaustive()
    }
}

/// Opens the handles of a case.
#[derive(Clone)]
pub(crate) struct Factory {
    /// Opens the store of a space.
    pub(crate) open: Open<Handle>,
    /// Opens the store of a space with a second handle on the same records, if the harness can.
    pub(crate) open_pair: Option<OpenPair>,
}

/// The optional abilities of a harness.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) age: Option<Hook<(SessionKey, Duration), ()>>,
    pub(crate) raw: Option<Hook<(), Vec<String>>>,
    pub(crate) damage: Option<Hook<(SessionKey, Damage), ()>>,
    pub(crate) round_trips: Option<Hook<(), u64>>,
    pub(crate) outage: Option<Hook<Outage, ()>>,
    pub(crate) lock: Option<Hook<SessionKey, Lock>>,
    pub(crate) collect: Option<Hook<(), ()>>,
    pub(crate) bytes: Option<Hook<(), Vec<Vec<u8>>>>,
    pub(crate) work: Option<Hook<(), u64>>,
    pub(crate) fill: Option<Hook<Outage, ()>>,
    pub(crate) replace: Option<Hook<(), ()>>,
    /// The store does not ask the suite's clock.
    pub(crate) has_other_clock: bool,
    /// The store reaches its servers over the lines of its space.
    pub(crate) uses_lines: bool,
    /// How many round trips the calls make that do not make one.
    pub(crate) costs: BTreeMap<&'static str, RangeInclusive<u64>>,
    /// How many greetings a driver waits for in a row, where it is not four.
    pub(crate) greetings: Option<u32>,
    /// The format version is in the data.
    pub(crate) formats_data: bool,
    /// The backend collects expired records by itself, so that a sweep may find less.
    pub(crate) collects_garbage: bool,
}
