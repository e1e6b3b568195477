//! One request, from its arrival to its answer: unopened, failed or open, with one lock for what it knows and one turn for who talks to the store.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http::{HeaderMap, Method, Request as HttpRequest, Response, StatusCode};

use session_core::{Data, SessionId};

use crate::config::Config;
use crate::events::Reason;
use crate::few::Few;
use crate::progress::{Progress, Step};
use crate::rules::{AnyVisit, Arrived, Facts, Note, Occasion, Telling, Told};
use crate::running::Turn;
use crate::state::{Base, State};
use crate::tell::{News, ResponseHeaders};
use crate::work::Work;
use crate::{Error, LoadFailure, RequestHead, ServerErrors, Session, Sessions, events};

/// The place of the session in one request. It is made for every request, and does nothing until it is opened.
///
/// A layer puts it into the request's extensions and commits it when the response is ready. Clones are the same place.
#[derive(Clone)]
pub struct SessionSlot(pub(crate) Arc<Request>);

/// What the slot and all handles of one request have in common.
pub(crate) struct Request {
    pub(crate) sessions: Arc<Config>,
    /// A change that had to be dropped is an error: the request's method is one that changes something.
    is_loud: bool,
    /// The path has no session.
    is_outside: bool,
    /// How many keys had died when the request arrived.
    pub(crate) deaths: u64,
    pub(crate) progress: Progress,
    /// The id and the data that the store was asked to file under a new key, as long as nobody knows whether it did.
    pending: Mutex<Option<Box<(SessionId, Data)>>>,
    /// Held by whoever talks to the store.
    pub(crate) turn: Turn,
    /// Never held while code of the application runs, nor across an await, nor while an event is told.
    inner: Mutex<Inner>,
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

/// The future of [`SessionSlot::commit`]. It allocates nothing for a request that did not open its session.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Committing(Stage);

enum Stage {
    Ready(Option<ResponseHeaders>),
    Commit(Pin<Box<dyn Future<Output = Result<ResponseHeaders, Error>> + Send>>),
}

impl SessionSlot {
    /// Makes the place for a request of which nothing but its headers is known, when it is opened: use
    /// [`for_request`](SessionSlot::for_request) where there is more.
    pub fn new(sessions: impl Into<Sessions>) -> Self {
        let sessions = sessions.into();
        Self::with(sessions, true, Arrived::Unseen)
    }

    /// Makes the place for one request, before it is handed on.
    pub fn for_request<B>(sessions: impl Into<Sessions>, request: &HttpRequest<B>) -> Self {
        Self::arrived(sessions.into(), &RequestHead::of(request))
    }

