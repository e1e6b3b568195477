//! No call looks at a whole store in one poll.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use session_core::{Scope, SessionIndex, SessionStore};

use super::{at, key, owner, record, sizes, store};
use crate::turns::TURN;

const SESSIONS: usize = 20_000;

/// Runs a call to its end and returns how often it was polled.
fn polls<T>(call: impl Future<Output = T>) -> (T, usize) {
    let mut call = pin!(call);
    let mut polls = 0;
    loop {
        polls += 1;
        if let Poll::Ready(answer) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return (answer, polls);
        }
    }
}

fn filled() -> crate::MemoryStore {
    let (store, clock) = store();
    for number in 0..SESSIONS {
        let ada = record(2000).with_owner(owner("ada"));
        polls(store.create(&key(number), &ada)).0.expect("a new key");
        if number % 2 == 0 {
            polls(store.touch(&key(number), at(9000))).0.expect("it is live");
        }
    }
    clock.set(at(2000));
    store
}

#[test]
fn a_sweep_takes_turns() {
    let store = filled();
    let (removed, polls) = polls(store.delete_expired(u32::MAX));
    assert_eq!(removed.ok(), Some(SESSIONS as u32 / 2));
    assert!(polls >= SESSIONS / TURN, "{polls} polls");
    assert_eq!(sizes(&store)[0], SESSIONS / 2);
}

#[test]
fn a_count_takes_turns() {
    let (count, polls) = polls(filled().count(Scope::All));
    assert_eq!(count.ok(), Some(SESSIONS as u64 / 2));
    assert!(polls >= SESSIONS / TURN / 2, "{polls} polls");
}

#[test]
fn the_end_of_all_takes_turns() {
    let store = filled();
    let (ended, polls) = polls(store.clear());
    assert_eq!(ended.ok(), Some(SESSIONS as u64 / 2));
    assert!(polls >= SESSIONS / TURN / 2, "{polls} polls");
    assert_eq!(sizes(&store), [0, 0, 0]);
}

#[test]
fn the_end_of_all_of_an_owner_takes_turns() {
    let store = filled();
    let (ended, polls) = polls(store.delete_owned(&owner("ada"), Some(&key(0))));
    assert_eq!(ended.ok(), Some(SESSIONS as u64 / 2 - 1));
    assert!(polls >= SESSIONS / TURN, "{polls} polls");
    assert_eq!(sizes(&store), [1, 1, 1]);
}
