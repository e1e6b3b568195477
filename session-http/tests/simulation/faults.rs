//! What is put wrong on purpose, to see that it is found.

use session_core::{Data, Listing, Record, Result, SessionStore};

use crate::call::{Answer, Backend, Call, at_once};

/// What is put wrong on purpose, to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An update does not look at the revision.
    LostUpdate,
    /// A rotation leaves the old id alive.
    OldIdLives,
    /// A deletion says that it was made, and was not.
    NothingDeleted,
    /// A touch brings a session back that was deleted.
    TouchRevives,
    /// A listing is empty.
    NothingListed,
    /// A load does not see what was written a moment ago.
    StaleLoad,
    /// The layer answers with a success although the commit failed.
    RefusalIgnored,
    /// The layer answers before the commit.
    AnswerOutrunsCommit,
    /// The layer gives a response to the browser of another request.
    ResponsesSwapped,
    /// The layer drops what is unfinished when a client has left.
    UnfinishedDropped,
    /// The library does not say in a session which ids it had before.
    OriginsForgotten,
    /// The library remembers no id that died.
    NothingRemembered,
}

impl Fault {
    pub(crate) const ALL: [Self; 12] = [
        Self::LostUpdate,
        Self::OldIdLives,
        Self::NothingDeleted,
        Self::TouchRevives,
        Self::NothingListed,
        Self::StaleLoad,
        Self::RefusalIgnored,
        Self::AnswerOutrunsCommit,
        Self::ResponsesSwapped,
        Self::UnfinishedDropped,
        Self::OriginsForgotten,
        Self::NothingRemembered,
    ];
}

impl Backend {
    /// Makes the call as the fault has it; `None` if it is a call as any other.
    pub(crate) fn make_wrongly(&self, fault: Fault, call: &Call) -> Option<Result<Answer>> {
        let store = &self.store;
        match (fault, call) {
            (Fault::LostUpdate, Call::Update(key, _, record)) => {
                let (_, revision) = at_once(store.load(key)).ok().flatten()?;
                Some(at_once(store.update(key, revision, record)).map(Answer::Revision))
            }
            (Fault::OldIdLives, Call::Rotate(old, expected, new, record)) => {
                let (_, revision) = at_once(store.load(old)).ok().flatten()?;
                (revision == *expected).then(|| at_once(store.create(new, record)).map(Answer::Revision))
            }
            (Fault::NothingDeleted, Call::Delete(key)) => {
                Some(at_once(store.load(key)).map(|loaded| Answer::WasLive(loaded.is_some())))
            }
            (Fault::NothingListed, Call::List(..)) => Some(Ok(Answer::Listing(Listing::new(Vec::new(), None)))),
            (Fault::TouchRevives, Call::Delete(key)) => {
                let (record, _) = at_once(store.load(key)).ok().flatten()?;
                locked(&self.grave).push((key.clone(), record));
                None
            }
            (Fault::TouchRevives, Call::Touch(key, _)) => {
                let (_, record) = locked(&self.grave).iter().find(|(dead, _)| dead == key).cloned()?;
                Some(at_once(store.create(key, &record)).map(|_| Answer::Done))
            }
            (Fault::OriginsForgotten, Call::Create(key, record)) => {
                Some(at_once(store.create(key, &without_origins(record))).map(Answer::Revision))
            }
            (Fault::OriginsForgotten, Call::Rotate(old, expected, new, record)) => {
                Some(at_once(store.rotate(old, *expected, new, &without_origins(record))).map(Answer::Revision))
            }
            (Fault::StaleLoad, Call::Load(key)) => {
                let mut seen = locked(&self.seen);
                if let Some(place) = seen.iter().position(|(known, ..)| known == key) {
                    let (_, record, revision) = seen.swap_remove(place);
                    return Some(Ok(Answer::Loaded(Some((record, revision)))));
                }
                if let Some((record, revision)) = at_once(store.load(key)).ok().flatten() {
                    seen.push((key.clone(), record, revision));
                }
                None
            }
            _ => None,
        }
    }
}

/// Where the session keeps its own values, and in these the ids that it had.
const OWN: &str = "__session";
const ORIGINS: &str = "from";

fn without_origins(record: &Record) -> Record {
    let mut record = record.clone();
    if let Ok(Some(mut own)) = record.data.get::<serde_json::Map<String, serde_json::Value>>(OWN)
        && own.remove(ORIGINS).is_some()
    {
        let mut all: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(record.data.as_str()).unwrap_or_default();
        all.insert(OWN.into(), own.into());
        record.data = Data::parse(serde_json::Value::from(all).to_string()).unwrap_or_else(|_| Data::empty());
    }
    record
}

fn locked<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
