//! The place of the session in one request, for layers: made for every request, opened by handlers, committed when the response is ready.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::{HeaderMap, Method, Request as HttpRequest, Response, StatusCode, header};

use crate::progress::{Progress, Step};
use crate::request::{Inner, Phase, Request, Unfinished};
use crate::rules::Arrived;
use crate::tell::ResponseHeaders;
use crate::turn::Turn;
use crate::{Error, RequestHead, ServerErrors, Session, Sessions, events};

/// The place of the session in one request. It is made for every request, and does nothing until it is opened.
///
/// A layer puts it into the request's extensions and commits it when the response is ready. Clones are the same place.
#[derive(Clone)]
pub struct SessionSlot(pub(crate) Arc<Request>);

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
        Arc::ptr_eq(&self.0.sessions, &sessions.0)
    }

    /// Opens the session that the request's headers present; again, it gives the same one without loading.
    ///
    /// Without a cookie, with a forged one, or with one whose session has ended, it is a new session, which is not stored before something is
    /// set; so it is with two that are live, and then only a login is stored; only a cookie with a valid signature is worth a call of the store. If this process ended the session
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
                    state.throw_away();
                }
                drop(inner);
                // What a `save` began is brought to its end.
                if is_discarded && !request.turn.is_busy() && request.pending().is_none() {
                    return Committing(Stage::Ready(Some(request.response_headers())));
                }
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
        if response.status() == StatusCode::SERVICE_UNAVAILABLE && !response.headers().contains_key(header::RETRY_AFTER)
        {
            response.headers_mut().insert(header::RETRY_AFTER, sessions.failure.retry_after.as_secs().into());
        }
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
                    state.throw_away();
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
        self.0.empty_trash();
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
