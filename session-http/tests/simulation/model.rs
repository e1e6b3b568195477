//! What has to hold, looked at after every write of the store and at every answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use session_core::{Record, Revision, SessionKey, Timestamp};
use session_store_memory::MemoryStore;

use crate::act::Job;
use crate::call::Call;

/// The sessions that there are, what was written into them, and what was found wrong.
#[derive(Debug, Default)]
pub(crate) struct Model(Mutex<Known>);

#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Every key that was ever seen, and its place among these, which is its name in a trace.
    pub(crate) names: BTreeMap<SessionKey, usize>,
    pub(crate) live: BTreeMap<SessionKey, Live>,
    /// Every key that was ever live. Keys that were rotated from one another share a number.
    pub(crate) lines: BTreeMap<SessionKey, usize>,
    pub(crate) deaths: BTreeMap<SessionKey, Death>,
    pub(crate) requests: BTreeMap<usize, Asked>,
    /// What each request wrote, by its number.
    pub(crate) writes: BTreeMap<usize, Written>,
    /// When each line last got a new id by something else than a login.
    pub(crate) cut: BTreeMap<usize, Timestamp>,
    /// When each line began.
    pub(crate) born: BTreeMap<usize, Timestamp>,
    /// The lines that a request began in place of another, which had ended or was dead.
    pub(crate) heirs: BTreeMap<usize, BTreeSet<usize>>,
    /// Lines whose ids a browser lost to a session that began beside them, which nobody could know better.
    pub(crate) displaced: BTreeSet<usize>,
    /// The call that is being made was given up long before.
    pub(crate) nobody_waits: bool,
    pub(crate) failures: Vec<String>,
    pub(crate) has_limit: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) line: usize,
    pub(crate) owner: Option<String>,
    pub(crate) writes: Vec<usize>,
    pub(crate) expires_at: Timestamp,
    pub(crate) revision: Revision,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Death {
    pub(crate) at: Timestamp,
    /// The server whose request it was; `None` if it expired, or nobody waited any more for what ended it.
    pub(crate) server: Option<usize>,
}

/// A request as it arrived.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) job: Job,
    pub(crate) at: Timestamp,
    /// The one that is live of what it presents, or the first; `None` if two are.
    pub(crate) presented: Option<SessionKey>,
    /// What else it presents.
    pub(crate) beside: Vec<SessionKey>,
    pub(crate) line: Option<usize>,
    pub(crate) was_live: bool,
    /// The handler saw the session that it presents.
    pub(crate) was_loaded: bool,
    /// What it found in the store.
    pub(crate) loaded: BTreeSet<SessionKey>,
    pub(crate) is_answered: bool,
    /// What was in the session that it presents.
    pub(crate) there: Vec<usize>,
    /// The live lines, and whose they were.
    pub(crate) others: Vec<(usize, Option<String>)>,
    /// The owner that the handler saw.
    pub(crate) owner: Option<String>,
    /// The id that it gave to a session.
    pub(crate) rotated_to: Option<SessionKey>,
    /// What it wrote last.
    pub(crate) wrote_to: Option<SessionKey>,
    /// The ids of the sessions that it began.
    pub(crate) began: Vec<SessionKey>,
}

#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) browser: usize,
    /// The user who was logged in when it was written.
    pub(crate) user: Option<String>,
    pub(crate) is_stored: bool,
    /// Its place in the list when it was stored first.
    pub(crate) place: usize,
    /// The update refused it.
    pub(crate) is_refused: bool,
    /// Its session ended, as it should, or it was removed.
    pub(crate) is_ended: bool,
}

impl Model {
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn fail(&self, failure: String) {
        self.known().failures.push(failure);
    }

    pub(crate) fn name(&self, key: &SessionKey) -> String {
        self.known().name(key)
    }

    pub(crate) fn describe(&self, record: &Record) -> String {
        let (owner, writes) = read(record);
        format!("{} {writes:?}", owner.as_deref().unwrap_or("anonymous"))
    }

    /// A request has found a session in the store.
    pub(crate) fn load(&self, request: usize, key: &SessionKey) {
        let mut known = self.known();
        if let (false, Some(asked)) = (known.nobody_waits, known.requests.get_mut(&request)) {
            asked.loaded.insert(key.clone());
        }
    }

    /// Looks at what a write of the store has done. `request` is 0 for what is no request of a browser.
    pub(crate) fn observe(&self, request: usize, call: &Call, store: &MemoryStore, now: Timestamp) {
        if call.is_write() {
            self.known().observe(request, call, store, now);
        }
    }
}

impl Known {
    pub(crate) fn name(&mut self, key: &SessionKey) -> String {
        format!("s{}", self.place(key))
    }

    /// Returns the place of a key among all that were ever seen, in the order in which they were.
    pub(crate) fn place(&mut self, key: &SessionKey) -> usize {
        let next = self.names.len() + 1;
        *self.names.entry(key.clone()).or_insert(next)
    }

    /// Says whether an id was live, and is not any more: it was ended, got another one, or has expired.
    pub(crate) fn is_dead(&self, key: &SessionKey, now: Timestamp) -> bool {
        self.lines.contains_key(key) && self.live.get(key).is_none_or(|live| live.expires_at <= now)
    }

    /// Returns a line, and those that began in its place.
    pub(crate) fn with_heirs(&self, line: usize) -> BTreeSet<usize> {
        let mut lines = BTreeSet::from([line]);
        // An heir is younger than what it comes from.
        while let Some(heir) =
            lines.iter().filter_map(|line| self.heirs.get(line)).flatten().find(|heir| !lines.contains(heir))
        {
            lines.insert(*heir);
        }
        lines
    }

    pub(crate) fn live_in(&self, line: usize) -> Option<(&SessionKey, &Live)> {
        self.live.iter().find(|(_, live)| live.line == line)
    }
}

/// Returns whose session it is, and the numbers of the requests that wrote to it.
pub(crate) fn read(record: &Record) -> (Option<String>, Vec<usize>) {
    let mut writes: Vec<usize> = record.data.get("cart").ok().flatten().unwrap_or_default();
    let own = record.data.keys().into_iter().filter_map(|name| name.strip_prefix('t')?.parse::<usize>().ok());
    writes.extend(own);
    (record.owner.as_ref().map(|owner| owner.as_str().to_owned()), writes)
}
