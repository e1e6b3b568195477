//! The keys that died a moment ago, and what became of them: for requests that were on their way, for logouts, and for a login that is sent twice.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use session_core::{SessionId, SessionKey, Timestamp};

/// What became of a key. A key is remembered only when the store said that it was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Became {
    /// The store has been asked, by so many requests, and has not answered; whether the browser is to have another one.
    Dying { asked: u32, moves: bool },
    /// The browser has this one now. Within a few seconds of a login the id is known, to be told once more.
    Moved { to: SessionKey, id: Option<SessionId> },
    /// It was ended.
    Ended,
    /// Its last value was removed.
    Emptied,
}

/// Remembers them for two minutes. One for each configuration; other processes do not know it.
#[derive(Default)]
pub(crate) struct Recent {
    memory: Mutex<Memory>,
    /// How many deaths there were; asked for by every request, so it is not behind the lock.
    deaths: AtomicU64,
}

#[derive(Default)]
struct Memory {
    keys: HashMap<SessionKey, Death>,
    /// The keys in the order in which they came, and when each came.
    queue: VecDeque<(SessionKey, Timestamp)>,
}

struct Death {
    became: Became,
    at: Timestamp,
    number: u64,
    /// What it became before, where it became several: a login that does not follow begins another.
    others: Vec<SessionKey>,
    /// Nothing was known of it here when a request under it began another session: another process may have given it a new id.
    is_guess: bool,
    /// A rotation of it was under way here at that time.
    is_moving: bool,
}

impl Recent {
    /// How long a key is remembered, for logouts.
    const KEPT: Duration = Duration::from_secs(120);
    /// How long a request that was sent with it is on its way.
    const ON_ITS_WAY: Duration = Duration::from_secs(60);
    /// How long the id of a login is told once more.
    const REPEATED: Duration = Duration::from_secs(5);
    /// How many rotations are followed.
    const STEPS: usize = 3;
    /// The most keys that are remembered, about two megabytes; when there are more, the oldest are forgotten first.
    const MOST: usize = 8192;

    /// Returns how many deaths there have been.
    pub(crate) fn deaths(&self) -> u64 {
        self.deaths.load(Ordering::Relaxed)
    }

    /// Notes that the store is about to be asked, so that nobody finds the key dead and not yet remembered.
    pub(crate) fn ask(&self, key: &SessionKey, moves: bool, now: Timestamp) {
        let mut memory = self.memory();
        let (asked, moves) = match memory.keys.get(key).map(|death| &death.became) {
            // It counts from now: an earlier one may never have been done.
            Some(Became::Dying { asked, moves: may_move }) => (asked + 1, moves || *may_move),
            Some(_) => return,
            None => (1, moves),
        };
        memory.insert(key, Became::Dying { asked, moves }, now, self.number());
    }

    /// Notes that the key was not there, or did not die.
    pub(crate) fn withdraw(&self, key: &SessionKey) {
        let mut memory = self.memory();
        match memory.keys.get_mut(key).map(|death| &mut death.became) {
            Some(Became::Dying { asked: 1, .. }) => drop(memory.keys.remove(key)),
            Some(Became::Dying { asked, .. }) => *asked -= 1,
            Some(_) | None => {}
        }
    }

    /// Notes what became of the key.
    pub(crate) fn note(&self, key: &SessionKey, became: Became, now: Timestamp) {
        let number = self.number();
        self.memory().insert(key, became, now, number);
    }

    /// Notes that the browser was not told what the key became: it comes back with this one, and nobody has the other.
    pub(crate) fn note_untold(&self, key: &SessionKey) {
        let number = self.number();
        if let Some(death) = self.memory().keys.get_mut(key) {
            (death.became, death.number) = (Became::Ended, number);
        }
    }

    /// Returns what became of a key.
    pub(crate) fn became(&self, key: &SessionKey, now: Timestamp) -> Option<Became> {
        let memory = self.memory();
        let death = memory.keys.get(key)?;
        let age = now.saturating_since(death.at);
        let mut became = Some(death.became.clone()).filter(|_| age < Self::KEPT)?;
        if let Became::Moved { id, .. } = &mut became
            && age >= Self::REPEATED
        {
            *id = None;
        }
        Some(became)
    }

    /// Notes that a request under a key that was not there began another session.
    pub(crate) fn note_replaced(&self, key: &SessionKey, to: SessionKey, is_known: bool, now: Timestamp) {
        let before = self.became(key, now).filter(|_| !is_known);
        let is_guess = !is_known && matches!(before, Some(Became::Dying { .. }) | None);
        let is_moving = matches!(before, Some(Became::Dying { moves: true, .. }));
        self.note(key, Became::Moved { to, id: None }, now);
        if let Some(death) = self.memory().keys.get_mut(key) {
            death.is_guess |= is_guess;
            death.is_moving |= is_moving;
        }
    }

