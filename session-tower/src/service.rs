//! The service: puts the session's slot into the request, and commits it when the response is ready.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use session_http::{Committing, RequestHead, SessionSlot, Sessions, Unfinished};
use tokio::runtime::Handle;
use tower_service::Service;

use crate::SessionBody;

/// The service of a [`SessionLayer`](crate::SessionLayer).
///
/// An error of the inner service passes through, and nothing of its session is stored; a response with an error status is a response like any
/// other, and its session is stored, unless the [policy](crate::ServerErrors) says otherwise.
///
/// When the client goes away before the handler has answered, nothing is stored. Once it has answered, what it did is stored though nobody hears
/// of it: a logout is done, and who logs in again finds the session of the login that he did not hear of. Whoever waited for it is gone
/// then, so this is spawned on tokio's current runtime, and so are two things that no response should wait for: a call of the store that took
/// too long, and the end of sessions that were more than their user may have. Nothing else is spawned, and nothing at all where no tokio
/// runs: there such work is dropped, and what the store does of it is not known.
#[derive(Debug, Clone)]
pub struct SessionService<S> {
    inner: S,
    sessions: Sessions,
}

impl<S> SessionService<S> {
    pub(crate) fn new(inner: S, sessions: Sessions) -> Self {
        Self { inner, sessions }
    }

    /// Makes the slot of a request, and puts it there; `None` if a layer of the same configuration has done so.
    fn open<B>(&self, request: &mut Request<B>) -> Option<Open> {
        let outer = request.extensions().get::<SessionSlot>();
        if outer.is_some_and(|slot| slot.is_of(&self.sessions)) {
            return None;
        }
        let outer = outer.cloned();
        let mut around = request.extensions().get::<Around>().cloned().unwrap_or_default();
        let own = around.0.iter().find(|slot| slot.is_of(&self.sessions)).cloned();
        let is_own = own.is_some();
        let slot = own.unwrap_or_else(|| SessionSlot::arrived(self.sessions.clone(), &head(request)));
        match outer {
            // On a path that is not this layer's, the session of a layer around it stays.
            Some(_) if slot.is_outside_path() => {}
            Some(outer) => {
                around.0.push(outer);
                request.extensions_mut().insert(around);
                request.extensions_mut().insert(slot.clone());
            }
            None => drop(request.extensions_mut().insert(slot.clone())),
        }
        (!is_own).then(|| Open { slot, is_answered: false })
    }
}

/// The slots of a request further out than the one that the handler gets: other layers were around it before.
#[derive(Clone, Default)]
struct Around(Vec<SessionSlot>);

/// Looks at a request, with the address that the client asked for.
fn head<B>(request: &Request<B>) -> RequestHead<'_> {
    let head = RequestHead::of(request);
    // A router within a router takes the beginning of the path away.
    #[cfg(feature = "axum")]
    if let Some(axum::extract::OriginalUri(uri)) = request.extensions().get() {
        return head.with_uri(uri);
    }
    head
}

impl<S, B, R> Service<Request<B>> for SessionService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<SessionBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        ResponseFuture { open: self.open(&mut request), commit: None, inner: self.inner.call(request) }
    }
}

pin_project! {
    /// The response of a [`SessionService`]: the inner service's, after its session was stored.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct ResponseFuture<F, R> {
        // Before the handler's future, which may hold the session. `None` where a layer around this one commits.
        open: Option<Open>,
        // The inner response, while its session is being stored.
        commit: Option<Box<(Response<R>, Committing)>>,
        #[pin]
        inner: F,
    }
}

/// The slot of a request that is abandoned unless it is answered.
struct Open {
    slot: SessionSlot,
    is_answered: bool,
}

impl Open {
    fn answer(&mut self) {
        self.is_answered = true;
        spawn(self.slot.unfinished());
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.is_answered {
            spawn(self.slot.abandon());
        }
    }
}

/// Brings work on the store to its end that nobody waits for any more.
fn spawn(unfinished: Option<Unfinished>) {
    if let Some(unfinished) = unfinished
        && let Ok(runtime) = Handle::try_current()
    {
        runtime.spawn(unfinished);
    }
}

impl<F, R, E> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<SessionBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(open) = this.open else {
            return this.inner.poll(context).map_ok(|response| response.map(SessionBody::application));
        };
        // Mostly there is nothing to wait for, and then nothing is kept.
        let (response, committed) = match this.commit.take() {
            None => {
                let response = ready!(this.inner.poll(context))?;
                // A mark of an outage is among the extensions.
                if response.extensions().is_empty() && open.slot.pass() {
                    open.is_answered = true;
                    return Poll::Ready(Ok(response.map(SessionBody::application)));
                }
                let mut commit = open.slot.commit_of(response.status());
                match Pin::new(&mut commit).poll(context) {
                    Poll::Ready(committed) => (response, committed),
                    Poll::Pending => {
                        *this.commit = Some(Box::new((response, commit)));
                        return Poll::Pending;
                    }
                }
            }
            Some(mut waiting) => match Pin::new(&mut waiting.1).poll(context) {
                Poll::Ready(committed) => (waiting.0, committed),
                Poll::Pending => {
                    *this.commit = Some(waiting);
                    return Poll::Pending;
                }
            },
        };
        let response = match committed {
            Ok(headers) => {
                let mut response = response;
                headers.apply_to(&mut response);
                response.map(SessionBody::application)
            }
            Err(error) => open.slot.refuse(&error).map(SessionBody::refusal),
        };
        open.answer();
        Poll::Ready(Ok(response))
    }
}

impl<F, R> fmt::Debug for ResponseFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot = self.open.as_ref().map(|open| &open.slot);
        f.debug_struct("ResponseFuture").field("slot", &slot).finish_non_exhaustive()
    }
}