    /// Makes the place for a request of which this is the head.
    pub fn arrived(sessions: Sessions, head: &RequestHead<'_>) -> Self {
        let arrived = sessions.0.rules.arrive(head, sessions.0.now());
        let is_loud = !matches!(*head.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
        Self::with(sessions, is_loud, arrived)
    }

    fn with(Sessions(sessions): Sessions, is_loud: bool, arrived: Arrived) -> Self {
        let is_outside = matches!(arrived, Arrived::Outside);
        let visit = match arrived {
            Arrived::Seen(visit) => Some(visit),
            Arrived::Outside | Arrived::Unseen => None,
        };
        Self(Arc::new(Request {
            is_loud,
            is_outside,
            deaths: sessions.recent.deaths(),
            sessions,
            progress: Progress::default(),
            pending: Mutex::default(),
            turn: Turn::default(),
            inner: Mutex::new(Inner { phase: Phase::Unopened, visit }),
        }))
    }

    /// Says whether the request's path has no session under this configuration, so that another layer's may stay in place.
    pub fn is_outside_path(&self) -> bool {
        self.0.is_outside
    }

    /// Says whether the slot is of this configuration or of a clone of it: then a layer leaves the request to the one that made it.
    pub fn is_of(&self, sessions: &Sessions) -> bool {
        Arc::ptr_eq(&self.0.sessions.recent, &sessions.0.recent)
    }

    /// Opens the session that the request's headers present; again, it gives the same one without loading.
    ///
    /// Without a cookie, with a forged one, with two that are live, or with one whose session has ended, it is a new session, which is not
    /// stored before something is set; only a cookie with a valid signature is worth a call of the store. If this process ended the session
    /// or changed its id a moment ago, the request was on its way then: what it sets is refused ([`Session::is_ended`]). When the store fails, so
    /// does this: an outage is never taken for an empty session (S18), and the next call tries again. Two calls at once share one load.
    ///
    /// # Errors
    ///
    /// [`Error::OutsidePath`], and [`Error::Store`] for an outage, as the [policy](crate::FailurePolicy) says.
    pub async fn open(&self, headers: &HeaderMap) -> Result<Session, Error> {
        if let Some(session) = self.session() {
            return Ok(session);
        }
        if self.0.is_outside {
            return Err(Error::OutsidePath);
        }
        let opening = pin!(async {
            let _turn = self.0.turn.take().await;
            if self.session().is_none() {
                let (state, visit) = self.0.load(headers).await?;
                let mut inner = self.0.lock();
                inner.visit = Some(visit);
                inner.phase = Phase::Open(state);
            }
            Ok(())
        });
        let opened = self.0.sessions.in_time(opening).await;
        if let Err(error) = opened {
            events::load_failed(&error);
            let without = self.0.without_store(&error, headers);
            let mut inner = self.0.lock();
            match (&inner.phase, without) {
                (Phase::Open(_), _) => {}
                (_, Some((state, visit))) => {
                    inner.visit = Some(visit);
                    inner.phase = Phase::Open(Box::new(state));
                }
                (_, None) => {
                    inner.phase = Phase::Failed;
                    return Err(error);
                }
            }
        }
        Ok(Session(self.0.clone()))
    }

    /// Returns the session if it was opened.
    pub fn session(&self) -> Option<Session> {
        matches!(self.0.lock().phase, Phase::Open(_)).then(|| Session(self.0.clone()))
    }

    /// Answers a request whose session nobody opened, and that has nothing to store or to tell; `false` if it has, and is to be
    /// [committed](SessionSlot::commit).
    pub fn pass(&self) -> bool {
        let is_untouched = {
            let inner = self.0.lock();
            matches!(inner.phase, Phase::Unopened) && !inner.visit.as_ref().is_some_and(|visit| visit.is_eager())
        };
        if is_untouched {
            self.0.progress.go_on(Step::Answered);
        }
        is_untouched
    }

    /// Stores what the request did to its session, and returns the headers for its response. Does nothing if the session was
    /// not opened.
    ///
    /// The head of the response may be sent only after it. When it fails, the response must not be sent at all:
    /// [`refuse`](SessionSlot::refuse) makes the one that takes its place.
    ///
    /// # Errors
    ///
    /// [`Error::Ended`] where changes had to be dropped, and what a store refuses with.
    pub fn commit(&self) -> Committing {
        self.commit_of(StatusCode::OK)
    }

    /// Does the same for a response with this status, of which [`ServerErrors`] may say that its session is not stored.
    ///
    /// # Errors
    ///
    /// As [`commit`](SessionSlot::commit).
    pub fn commit_of(&self, status: StatusCode) -> Committing {
        let request = &self.0;
        let retry_after = request.sessions.failure.retry_after;
        let untouched = ResponseHeaders::untouched(retry_after);
        let is_discarded = status.is_server_error() && request.sessions.failure.server_errors == ServerErrors::Discard;
        request.progress.go_on(Step::Committing);
        let mut inner = request.lock();
        let is_eager = !is_discarded && inner.visit.as_ref().is_some_and(|visit| visit.is_eager());
        match &mut inner.phase {
            Phase::Unopened if is_eager => {
                drop(inner);
                let slot = self.clone();
                Committing(Stage::Commit(Box::pin(async move {
                    // The cookie was read when the request arrived.
                    slot.open(&HeaderMap::new()).await?;
                    slot.0.commit().await
                })))
            }
            Phase::Unopened => {
                request.progress.go_on(Step::Answered);
                Committing(Stage::Ready(Some(untouched)))
            }
            Phase::Failed => {
                request.progress.go_on(Step::Answered);
                drop(inner);
                let read = Some(request.snapshot().varies_by());
                Committing(Stage::Ready(Some(ResponseHeaders { read, is_read_only: true, ..untouched })))
            }
            Phase::Open(state) => {
                if is_discarded {
                    state.forget_work();
                    request.progress.go_on(Step::Answered);
                    drop(inner);
                    return Committing(Stage::Ready(Some(request.response_headers())));
                }
                drop(inner);
                if request.is_settled() {
                    return Committing(Stage::Ready(Some(request.response_headers())));
                }
                let request = request.clone();
                Committing(Stage::Commit(Box::pin(async move { request.commit().await })))
            }
        }
    }

    /// Makes the response to a commit that failed: the application's own, or that of the [error](Error::to_response), with the
    /// `Retry-After` of the [policy](crate::FailurePolicy), and with the cookie of a session that [`save`](Session::save) created or rotated
    /// before.
    pub fn refuse(&self, error: &Error) -> Response<String> {
        let sessions = &self.0.sessions;
        let own = sessions.refusal.as_ref().and_then(|refusal| refusal(error));
        let mut response = own.unwrap_or_else(|| error.to_response());
        self.0.response_headers().apply_to(&mut response);
        response
    }

    /// Ends a request that gets no response: its future was dropped, or its service failed. What is not stored by then is forgotten, with
    /// an event, unless the handler had answered; a handle that lives on can save what it sets from now on, as after a response.
    ///
    /// Returns what has to be brought to its end all the same: a commit, or a save, that is under way. A layer hands it to its runtime; where that
    /// is not possible it is dropped, and what the store does then is not known.
    pub fn abandon(&self) -> Option<Unfinished> {
        let is_lost = {
            let mut inner = self.0.lock();
            match (&mut inner.phase, self.0.progress.step()) {
                (Phase::Open(_), Step::Committing) => {
                    self.0.progress.go_on(Step::Finishing);
                    false
                }
                (Phase::Open(state), Step::Handling) => {
                    let is_lost = state.work.asks();
                    state.work = Work::default();
                    state.note_unreachable();
                    self.0.progress.go_on(Step::Answered);
                    is_lost
                }
                _ => {
                    self.0.progress.go_on(Step::Answered);
                    false
                }
            }
        };
        if is_lost {
            events::not_committed();
        }
        self.unfinished()
    }

    /// Returns what has to be brought to its end although the response is ready: a call of the store that took too long, or the end of sessions that
    /// are too many.
    pub fn unfinished(&self) -> Option<Unfinished> {
        self.0.has_unfinished().then(|| {
            let request = self.0.clone();
            Box::pin(async move { request.finish().await }) as Unfinished
        })
    }
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
            Phase::Open(state) => work(state, visit.as_mut()),
            Phase::Unopened | Phase::Failed => work(&mut State::default(), visit.as_mut()),
        }
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

