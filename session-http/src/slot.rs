//! The place of the session in a request: empty until somebody asks for it.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http::HeaderMap;

use crate::session::Shared;
use crate::state::{State, Stored};
use crate::turn::Turn;
use crate::{Error, ResponseHeaders, Session, SessionConfig, events};

/// The place of the session in one request. It is made for every request, and does nothing until it is opened.
///
/// A layer puts it into the request's extensions and commits it when the response is ready. Clones are the same place.
#[derive(Clone)]
pub struct SessionSlot(Arc<Slot>);

struct Slot {
    config: Arc<SessionConfig>,
    turn: Turn,
    opened: Mutex<Opened>,
}

#[derive(Default)]
struct Opened {
    session: Option<Session>,
    /// The response has been sent.
    closed: bool,
}

/// The future of [`SessionSlot::commit`]. It allocates nothing for a request that did not open its session.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Committing(Step);

enum Step {
    Untouched(Option<ResponseHeaders>),
    Commit(Pin<Box<dyn Future<Output = Result<ResponseHeaders, Error>> + Send>>),
}

impl SessionSlot {
    /// Makes the place for one request.
    pub fn new(config: Arc<SessionConfig>) -> Self {
        Self(Arc::new(Slot { config, turn: Turn::default(), opened: Mutex::default() }))
    }

    /// Opens the session that the request's headers present; again, it gives the same one without loading.
    ///
    /// Without a cookie, with a forged one, with two of the name, or with one whose session has ended, it is a new session, which
    /// is not stored before something is set; only a cookie with a valid signature is worth a call of the store. If this layer
    /// ended the session or changed its id within the last minute, the request was on its way then, and what it writes is
    /// dropped: only [`login`](Session::login) begins a new session. When
    /// the store fails, so does this: an outage is never taken for an empty session (S18), and the next call tries
    /// again. Two calls at once share one load.
    pub async fn open(&self, headers: &HeaderMap) -> Result<Session, Error> {
        if let Some(session) = self.session() {
            return Ok(session);
        }
        let _taken = self.0.turn.take().await;
        if let Some(session) = self.session() {
            return Ok(session);
        }
        let mut state = self.load(headers).await.inspect_err(events::load_failed)?;
        let mut opened = self.0.opened();
        state.head_sent = opened.closed;
        Ok(opened.session.insert(Session(Arc::new(Shared::new(self.0.config.clone(), state)))).clone())
    }

    /// Returns the session if it was opened.
    pub fn session(&self) -> Option<Session> {
        self.0.opened().session.clone()
    }

    /// Stores what the request did to its session, and returns the headers for its response. Does nothing if the session was
    /// not opened.
    ///
    /// The head of the response may be sent only after it. When it fails, the response must not be sent at all:
    /// [`Error::to_response`] takes its place. A session that other requests ended stays ended and is no error.
    pub fn commit(&self) -> Committing {
        let session = {
            let mut opened = self.0.opened();
            opened.closed = true;
            opened.session.clone()
        };
        Committing(match session {
            None => Step::Untouched(Some(ResponseHeaders::untouched(self.0.config.clone()))),
            Some(session) => Step::Commit(Box::pin(async move { session.commit().await })),
        })
    }

    async fn load(&self, headers: &HeaderMap) -> Result<State, Error> {
        let config = &self.0.config;
        let Some(id) = config.read_cookie(headers) else { return Ok(State::default()) };
        let key = config.key_of(&id);
        match config.store.load(&key).await? {
            Some((record, revision)) => Ok(State::loaded(Stored { id, key, record, revision })),
            // The id is not adopted (S3), and the cookie stays: a login elsewhere may have replaced it already.
            None => {
                events::unknown_id(&key);
                Ok(if config.is_departed(&key) { State::gone(key) } else { State::default() })
            }
        }
    }
}

impl Future for Committing {
    type Output = Result<ResponseHeaders, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Step::Untouched(headers) => headers.take().map_or(Poll::Pending, |headers| Poll::Ready(Ok(headers))),
            Step::Commit(commit) => commit.as_mut().poll(context),
        }
    }
}

impl fmt::Debug for Committing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committing").finish_non_exhaustive()
    }
}

impl Slot {
    fn opened(&self) -> MutexGuard<'_, Opened> {
        // Nothing that can panic runs under the lock.
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SessionSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionSlot").field("session", &self.0.opened().session).finish_non_exhaustive()
    }
}
