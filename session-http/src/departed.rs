//! The keys that this layer made dead a moment ago, so that a request that was on its way then is told from a visitor who comes
//! back.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use session_core::{SessionKey, Timestamp};

/// How long a key is remembered: longer than a request that was sent with it is on its way.
const WINDOW: Duration = Duration::from_secs(60);

/// The most keys that are remembered, about a megabyte; when there are more, the oldest are forgotten first.
const MOST: usize = 8192;

/// Remembers keys that were rotated away or deleted, for a minute. One for each layer; other processes do not know it.
#[derive(Default)]
pub(crate) struct Departed(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    /// Until when each key is remembered.
    until: HashMap<SessionKey, Timestamp>,
    /// The same in the order in which they came.
    queue: VecDeque<(SessionKey, Timestamp)>,
}

impl Departed {
    /// Remembers a key. Called before the store is, so that nobody finds the key dead and not yet remembered.
    pub(crate) fn remember(&self, key: &SessionKey, now: Timestamp) {
        let mut memory = self.memory();
        while memory.queue.front().is_some_and(|(_, until)| *until <= now) || memory.queue.len() >= MOST {
            memory.forget_oldest();
        }
        let until = now.saturating_add(WINDOW);
        memory.until.insert(key.clone(), until);
        memory.queue.push_back((key.clone(), until));
    }

    /// Says whether a key that the store does not know was made dead by this layer within the last minute.
    pub(crate) fn knows(&self, key: &SessionKey, now: Timestamp) -> bool {
        self.memory().until.get(key).is_some_and(|until| now < *until)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn forget_oldest(&mut self) {
        let Some((key, until)) = self.queue.pop_front() else { return };
        // A key that came again later stays.
        if self.until.get(&key) == Some(&until) {
            self.until.remove(&key);
        }
    }
}

impl fmt::Debug for Departed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Departed({} keys)", self.memory().until.len())
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
        assert!(departed.knows(&key(1), at(59)) && !departed.knows(&key(1), at(60)) && !departed.knows(&key(2), at(0)));
        departed.remember(&key(1), at(30));
        departed.remember(&key(2), at(61));
        assert!(departed.knows(&key(1), at(61)));
        departed.remember(&key(3), at(90));
        assert_eq!(departed.memory().until.len(), 2);
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let departed = Departed::default();
        (0..=MOST).for_each(|number| departed.remember(&key(number), Timestamp::MIN));
        let sizes = {
            let memory = departed.memory();
            (memory.until.len(), memory.queue.len())
        };
        assert_eq!(sizes, (MOST, MOST));
        assert!(!departed.knows(&key(0), Timestamp::MIN) && departed.knows(&key(MOST), Timestamp::MIN));
    }
}
