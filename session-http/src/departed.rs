//! The keys that this layer made dead a moment ago, so that a request that was on its way then is told from a visitor who comes
//! back.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use session_core::{SessionKey, Timestamp};

use crate::SessionConfig;

/// How long a key is remembered: longer than a request that was sent with it is on its way.
const WINDOW: Duration = Duration::from_secs(60);

/// The most keys that are remembered, about a megabyte; when there are more, the oldest are forgotten first.
const MOST: usize = 8192;

/// Remembers keys that were rotated away or deleted, for a minute. One for each layer; other processes do not know it.
#[derive(Default)]
pub(crate) struct Departed {
    memory: Mutex<Memory>,
    /// How many keys there have been that browsers go on presenting; asked for by every request, so it is not behind the lock.
    count: AtomicU64,
}

#[derive(Default)]
struct Memory {
    keys: HashMap<SessionKey, Departure>,
    /// The keys in the order in which they came, and until when each is remembered.
    queue: VecDeque<(SessionKey, Timestamp)>,
}

#[derive(Clone, Copy)]
struct Departure {
    until: Timestamp,
    /// The number of the departure, if browsers go on presenting the key: only who arrived before was on the way then.
    number: Option<u64>,
}

impl SessionConfig {
    /// Remembers that this layer is about to make the key dead.
    pub(crate) fn remember_departed(&self, key: &SessionKey) {
        self.departed.remember(key, self.now());
    }

    /// Notes that the browser has nothing else to present than the key that this layer made dead.
    pub(crate) fn keep_departed(&self, key: &SessionKey) {
        self.departed.keep(key, self.now());
    }

    /// Notes that the browser has another key to present than the one that this layer made dead.
    pub(crate) fn supersede_departed(&self, key: &SessionKey) {
        self.departed.supersede(key, self.now());
    }

    /// Returns how many sessions this layer has ended so far that are still presented.
    pub(crate) fn departures(&self) -> u64 {
        self.departed.count()
    }

    /// Says whether this layer made the key dead a moment ago, when a request that arrived after so many
    /// [departures](Self::departures) was on its way.
    pub(crate) fn is_departed(&self, key: &SessionKey, arrived: u64) -> bool {
        self.departed.knows(key, self.now(), arrived)
    }
}

impl Departed {
    /// Remembers a key. Browsers have another one, or none, when they are told. Called before the store is, so that nobody
    /// finds the key dead and not yet remembered.
    fn remember(&self, key: &SessionKey, now: Timestamp) {
        self.memory().insert(key, now, None);
    }

    /// Notes that the browser has nothing else to present than the key, if it is remembered.
    fn keep(&self, key: &SessionKey, now: Timestamp) {
        let mut memory = self.memory();
        if memory.keys.contains_key(key) {
            let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
            memory.insert(key, now, Some(number));
        }
    }

    /// Notes that the browser has another one to present now, if the key is remembered.
    fn supersede(&self, key: &SessionKey, now: Timestamp) {
        let mut memory = self.memory();
        if memory.keys.contains_key(key) {
            memory.insert(key, now, None);
        }
    }

    /// Returns how many keys were remembered that browsers go on presenting.
    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Says whether a key that the store does not know was made dead by this layer within the last minute, and a request that arrived
    /// after so many departures was on its way then.
    fn knows(&self, key: &SessionKey, now: Timestamp, arrived: u64) -> bool {
        let was_on_its_way = |departure: &Departure| departure.number.is_none_or(|number| number > arrived);
        self.memory().keys.get(key).is_some_and(|departure| now < departure.until && was_on_its_way(departure))
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nothing that can panic runs under the lock.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn insert(&mut self, key: &SessionKey, now: Timestamp, number: Option<u64>) {
        while self.queue.front().is_some_and(|(_, until)| *until <= now) || self.queue.len() >= MOST {
            self.forget_oldest();
        }
        let until = now.saturating_add(WINDOW);
        self.keys.insert(key.clone(), Departure { until, number });
        self.queue.push_back((key.clone(), until));
    }

    fn forget_oldest(&mut self) {
        let Some((key, until)) = self.queue.pop_front() else { return };
        // A key that came again later stays.
        if self.keys.get(&key).is_some_and(|departure| departure.until == until) {
            self.keys.remove(&key);
        }
    }
}

impl fmt::Debug for Departed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Departed({} keys)", self.memory().keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> SessionKey {
        SessionKey::parse(&format!("key{number}")).expect("the test's key is short")
    }

    #[test]
    fn a_key_is_remembered_for_a_minute_and_anew_when_it_comes_again() {
        let departed = Departed::default();
        let at = |seconds| Timestamp::MIN.saturating_add(Duration::from_secs(seconds));
        departed.remember(&key(1), at(0));
        assert!(
            departed.knows(&key(1), at(59), 0)
                && !departed.knows(&key(1), at(60), 0)
                && !departed.knows(&key(2), at(0), 0)
        );
        departed.remember(&key(1), at(30));
        departed.remember(&key(2), at(61));
        assert!(departed.knows(&key(1), at(61), 0));
        departed.remember(&key(3), at(90));
        assert_eq!(departed.memory().keys.len(), 2);
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let departed = Departed::default();
        (0..=MOST).for_each(|number| departed.remember(&key(number), Timestamp::MIN));
        let sizes = {
            let memory = departed.memory();
            (memory.keys.len(), memory.queue.len())
        };
        assert_eq!(sizes, (MOST, MOST));
        assert!(!departed.knows(&key(0), Timestamp::MIN, 0) && departed.knows(&key(MOST), Timestamp::MIN, 0));
    }

    #[test]
    fn a_key_that_is_still_presented_is_known_to_those_who_arrived_before_until_it_is_superseded() {
        let (departed, now) = (Departed::default(), Timestamp::MIN);
        let before = departed.count();
        departed.keep(&key(1), now);
        departed.supersede(&key(1), now);
        assert!(!departed.knows(&key(1), now, before));
        departed.remember(&key(1), now);
        assert!(departed.knows(&key(1), now, departed.count()));
        departed.keep(&key(1), now);
        assert!(departed.knows(&key(1), now, before) && !departed.knows(&key(1), now, departed.count()));
        departed.supersede(&key(1), now);
        assert!(departed.knows(&key(1), now, departed.count()));
    }
}
