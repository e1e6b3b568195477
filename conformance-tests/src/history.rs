//! Histories of calls that ran at the same time, and whether they can be explained: linearizability.
//!
//! A history is explained by an order of its calls in which each call takes effect at one moment between its beginning and its
//! end, and every answer is the one that the contract gives to those calls made one after the other. The search is that of Wing
//! and Gong with the memory of Lowe: it tries every call that may come next, and no state twice after the same set of calls.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use session_core::Revision;

use crate::check::Refusal;

/// What a client asked. Keys and data are small numbers: a history is about few of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Create { key: u8, data: u32, expires: u32 },
    Load { key: u8 },
    Update { key: u8, expected: Revision, data: u32, expires: u32 },
    Touch { key: u8, expires: u32 },
    Rotate { old: u8, expected: Revision, new: u8, data: u32, expires: u32 },
    Delete { key: u8 },
}

/// What the store answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    Written(Revision),
    Loaded(Option<Stored>),
    Touched,
    Deleted(bool),
    Refused(Refusal),
}

/// A record, as far as a history is about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stored {
    pub(crate) data: u32,
    pub(crate) expires: u32,
    pub(crate) revision: Revision,
}

/// A call of a client, with the moments between which it ran; moments are numbers that only grow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) client: usize,
    pub(crate) began: u64,
    pub(crate) ended: u64,
    pub(crate) asked: Asked,
    pub(crate) answered: Answered,
}

type State = BTreeMap<u8, Stored>;

/// Says whether the history can be explained, beginning with nothing stored. Histories have at most 64 calls.
pub(crate) fn is_explained(history: &[Event]) -> bool {
    explained(history).is_ok()
}