    /// Says whether a change that had to be dropped is an error.
    pub(crate) fn is_loud(&self) -> bool {
        self.is_loud
    }

    /// The session could not be loaded: returns the state of one that is read-only, if the policy is to go on.
    fn without_store(&self, error: &Error, headers: &HeaderMap) -> Option<(State, AnyVisit)> {
        if self.sessions.failure.load != LoadFailure::Anonymous {
            return None;
        }
        let mut visit = self.snapshot();
        let ids = visit.presented(headers);
        let key = self.sessions.key_of(ids.iter().next()?);
        events::read_only(&key);
        let is_corrupt = matches!(error, Error::Store(session_core::Error::Corrupt(_)));
        Some((State::of(Base::Unread { key: key.clone(), is_corrupt }, Few::from_iter([key])), visit))
    }

    /// Makes the headers that tell the client what was done, once.
    pub(crate) fn response_headers(&self) -> ResponseHeaders {
        let retry_after = self.sessions.failure.retry_after;
        let (visit, news, meta, data, base, work, presented, is_read_only) = {
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
            let presented = if let News::Issued(_) = news { state.presented.clone() } else { Few::default() };
            let meta = state.meta();
            // What it decides on is for those who decide at each response.
            let decides = visit.is_eager();
            let (base, data, work) =
                if decides { (state.base.clone(), state.data(), state.work.clone()) } else { Default::default() };
            let is_read_only = matches!(state.base, Base::Unread { .. });
            (visit.snapshot(), news, meta, data, base, work, presented, is_read_only)
        };
        let now = self.sessions.now();
        let facts = Facts { changed: Some(&data), ..Facts::idle(Occasion::End, &base, &work) };
        let told = visit.tell(&Telling { news: &news, meta: &meta, facts, now });
        if let Told::Nothing = told {
            presented.iter().for_each(|key| self.sessions.recent.note_untold(key));
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

impl Future for Committing {
    type Output = Result<ResponseHeaders, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Stage::Ready(headers) => headers.take().map_or(Poll::Pending, |headers| Poll::Ready(Ok(headers))),
            Stage::Commit(commit) => commit.as_mut().poll(context),
        }
    }
}

impl fmt::Debug for Committing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committing").finish_non_exhaustive()
    }
}

impl fmt::Debug for SessionSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionSlot").field("session", &self.session()).finish_non_exhaustive()
    }
}