    /// Returns all that a key became in the end, over a few steps and whatever there was of several; and whether it may have become something else,
    /// as nobody here knows that, or as it is too many steps away.
    pub(crate) fn heirs(&self, key: &SessionKey, was_live: bool) -> (Vec<SessionKey>, bool) {
        let memory = self.memory();
        let (mut heirs, mut is_guess) = (Vec::new(), false);
        let (mut seen, mut open) = (HashSet::from([key]), VecDeque::from([(key, was_live, 0)]));
        while let Some((key, is_counted, steps)) = open.pop_front() {
            let death = memory.keys.get(key);
            is_guess |= death.is_some_and(|death| death.is_moving || (is_counted && death.is_guess));
            let mut became: Vec<_> = death.into_iter().flat_map(Death::heirs).collect();
            if steps == Self::STEPS && !became.is_empty() {
                (is_guess, became) = (true, Vec::new());
            }
            if became.is_empty() && steps > 0 {
                heirs.push(key.clone());
            }
            // What it was rotated into was live.
            let is_counted = death.is_some_and(|death| !death.is_guess);
            let unseen = became.into_iter().filter(|key| seen.insert(key));
            open.extend(unseen.map(|key| (key, is_counted, steps + 1)));
        }
        (heirs, is_guess)
    }

    /// Returns what became of a key in the end, over a few steps.
    pub(crate) fn fate(&self, key: &SessionKey, now: Timestamp) -> Option<Became> {
        self.trace(key, now).1
    }

    /// Returns also the last key that is known of what a key became; itself if it has not moved.
    pub(crate) fn trace(&self, key: &SessionKey, now: Timestamp) -> (SessionKey, Option<Became>) {
        let (mut last, mut fate) = (key.clone(), None);
        for _ in 0..Self::STEPS {
            let Some(became) = self.became(&last, now) else { break };
            let to = if let Became::Moved { to, .. } = &became { Some(to.clone()) } else { None };
            fate = Some(became);
            let Some(to) = to else { break };
            last = to;
        }
        (last, fate)
    }

    /// Says whether a request was on its way when the key died, which the store does not know any more: `deaths` is how many there had
    /// been when it arrived. Where the browser has another one, that is so for a minute; where it has nothing else, for those that arrived before.
    pub(crate) fn was_on_its_way(&self, key: &SessionKey, deaths: u64, now: Timestamp) -> bool {
        let memory = self.memory();
        let Some(death) = memory.keys.get(key) else { return false };
        let is_recent = now.saturating_since(death.at) < Self::ON_ITS_WAY;
        is_recent
            && match death.became {
                Became::Dying { moves: true, .. } | Became::Moved { .. } => true,
                Became::Dying { moves: false, .. } | Became::Ended => death.number > deaths,
                Became::Emptied => false,
            }
    }

