//! One request, from its arrival to its answer: unopened, failed or open, with one lock for what it knows and one turn for who talks to the store.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;

use session_core::{Data, SessionId};

use crate::config::Config;
use crate::events::Reason;
use crate::few::Few;
use crate::progress::{Progress, Step};
use crate::rules::{AnyVisit, Facts, Note, Occasion, Telling, Told};
use crate::state::{Base, State};
use crate::tell::{News, ResponseHeaders};
use crate::turn::Turn;
use crate::{Error, LoadFailure, events};

/// What the slot and all handles of one request have in common.
pub(crate) struct Request {
    pub(crate) sessions: Arc<Config>,
    /// A change that had to be dropped is an error: the request's method is one that changes something.
    pub(crate) is_loud: bool,
    /// The path has no session.
    pub(crate) is_outside: bool,
    /// How many keys had died when the request arrived.
    pub(crate) deaths: u64,
    pub(crate) progress: Progress,
    /// The id and the data that the store was asked to file under a new key, as long as nobody knows whether it did.
    pub(crate) pending: Mutex<Option<Box<(SessionId, Data)>>>,
    /// Held by whoever talks to the store.
    pub(crate) turn: Turn,
    /// Never held while code of the application runs, nor across an await, nor while an event is told.
    pub(crate) inner: Mutex<Inner>,
}

pub(crate) struct Inner {
    pub(crate) phase: Phase,
    /// What the rules remember of the request; some remember nothing until it is opened.
    pub(crate) visit: Option<AnyVisit>,
}

#[derive(Default)]
pub(crate) enum Phase {
    #[default]
    Unopened,
    /// The store failed, and who asked has been told.
    Failed,
    Open(Box<State>),
}

/// Work on the store that goes on without its request.
pub type Unfinished = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Request {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that can panic runs under the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the state; a handle is only there when the session is open.
    pub(crate) fn with_state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        self.with_visit(|state, _| work(state))
    }

    /// Works on the state and what the rules remember.
    pub(crate) fn with_visit<T>(&self, work: impl FnOnce(&mut State, Option<&mut AnyVisit>) -> T) -> T {
        let mut inner = self.lock();
        let Inner { phase, visit, .. } = &mut *inner;
        match phase {
            Phase::Open(state) => {
                let outcome = work(state, visit.as_mut());
                let thrown = (std::mem::take(&mut state.trash), state.work.changes.take_thrown());
                drop(inner);
                drop(thrown);
                outcome
            }
            Phase::Unopened | Phase::Failed => work(&mut State::default(), visit.as_mut()),
        }
    }

    /// Drops, outside of the lock, what was thrown away under it.
    pub(crate) fn empty_trash(&self) {
        self.with_state(|_| ());
    }

    /// Ends the session, and tells the rules.
    pub(crate) fn end(&self, reason: Reason) {
        self.with_visit(|state, visit| {
            state.end(reason);
            if let Some(visit) = visit {
                visit.note(Note::Ended(reason));
            }
        });
    }

    pub(crate) fn set_pending(&self, asked: Option<(SessionId, Data)>) {
        *self.pending.lock().unwrap_or_else(PoisonError::into_inner) = asked.map(Box::new);
    }

    pub(crate) fn pending(&self) -> Option<(SessionId, Data)> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).as_deref().cloned()
    }

    pub(crate) fn note(&self, note: Note<'_>) {
        if let Some(visit) = &mut self.lock().visit {
            visit.note(note);
        }
    }

    /// The session could not be loaded: returns the state of one that is read-only, if the policy is to go on.
    pub(crate) fn without_store(&self, error: &Error, headers: &HeaderMap) -> Option<(State, AnyVisit)> {
        if self.sessions.failure.load != LoadFailure::Anonymous {
            return None;
        }
        let mut visit = self.snapshot();
        let keys: Few<_> = visit.presented(headers).iter().map(|id| self.sessions.key_of(id)).collect();
        let key = keys.iter().next()?.clone();
        events::read_only(&key);
        let is_corrupt = matches!(error, Error::Store(session_core::Error::Corrupt(_)));
        // None of them was looked up, so a logout asks the store for each.
        let is_several = keys.len() > 1;
        Some((State { is_several, ..State::of(Base::Unread { key, is_corrupt }, keys) }, visit))
    }

    /// Makes the headers that tell the client what was done, once.
    pub(crate) fn response_headers(&self) -> ResponseHeaders {
        let retry_after = self.sessions.failure.retry_after;
        let (mut visit, news, meta, data, base, work, is_read_only) = {
            let mut inner = self.lock();
            let Inner { phase, visit } = &mut *inner;
            let (Phase::Open(state), Some(visit)) = (phase, visit) else {
                return ResponseHeaders::untouched(retry_after);
            };
            self.progress.go_on(Step::Answered);
            let news = std::mem::take(&mut state.news);
            if matches!(news, News::Nothing) && !visit.is_eager() {
                let is_read_only = matches!(state.base, Base::Unread { .. });
                return ResponseHeaders {
                    told: Told::Nothing,
                    read: Some(visit.varies_by()),
                    is_read_only,
                    retry_after,
                };
            }
            let meta = state.meta();
            // What it decides on is for those who decide at each response.
            let decides = visit.is_eager();
            let (base, data, work) =
                if decides { (state.base.clone(), state.data(), state.work.clone()) } else { Default::default() };
            let is_read_only = matches!(state.base, Base::Unread { .. });
            (visit.snapshot(), news, meta, data, base, work, is_read_only)
        };
        let now = self.sessions.now();
        let facts = Facts { changed: Some(&data), ..Facts::idle(Occasion::End, &base, &work) };
        let told = visit.tell(&Telling { news: &news, meta: &meta, facts, now });
        if matches!(told, Told::Nothing) && matches!(news, News::Issued(_) | News::Ended) && visit.is_eager() {
            // It comes back with what it has; the cookie was read when the request arrived.
            let presented = visit.presented(&HeaderMap::new());
            presented.iter().for_each(|id| self.sessions.recent.note_untold(&self.sessions.key_of(id)));
        }
        ResponseHeaders { told, read: Some(visit.varies_by()), is_read_only, retry_after }
    }

    /// Copies what the rules remember, so that their code, and the application's, never runs under the lock.
    pub(crate) fn snapshot(&self) -> AnyVisit {
        let known = self.lock().visit.as_ref().map(|visit| visit.snapshot());
        known.unwrap_or_else(|| self.sessions.rules.arrive_unseen(self.sessions.now()))
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        if matches!(&inner.phase, Phase::Open(state) if state.work.asks()) {
            events::not_committed();
        }
    }
}
