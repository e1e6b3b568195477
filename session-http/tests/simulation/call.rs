//! A call of the store as a value, so that it can be made later, twice, or by a task of its own; and the memory store that answers.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use session_core::{
    Error, Listing, OwnerId, Page, Record, Result, Revision, Scope, SessionIndex, SessionKey, SessionStore, Timestamp,
};
use session_store_memory::MemoryStore;

use crate::faults::Fault;

#[derive(Debug, Clone)]
pub(crate) enum Call {
    Create(SessionKey, Record),
    Load(SessionKey),
    Update(SessionKey, Revision, Record),
    Touch(SessionKey, Timestamp),
    Rotate(SessionKey, Revision, SessionKey, Record),
    Delete(SessionKey),
    DeleteExpired(u32),
    List(Option<OwnerId>, Page),
    Count(Option<OwnerId>),
    DeleteOwned(OwnerId, Option<SessionKey>),
    Clear,
}

#[derive(Debug)]
pub(crate) enum Answer {
    Revision(Revision),
    Loaded(Option<(Record, Revision)>),
    Done,
    WasLive(bool),
    Number(u64),
    Listing(Listing),
}

/// The memory store, and the fault if there is one.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) store: MemoryStore,
    pub(crate) fault: Option<Fault>,
    /// What was deleted, for a touch that revives.
    pub(crate) grave: std::sync::Mutex<Vec<(SessionKey, Record)>>,
    /// What the last loads saw, for loads that see nothing newer.
    pub(crate) seen: std::sync::Mutex<Vec<(SessionKey, Record, Revision)>>,
}

impl Call {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Create(..) => "create",
            Self::Load(_) => "load",
            Self::Update(..) => "update",
            Self::Touch(..) => "touch",
            Self::Rotate(..) => "rotate",
            Self::Delete(_) => "delete",
            Self::DeleteExpired(_) => "delete_expired",
            Self::List(..) => "list",
            Self::Count(_) => "count",
            Self::DeleteOwned(..) => "delete_owned",
            Self::Clear => "clear",
        }
    }

    /// Returns the keys that it is about, the new one of a rotation last.
    pub(crate) fn keys(&self) -> Vec<&SessionKey> {
        match self {
            Self::Create(key, _)
            | Self::Load(key)
            | Self::Update(key, ..)
            | Self::Touch(key, _)
            | Self::Delete(key) => vec![key],
            Self::Rotate(old, _, new, _) => vec![old, new],
            _ => Vec::new(),
        }
    }

    pub(crate) fn is_write(&self) -> bool {
        !matches!(self, Self::Load(_) | Self::List(..) | Self::Count(_))
    }
}

impl Backend {
    pub(crate) fn new(store: MemoryStore, fault: Option<Fault>) -> Self {
        Self { store, fault, grave: Default::default(), seen: Default::default() }
    }

    /// Makes the call, at once: the memory store never waits.
    pub(crate) fn make(&self, call: &Call) -> Result<Answer> {
        let store = &self.store;
        if let Some(answer) = self.fault.and_then(|fault| self.make_wrongly(fault, call)) {
            return answer;
        }
        match call {
            Call::Create(key, record) => at_once(store.create(key, record)).map(Answer::Revision),
            Call::Load(key) => at_once(store.load(key)).map(Answer::Loaded),
            Call::Update(key, expected, record) => at_once(store.update(key, *expected, record)).map(Answer::Revision),
            Call::Touch(key, expires_at) => at_once(store.touch(key, *expires_at)).map(|()| Answer::Done),
            Call::Rotate(old, expected, new, record) => {
                at_once(store.rotate(old, *expected, new, record)).map(Answer::Revision)
            }
            Call::Delete(key) => at_once(store.delete(key)).map(Answer::WasLive),
            Call::DeleteExpired(limit) => at_once(store.delete_expired(*limit)).map(|n| Answer::Number(n.into())),
            Call::List(owner, page) => at_once(store.list(scope(owner.as_ref()), page)).map(Answer::Listing),
            Call::Count(owner) => at_once(store.count(scope(owner.as_ref()))).map(Answer::Number),
            Call::DeleteOwned(owner, except) => at_once(store.delete_owned(owner, except.as_ref())).map(Answer::Number),
            Call::Clear => at_once(store.clear()).map(Answer::Number),
        }
    }
}

fn scope(owner: Option<&OwnerId>) -> Scope<'_> {
    owner.map_or(Scope::All, Scope::Owner)
}

/// Runs a call of the memory store, which is ready when it is first asked.
pub(crate) fn at_once<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => Err(Error::unavailable("the memory store waits")),
    }
}