    fn number(&self) -> u64 {
        self.deaths.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nothing that can panic runs under the lock.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Death {
    /// Returns what it became, the latest last.
    fn heirs(&self) -> impl Iterator<Item = &SessionKey> {
        let to = if let Became::Moved { to, .. } = &self.became { Some(to) } else { None };
        self.others.iter().chain(to)
    }
}

impl Memory {
    fn insert(&mut self, key: &SessionKey, became: Became, now: Timestamp, number: u64) {
        while self.queue.len() >= Recent::MOST
            || self.queue.front().is_some_and(|(_, at)| now.saturating_since(*at) >= Recent::KEPT)
        {
            let Some((oldest, at)) = self.queue.pop_front() else { break };
            // A key that came again later stays.
            if self.keys.get(&oldest).is_some_and(|death| death.at == at) {
                self.keys.remove(&oldest);
            }
        }
        let (mut others, mut is_guess) = (Vec::new(), false);
        if let Some(before) = self.keys.remove(key) {
            others = before.others;
            is_guess = before.is_guess && matches!(before.became, Became::Moved { .. });
            let is_known = |to: &SessionKey| matches!(&became, Became::Moved { to: now, .. } if now == to);
            if let Became::Moved { to, .. } = before.became
                && others.len() < Recent::STEPS
                && !is_known(&to)
            {
                others.push(to);
            }
        }
        self.keys.insert(key.clone(), Death { became, at: now, number, others, is_guess, is_moving: false });
        self.queue.push_back((key.clone(), now));
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recent({} keys)", self.memory().keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> SessionKey {
        SessionKey::parse(&format!("key{number}")).expect("the test's key is short")
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::MIN.saturating_add(Duration::from_secs(seconds))
    }

    fn moved(id: Option<SessionId>) -> Became {
        Became::Moved { to: key(9), id }
    }

    #[test]
    fn what_is_asked_for_again_counts_from_then() {
        let recent = Recent::default();
        recent.ask(&key(1), true, at(0));
        recent.ask(&key(1), false, at(90));
        assert!(recent.was_on_its_way(&key(1), 1, at(120)), "the first attempt may never have been done");
        recent.withdraw(&key(1));
        assert_eq!(recent.became(&key(1), at(120)), Some(Became::Dying { asked: 1, moves: true }));
    }

    #[test]
    fn what_moved_is_on_its_way_for_a_minute_known_for_two_and_its_id_for_five_seconds() {
        let recent = Recent::default();
        let id = SessionId::generate().ok();
        recent.note(&key(1), moved(id.clone()), at(0));
        assert_eq!(recent.became(&key(1), at(4)), Some(moved(id)));
        assert_eq!(recent.became(&key(1), at(5)), Some(moved(None)));
        assert!(recent.was_on_its_way(&key(1), 1, at(59)) && !recent.was_on_its_way(&key(1), 0, at(60)));
        assert_eq!((recent.became(&key(1), at(119)).is_some(), recent.became(&key(1), at(120))), (true, None));
        recent.note(&key(2), Became::Ended, at(100));
        recent.note(&key(3), Became::Ended, at(130));
        assert_eq!(recent.memory().keys.len(), 2);
    }

    #[test]
    fn what_ended_is_on_its_way_for_who_arrived_before() {
        let recent = Recent::default();
        let before = recent.deaths();
        recent.note(&key(1), Became::Ended, at(0));
        recent.note(&key(2), Became::Emptied, at(0));
        assert!(recent.was_on_its_way(&key(1), before, at(0)));
        assert!(!recent.was_on_its_way(&key(1), recent.deaths(), at(0)));
        assert!(!recent.was_on_its_way(&key(2), before, at(0)), "who wrote to it begins anew");
    }

    #[test]
    fn all_that_a_key_became_is_known_over_three_steps() {
        let recent = Recent::default();
        let to = |from: usize, to: usize| recent.note(&key(from), Became::Moved { to: key(to), id: None }, at(0));
        [(1, 2), (2, 3), (1, 4), (2, 4), (4, 5)].into_iter().for_each(|(one, other)| to(one, other));
        let heirs = |of| {
            let mut heirs = recent.heirs(&key(of), true).0;
            heirs.sort();
            heirs
        };
        assert_eq!(heirs(1), [key(3), key(5)]);
        assert_eq!((heirs(3), heirs(4)), (vec![], vec![key(5)]));
        [(5, 6), (6, 7)].into_iter().for_each(|(one, other)| to(one, other));
        assert_eq!(heirs(1), [key(3), key(6)], "key 4 is reached in one step, and no more than three are gone");
        assert!(recent.heirs(&key(1), true).1 && !recent.heirs(&key(4), true).1, "what is further away is not known");
        to(7, 5);
        assert_eq!(heirs(5), [], "a circle");
    }

    #[test]
    fn who_was_not_told_where_it_moved_comes_back() {
        let recent = Recent::default();
        recent.note(&key(1), moved(None), at(0));
        let before = recent.deaths();
        recent.note_untold(&key(1));
        assert!(recent.was_on_its_way(&key(1), before, at(0)));
        assert!(!recent.was_on_its_way(&key(1), recent.deaths(), at(0)));
    }

    #[test]
    fn what_was_not_there_is_not_remembered_and_what_another_request_ended_is() {
        let recent = Recent::default();
        recent.ask(&key(1), true, at(0));
        recent.ask(&key(1), false, at(0));
        assert!(recent.was_on_its_way(&key(1), 9, at(0)));
        recent.withdraw(&key(1));
        assert!(recent.was_on_its_way(&key(1), 9, at(0)), "the other one has no answer yet");
        recent.withdraw(&key(1));
        assert_eq!(recent.became(&key(1), at(0)), None);
        recent.ask(&key(2), false, at(0));
        recent.note(&key(2), Became::Ended, at(0));
        recent.withdraw(&key(2));
        assert_eq!(recent.became(&key(2), at(0)), Some(Became::Ended));
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let recent = Recent::default();
        (0..=Recent::MOST).for_each(|number| recent.note(&key(number), Became::Ended, at(0)));
        let sizes = {
            let memory = recent.memory();
            (memory.keys.len(), memory.queue.len())
        };
        assert_eq!(sizes, (Recent::MOST, Recent::MOST));
        assert!(recent.became(&key(Recent::MOST), at(0)).is_some());
    }
}
