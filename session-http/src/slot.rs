//! The place of the session in a request: empty until somebody asks for it.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http::{HeaderMap, Request, Response};
use session_core::{SessionId, SessionKey};
use tracing::Instrument as _;

use crate::arrival::{Arrival, Client, Presented};
use crate::express::{Ledger, take_in};
use crate::shared::Shared;
use crate::state::{State, Stored};
use crate::turn::Turn;
use crate::{Error, LoadFailure, ResponseHeaders, Session, SessionConfig, events};

/// The place of the session in one request. It is made for every request, and does nothing until it is opened.
///
/// A layer puts it into the request's extensions and commits it when the response is ready. Clones are the same place.
#[derive(Clone)]
pub struct SessionSlot(Arc<Slot>);

struct Slot {
    config: Arc<SessionConfig>,
    arrival: Arrival,
    /// How many keys had been made dead when the request arrived.
    arrived: u64,
    turn: Turn,
    opened: Mutex<Opened>,
}

#[derive(Default)]
struct Opened {
    session: Option<Session>,
    /// The response has been sent.
    closed: bool,
    /// The store failed, and who asked has been told.
    has_failed: bool,
}

/// The future of [`SessionSlot::commit`]. It allocates nothing for a request that did not open its session.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Committing(Step);

enum Step {
    Untouched(Option<ResponseHeaders>),
    Commit(Pin<Box<dyn Future<Output = Result<ResponseHeaders, Error>> + Send>>),
}

impl SessionSlot {
    /// Makes the place for a request of which nothing but its headers is known. Under the rules of [Express](crate::express) a
    /// session that nobody opens is then not touched, and every path has one: use [`for_request`](SessionSlot::for_request).
    pub fn new(config: Arc<SessionConfig>) -> Self {
        Self::with_arrival(config, Arrival::Native(Client::default()))
    }

    /// Makes the place for one request, before it is handed on.
    pub fn for_request<B>(config: Arc<SessionConfig>, request: &Request<B>) -> Self {
        let arrival = Arrival::of(&config, request);
        Self::with_arrival(config, arrival)
    }

    fn with_arrival(config: Arc<SessionConfig>, arrival: Arrival) -> Self {
        let arrived = config.departures();
        Self(Arc::new(Slot { config, arrival, arrived, turn: Turn::default(), opened: Mutex::default() }))
    }

    /// Says whether the request's path has no session under this configuration, so that another layer's may stay in place.
    pub fn is_outside_path(&self) -> bool {
        matches!(self.0.arrival, Arrival::Outside)
    }

    /// Opens the session that the request's headers present; again, it gives the same one without loading.
    ///
    /// Without a cookie, with a forged one, with two of the name, or with one whose session has ended, it is a new session, which is not
    /// stored before something is set; only a cookie with a valid signature is worth a call of the store. If this layer ended the session
    /// or changed its id within the last minute, the request was on its way then, and what it writes is dropped: only
    /// [`login`](Session::login) begins a new session. If the browser was not told, as when another device ended its session, that holds
    /// for requests that arrived before. When the store fails, so does this: an outage is never taken for an empty session (S18), and the
    /// next call tries again. Two calls at once share one load.
    pub async fn open(&self, headers: &HeaderMap) -> Result<Session, Error> {
        if let Some(session) = self.session() {
            return Ok(session);
        }
        if self.is_outside_path() {
            return Err(Error::OutsidePath);
        }
        let opening = pin!(async {
            let _taken = self.0.turn.take().await;
            match self.session() {
                Some(session) => Ok(session),
                None => Ok(self.install(self.load(headers).await?)),
            }
        });
        match self.0.config.in_time(opening).await {
            Err(error) => self.without_store(error, headers),
            opened => opened,
        }
    }

    /// The session could not be loaded.
    fn without_store(&self, error: Error, headers: &HeaderMap) -> Result<Session, Error> {
        events::load_failed(&error);
        let config = &self.0.config;
        let id = if config.failure.load == LoadFailure::Anonymous { self.presented(headers) } else { None };
        let Some(id) = id else {
            self.0.opened().has_failed = true;
            return Err(error);
        };
        let key = config.key_of(&id);
        events::read_only(&key);
        let state = State::unloaded(key);
        let ledger = self.ledger(headers).map(Box::new);
        Ok(self.install(State { ledger, ..state }))
    }

    /// Makes it the session of this request, unless there is one.
    fn install(&self, mut state: State) -> Session {
        let mut opened = self.0.opened();
        opened.has_failed = false;
        state.head_sent = opened.closed;
        let new = || Session(Arc::new(Shared::new(self.0.config.clone(), self.client().clone(), state)));
        opened.session.get_or_insert_with(new).clone()
    }