/// Explains the history, or returns the largest set of its calls that can be explained, as the bits of a number.
pub(crate) fn explained(history: &[Event]) -> Result<(), u64> {
    assert!(history.len() <= 64, "a set of calls is kept as the bits of a number");
    let mut seen = HashSet::new();
    let mut open = vec![(0_u64, State::new())];
    let mut most = 0_u64;
    while let Some((done, state)) = open.pop() {
        if done.count_ones() > most.count_ones() {
            most = done;
        }
        let left = || (0..history.len()).filter(|call| done & (1 << call) == 0);
        // A call that began after another one ended cannot come before it.
        let Some(first_end) = left().map(|call| history[call].ended).min() else { return Ok(()) };
        for call in left().filter(|&call| history[call].began < first_end) {
            if let Some(next) = step(&state, &history[call]) {
                let next = (done | (1 << call), next);
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
    }
    Err(most)
}

/// Makes the call on the state, or says with `None` that the contract gives another answer there.
fn step(state: &State, event: &Event) -> Option<State> {
    let live = |key: u8| state.get(&key);
    let with = |key: u8, stored: Stored| {
        let mut next = state.clone();
        next.insert(key, stored);
        next
    };
    let refusal = match event.asked {
        Asked::Create { key, .. } => live(key).map(|_| Refusal::AlreadyExists),
        Asked::Update { key, expected, .. } => conflict(live(key), expected),
        Asked::Touch { key, .. } => live(key).is_none().then_some(Refusal::NotFound),
        Asked::Rotate { old, expected, new, .. } => {
            conflict(live(old), expected).or(live(new).map(|_| Refusal::AlreadyExists))
        }
        Asked::Load { .. } | Asked::Delete { .. } => None,
    };
    if let Some(refusal) = refusal {
        return (event.answered == Answered::Refused(refusal)).then(|| state.clone());
    }
    match (event.asked, event.answered) {
        (
            Asked::Create { key, data, expires } | Asked::Update { key, data, expires, .. },
            Answered::Written(revision),
        ) => Some(with(key, Stored { data, expires, revision })),
        (Asked::Rotate { old, new, data, expires, .. }, Answered::Written(revision)) => {
            let mut next = with(new, Stored { data, expires, revision });
            next.remove(&old);
            Some(next)
        }
        (Asked::Touch { key, expires }, Answered::Touched) => {
            let stored = live(key)?;
            Some(with(key, Stored { expires: stored.expires.max(expires), ..*stored }))
        }
        (Asked::Load { key }, Answered::Loaded(loaded)) => (live(key).copied() == loaded).then(|| state.clone()),
        (Asked::Delete { key }, Answered::Deleted(was_live)) if live(key).is_some() == was_live => {
            let mut next = state.clone();
            next.remove(&key);
            Some(next)
        }
        _ => None,
    }
}

fn conflict(stored: Option<&Stored>, expected: Revision) -> Option<Refusal> {
    match stored {
        None => Some(Refusal::NotFound),
        Some(stored) if stored.revision != expected => Some(Refusal::Conflict),
        Some(_) => None,
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, began, ended, asked, answered } = self;
        write!(f, "{began:>3}–{ended:<3} client {client}: {asked:?} → {answered:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const R: [u64; 4] = [11, 12, 13, 14];

    fn event(began: u64, ended: u64, asked: Asked, answered: Answered) -> Event {
        Event { client: 0, began, ended, asked, answered }
    }

    fn revision(number: usize) -> Revision {
        Revision::from_number(R[number])
    }

    fn created(began: u64, ended: u64) -> Event {
        event(began, ended, Asked::Create { key: 0, data: 1, expires: 9 }, Answered::Written(revision(0)))
    }

    fn updated(began: u64, ended: u64, expected: usize, data: u32, answered: Answered) -> Event {
        event(began, ended, Asked::Update { key: 0, expected: revision(expected), data, expires: 9 }, answered)
    }

    fn loaded(began: u64, ended: u64, found: Option<(u32, usize)>) -> Event {
        let stored = found.map(|(data, number)| Stored { data, expires: 9, revision: revision(number) });
        event(began, ended, Asked::Load { key: 0 }, Answered::Loaded(stored))
    }

    #[test]
    fn calls_one_after_the_other_are_explained_by_their_order_alone() {
        let written = updated(2, 3, 0, 2, Answered::Written(revision(1)));
        assert!(is_explained(&[created(0, 1), written, loaded(4, 5, Some((2, 1)))]));
        assert!(!is_explained(&[created(0, 1), written, loaded(4, 5, Some((1, 0)))]), "a stale read");
        assert!(!is_explained(&[created(0, 1), written, loaded(4, 5, None)]), "a write that was lost");
    }

    #[test]
    fn calls_at_once_may_have_happened_in_any_order() {
        let written = updated(2, 9, 0, 2, Answered::Written(revision(1)));
        for found in [(1, 0), (2, 1)] {
            assert!(is_explained(&[created(0, 1), written, loaded(3, 4, Some(found))]));
        }
        let new_then_old = [created(0, 1), written, loaded(3, 4, Some((2, 1))), loaded(5, 6, Some((1, 0)))];
        assert!(!is_explained(&new_then_old), "what was seen is not unseen");
    }

    #[test]
    fn a_lost_update_a_resurrection_and_a_double_create_are_not_explained() {
        let both = |answered| {
            [created(0, 1), updated(2, 9, 0, 2, Answered::Written(revision(1))), updated(3, 8, 0, 3, answered)]
        };
        assert!(!is_explained(&both(Answered::Written(revision(2)))), "two writers at one revision");
        assert!(is_explained(&both(Answered::Refused(Refusal::Conflict))));

        let deleted = event(2, 3, Asked::Delete { key: 0 }, Answered::Deleted(true));
        let back = [created(0, 1), deleted, updated(4, 5, 0, 2, Answered::Written(revision(1)))];
        assert!(!is_explained(&back), "an update brings back what was deleted");

        let twice = event(2, 3, Asked::Create { key: 0, data: 2, expires: 9 }, Answered::Written(revision(1)));
        assert!(!is_explained(&[created(0, 1), twice]), "two creates of one key");
    }

    #[test]
    fn a_rotation_is_one_moment() {
        let rotated = event(
            2,
            9,
            Asked::Rotate { old: 0, expected: revision(0), new: 1, data: 2, expires: 9 },
            Answered::Written(revision(1)),
        );
        let new = |began, ended, found| event(began, ended, Asked::Load { key: 1 }, Answered::Loaded(found));
        let stored = Stored { data: 2, expires: 9, revision: revision(1) };
        assert!(is_explained(&[created(0, 1), rotated, loaded(3, 4, None), new(5, 6, Some(stored))]));
        assert!(!is_explained(&[created(0, 1), rotated, loaded(3, 4, None), new(5, 6, None)]), "neither key lives");
        let both = [created(0, 1), rotated, new(3, 4, Some(stored)), loaded(5, 6, Some((1, 0)))];
        assert!(!is_explained(&both), "both keys live");
    }

    #[test]
    fn an_older_touch_does_not_shorten() {
        let touch = |began, ended, expires| event(began, ended, Asked::Touch { key: 0, expires }, Answered::Touched);
        let ends = |expires| {
            let stored = Stored { data: 1, expires, revision: revision(0) };
            event(6, 7, Asked::Load { key: 0 }, Answered::Loaded(Some(stored)))
        };
        assert!(is_explained(&[created(0, 1), touch(2, 3, 20), touch(4, 5, 15), ends(20)]));
        assert!(!is_explained(&[created(0, 1), touch(2, 3, 20), touch(4, 5, 15), ends(15)]));
    }
}
