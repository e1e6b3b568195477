//! Tasks on two handles that call as they please; what they saw must have an explanation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use session_core::{Error, Record, Result, Revision, SessionKey, SessionStore, Timestamp};

use crate::bench::{Bench, LONG, json, key};
use crate::case::{Case, Level};
use crate::check::{Failure, Outcome, Refusal};
use crate::history::{Answered, Asked, Event, Stored, is_explained};
use crate::random::Random;
use crate::shrink::written;
use crate::together::together;

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("RACE-03", Level::Histories, &[], race_03)]
}

const ROUNDS: u64 = 200;
const CLIENTS: usize = 4;
const CALLS: usize = 5;
const KEYS: usize = 3;

async fn race_03(b: Bench) -> Outcome {
    for round in 0..ROUNDS {
        let moments = Arc::new(AtomicU64::new(0));
        let keys: Arc<Vec<SessionKey>> = Arc::new((0..KEYS).map(|name| key(&format!("k-{round}-{name}"))).collect());
        let clients = (0..CLIENTS).map(|number| Client {
            number,
            store: if number % 2 == 0 { b.store.clone() } else { b.peer.clone() },
            keys: Arc::clone(&keys),
            start: b.now(),
            moments: Arc::clone(&moments),
            seen: vec![None; KEYS],
            random: Random::new(round * 64 + number as u64),
        });
        let mut history = Vec::new();
        for events in together(clients.map(Client::run)).await? {
            history.extend(events?);
        }
        if !is_explained(&history) {
            return Err(Failure::new(format!(
                "no order of these calls explains what they answered:{}",
                written(&history)
            )));
        }
        for name in keys.iter() {
            b.store.delete(name).await?;
        }
    }
    Ok(())
}

struct Client {
    number: usize,
    store: Arc<dyn SessionStore>,
    keys: Arc<Vec<SessionKey>>,
    start: Timestamp,
    moments: Arc<AtomicU64>,
    /// The revision that this client saw last under each key.
    seen: Vec<Option<Revision>>,
    random: Random,
}

impl Client {
    async fn run(mut self) -> std::result::Result<Vec<Event>, Failure> {
        let mut events = Vec::new();
        for call in 0..CALLS {
            let asked = self.choose(call);
            let began = self.moments.fetch_add(1, Ordering::SeqCst);
            let answered = self.ask(asked).await?;
            let ended = self.moments.fetch_add(1, Ordering::SeqCst);
            self.learn(asked, answered);
            events.push(Event { client: self.number, began, ended, asked, answered });
            // A store that never waits would else let one client make all of its calls first.
            tokio::task::yield_now().await;
        }
        Ok(events)
    }

    fn choose(&mut self, call: usize) -> Asked {
        let unique = u32::try_from(self.number * CALLS + call).unwrap_or_default();
        let (data, expires) = (unique, 1 + u32::try_from(self.random.below(50)).unwrap_or_default());
        // Two keys for most calls, so that clients meet; the third is one to rotate to.
        let (here, there) = (self.random.below(2), self.random.below(KEYS));
        let expected = self.seen[here].unwrap_or_else(Revision::fresh);
        let (key, new) = (u8::try_from(here).unwrap_or_default(), u8::try_from(there).unwrap_or_default());
        match self.random.below(if call == 0 { 2 } else { 12 }) {
            0 => Asked::Create { key, data, expires },
            1..=4 => Asked::Load { key },
            5..=7 => Asked::Update { key, expected, data, expires },
            8 => Asked::Touch { key, expires },
            9 | 10 => Asked::Rotate { old: key, expected, new, data, expires },
            _ => Asked::Delete { key },
        }
    }

    async fn ask(&self, asked: Asked) -> std::result::Result<Answered, Failure> {
        let key = |key: u8| &self.keys[usize::from(key)];
        let record =
            |data: u32, expires| Record::new(json(&format!(r#"{{"n":{data}}}"#)), self.start, self.expiry(expires));
        match asked {
            Asked::Create { key: name, data, expires } => {
                answer(self.store.create(key(name), &record(data, expires)).await, Answered::Written)
            }
            Asked::Load { key: name } => match self.store.load(key(name)).await? {
                None => Ok(Answered::Loaded(None)),
                Some((record, revision)) => {
                    let data =
                        record.data.get("n").ok().flatten().ok_or_else(|| Failure::new("a record without its data"))?;
                    let expires = record.expires_at.saturating_since(self.start.saturating_add(LONG)).as_secs();
                    let expires = u32::try_from(expires).unwrap_or(u32::MAX);
                    Ok(Answered::Loaded(Some(Stored { data, expires, revision })))
                }
            },
            Asked::Update { key: name, expected, data, expires } => {
                answer(self.store.update(key(name), expected, &record(data, expires)).await, Answered::Written)
            }
            Asked::Touch { key: name, expires } => {
                answer(self.store.touch(key(name), self.expiry(expires)).await, |()| Answered::Touched)
            }
            Asked::Rotate { old, expected, new, data, expires } => {
                answer(self.store.rotate(key(old), expected, key(new), &record(data, expires)).await, Answered::Written)
            }
            Asked::Delete { key: name } => answer(self.store.delete(key(name)).await, Answered::Deleted),
        }
    }

    /// Everything in a history is live; expiries differ by seconds.
    fn expiry(&self, expires: u32) -> Timestamp {
        self.start.saturating_add(LONG + Duration::from_secs(expires.into()))
    }

    fn learn(&mut self, asked: Asked, answered: Answered) {
        let (key, revision) = match (asked, answered) {
            (Asked::Load { key }, Answered::Loaded(Some(stored))) => (key, stored.revision),
            (Asked::Create { key, .. } | Asked::Update { key, .. }, Answered::Written(revision)) => (key, revision),
            (Asked::Rotate { new, .. }, Answered::Written(revision)) => (new, revision),
            _ => return,
        };
        self.seen[usize::from(key)] = Some(revision);
    }
}

/// A refusal that the contract knows is an answer; any other is a failure.
fn answer<T>(result: Result<T>, read: impl FnOnce(T) -> Answered) -> std::result::Result<Answered, Failure> {
    match result {
        Ok(value) => Ok(read(value)),
        Err(error @ (Error::AlreadyExists | Error::NotFound | Error::Conflict)) => {
            Ok(Answered::Refused(Refusal::from(&error)))
        }
        Err(error) => Err(error.into()),
    }
}