    /// Returns the session if it was opened.
    pub fn session(&self) -> Option<Session> {
        self.0.opened().session.clone()
    }

    /// Stores what the request did to its session, and returns the headers for its response. Does nothing if the session was
    /// not opened.
    ///
    /// The head of the response may be sent only after it. When it fails, the response must not be sent at all:
    /// [`refuse`](SessionSlot::refuse) makes the one that takes its place. A session that other requests ended stays ended and is no error.
    pub fn commit(&self) -> Committing {
        let (session, has_failed) = {
            let mut opened = self.0.opened();
            if let (None, false, Arrival::Express(_)) = (&opened.session, opened.has_failed, &self.0.arrival) {
                drop(opened);
                return Committing(Step::Commit(Box::pin(self.clone().open_and_commit())));
            }
            opened.closed = true;
            (opened.session.clone(), opened.has_failed)
        };
        Committing(match session {
            None if has_failed => Step::Untouched(Some(ResponseHeaders::without_store(self.0.config.clone()))),
            None => Step::Untouched(Some(ResponseHeaders::untouched(self.0.config.clone()))),
            Some(session) => Step::Commit(Box::pin(async move { session.commit().await })),
        })
    }

    /// Makes the response to a commit that failed: that of the [error](Error::to_response), with the `Retry-After` of the
    /// [policy](crate::FailurePolicy), and with the cookie of a session that [`save`](Session::save) created or rotated before.
    pub fn refuse<B: Default>(&self, error: &Error) -> Response<B> {
        let config = &self.0.config;
        let mut response = error.to_response();
        let untouched = || ResponseHeaders::untouched(config.clone());
        let headers = self.session().map_or_else(untouched, |session| session.0.response_headers());
        headers.apply_to(&mut response);
        response
    }

    /// Ends a request that gets no response: its future was dropped, or its service failed. What is not stored by then is forgotten, with
    /// an event; a handle that lives on can save what it sets from now on, as after a response.
    pub fn abandon(&self) {
        let session = {
            let mut opened = self.0.opened();
            opened.closed = true;
            opened.session.clone()
        };
        if let Some(session) = session {
            session.0.abandon();
        }
    }

    /// Express loads every session, and touches or saves it though nobody asked for it.
    async fn open_and_commit(self) -> Result<ResponseHeaders, Error> {
        // The cookie was read when the request arrived.
        let session = self.open(&HeaderMap::new()).await?;
        self.0.opened().closed = true;
        session.commit().await
    }

    fn client(&self) -> &Client {
        const UNKNOWN: &Client = &Client { cookie: None, uri: None, is_secure: false };
        match &self.0.arrival {
            Arrival::Native(client) => client,
            Arrival::Outside | Arrival::Express(_) => UNKNOWN,
        }
    }

    /// Finds the id that the request presents with a valid signature, without any I/O.
    fn presented(&self, headers: &HeaderMap) -> Option<SessionId> {
        match (self.0.config.as_express(), &self.0.arrival) {
            (None, _) => self.0.config.read_id(self.client(), headers),
            (Some(_), Arrival::Express(presented)) => presented.id.clone(),
            (Some(express), _) => Presented::of_headers(express, headers).id,
        }
    }

    /// Begins what is remembered under the rules of Express.
    fn ledger(&self, headers: &HeaderMap) -> Option<Ledger> {
        let config = &self.0.config;
        let express = config.as_express()?;
        Some(match &self.0.arrival {
            Arrival::Express(presented) => Ledger::generated(express, presented, config.now()),
            _ => Ledger::generated(express, &Presented::of_headers(express, headers), config.now()),
        })
    }

    async fn load(&self, headers: &HeaderMap) -> Result<State, Error> {
        let config = &self.0.config;
        let mut ledger = self.ledger(headers);
        let Some(id) = self.presented(headers) else {
            return Ok(State { ledger: ledger.map(Box::new), ..State::default() });
        };
        let key = config.key_of(&id);
        let state = match config.store.load(&key).instrument(events::loading(&key)).await? {
            Some((mut record, revision)) => {
                events::loaded(&key);
                if let Some(express) = config.as_express() {
                    ledger = ledger.map(|ledger| ledger.loaded(express, take_in(&mut record)));
                }
                let is_outdated = config.is_outdated(self.client(), headers, &id);
                State { is_outdated, ..State::loaded(Stored { id, key, record, revision }) }
            }
            None => self.not_found(key),
        };
        Ok(State { ledger: ledger.map(Box::new), ..state })
    }

    /// The id is not adopted (S3), and the cookie stays: a login elsewhere may have replaced it already.
    fn not_found(&self, key: SessionKey) -> State {
        events::unknown_id(&key);
        if self.0.config.is_departed(&key, self.0.arrived) { State::gone(key) } else { State::unknown(key) }
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
