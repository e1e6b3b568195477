//! The service: puts the session's slot into the request, and commits it when the response is ready.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use session_http::{Committing, SessionConfig, SessionSlot};
use tower_service::Service;

/// The service of a [`SessionLayer`](crate::SessionLayer).
///
/// An error of the inner service passes through, and nothing of its session is stored, nor is it when the client goes away first; a
/// response with an error status is a response like any other, and its session is.
#[derive(Debug, Clone)]
pub struct SessionService<S> {
    inner: S,
    config: Arc<SessionConfig>,
}

impl<S> SessionService<S> {
    pub(crate) fn new(inner: S, config: Arc<SessionConfig>) -> Self {
        Self { inner, config }
    }
}

impl<S, B, R> Service<Request<B>> for SessionService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let slot = SessionSlot::for_request(self.config.clone(), &request);
        // On a path that is not this layer's, the session of a layer around it stays.
        if !slot.is_outside_path() || request.extensions().get::<SessionSlot>().is_none() {
            request.extensions_mut().insert(slot.clone());
        }
        ResponseFuture { open: Open { slot, is_answered: false }, commit: None, inner: self.inner.call(request) }
    }
}

pin_project! {
    /// The response of a [`SessionService`]: the inner service's, after its session was stored.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct ResponseFuture<F, R> {
        // Before the handler's future, which may hold the session.
        open: Open,
        // The inner response, while its session is being stored.
        commit: Option<(Option<Response<R>>, Committing)>,
        #[pin]
        inner: F,
    }
}

/// The slot of a request that is abandoned unless it is answered.
struct Open {
    slot: SessionSlot,
    is_answered: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.is_answered {
            self.slot.abandon();
        }
    }
}

impl<F, R, E> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.commit.is_none() {
            let response = ready!(this.inner.poll(context))?;
            *this.commit = Some((Some(response), this.open.slot.commit()));
        }
        let Some((response, commit)) = this.commit else { return Poll::Pending };
        let committed = ready!(Pin::new(commit).poll(context));
        // The response is there until this returns, and a future is not polled again.
        let mut response = response.take().unwrap_or_default();
        match committed {
            Ok(headers) => headers.apply_to(&mut response),
            Err(error) => response = this.open.slot.refuse(&error),
        }
        this.open.is_answered = true;
        Poll::Ready(Ok(response))
    }
}

impl<F, R> fmt::Debug for ResponseFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("slot", &self.open.slot).finish_non_exhaustive()
    }
}
