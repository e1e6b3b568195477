//! The middleware: puts the session's slot into the request, and commits it when the response is ready.

use std::future::{Ready, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::{HeaderName as ActixName, HeaderValue as ActixValue};
use actix_web::{HttpMessage as _, HttpResponse};
use http::{Method, Request, Response, StatusCode, Uri};
use session_core::SessionIndex;
use session_http::rules::Rules;
use session_http::{
    Error, RequestHead, Secrets, SecureConnection, SessionConfig, SessionSlot, Sessions, Unfinished, actix,
};
use tokio::runtime::Handle;

use crate::timer::RuntimeTimer;

/// Gives every request a session, and stores what the request did to it before the response is sent.
///
/// A request whose handler does not ask for the session costs no call of the store, and its cookie is not even read. Cloning shares the
/// configuration: make it once, outside of the closure that `HttpServer::new` calls for every worker.
///
/// Where the same middleware, or a clone of it, is around a request already, the inner one leaves it alone: there is one session, which the
/// outer one commits. Of two with different configurations the handler gets the session of the inner one.
///
/// Everything that can be configured is an option of [`SessionConfig`], of which `from` makes a middleware.
///
/// ```
/// use session_actix::{CookiePolicy, Secrets, SessionConfig, SessionMiddleware};
/// use session_store_memory::MemoryStore;
/// use std::sync::Arc;
///
/// let secrets = Secrets::new(["read this from the environment, 32 random bytes"])?;
/// let config = SessionConfig::new(Arc::new(MemoryStore::new()), secrets)
///     .with_cookie(CookiePolicy::builder().with_name("__Host-shop").build()?);
/// let middleware = SessionMiddleware::from(config);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SessionMiddleware {
    sessions: Sessions,
}

impl SessionMiddleware {
    /// Takes the store and the secrets that sign the cookie; the rest has a safe default.
    pub fn new(store: Arc<dyn SessionIndex>, secrets: Secrets) -> Self {
        Self::from(SessionConfig::new(store, secrets))
    }
}

impl<R: Rules + Clone> From<SessionConfig<R>> for SessionMiddleware {
    fn from(config: SessionConfig<R>) -> Self {
        Self { sessions: config.with_default_timer(RuntimeTimer).into() }
    }
}

impl<S, B> Transform<S, ServiceRequest> for SessionMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = SessionService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(SessionService { inner, sessions: self.sessions.clone() }))
    }
}

/// The service of a [`SessionMiddleware`].
///
/// An error of a middleware within passes through, and nothing of its session is stored; what a handler or an extractor refuses is a response like any
/// other, and its session is stored, unless the [policy](session_http::ServerErrors) says otherwise.
///
/// When the client goes away before the handler has answered, nothing is stored. Once it has answered, what it did is stored though nobody hears
/// of it. That is spawned on the runtime, and so are two things that no response should wait for: a call of the store that took too long,
/// and the end of sessions that were more than their user may have.
#[derive(Debug)]
pub struct SessionService<S> {
    inner: S,
    sessions: Sessions,
}

impl<S, B> Service<ServiceRequest> for SessionService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let open = self.open(&request);
        let answering = self.inner.call(request);
        Box::pin(async move {
            // Dropped after what follows: where a client leaves, its handler's future may hold the session.
            let mut answering = pin!(answering);
            let Some(mut open) = open else { return Ok(answering.await?.map_into_left_body()) };
            let mut response = answering.as_mut().await?;
            if open.slot.pass() && !is_outage(&response) {
                open.is_answered = true;
                return Ok(response.map_into_left_body());
            }
            // Both have the numbers from 100 to 999.
            let status = StatusCode::from_u16(response.status().as_u16()).unwrap_or_default();
            let response = match open.slot.commit_of(status).await {
                Ok(told) => {
                    let mut head = match own_error(&response) {
                        Some(error) => error.to_response::<()>(),
                        None => Response::new(()),
                    };
                    let headers = response.headers_mut();
                    *head.headers_mut() = actix::headers(headers);
                    told.apply_to(&mut head);
                    replace(headers, head.headers());
                    response.map_into_left_body()
                }
                Err(error) => {
                    let refusal: HttpResponse = actix::response(open.slot.refuse(&error));
                    response.into_response(refusal).map_into_right_body()
                }
            };
            open.answer();
            Ok(response)
        })
    }
}

impl<S> SessionService<S> {
    /// Makes the slot of a request, and puts it there; `None` if a middleware of the same configuration has done so.
    fn open(&self, request: &ServiceRequest) -> Option<Open> {
        let is_outer = request.extensions().get::<SessionSlot>().map(|outer| outer.is_of(&self.sessions));
        if is_outer == Some(true) {
            return None;
        }
        let head = head(request);
        let slot = SessionSlot::arrived(self.sessions.clone(), &RequestHead::of(&head));
        // On a path that is not this one's, the session of a middleware around it stays.
        if is_outer.is_none() || !slot.is_outside_path() {
            request.extensions_mut().insert(slot.clone());
        }
        Some(Open { slot, is_answered: false })
    }
}

/// Copies the head of a request into the types that the session knows.
fn head(request: &ServiceRequest) -> Request<()> {
    let mut head = Request::new(());
    *head.method_mut() = Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or_default();
    *head.uri_mut() = request.uri().to_string().parse().unwrap_or_else(|_| Uri::default());
    *head.headers_mut() = actix::headers(request.headers());
    let is_marked = request.extensions().contains::<SecureConnection>();
    if is_marked || request.app_config().secure() {
        head.extensions_mut().insert(SecureConnection);
    }
    head
}

/// Makes these the headers of a response.
fn replace(headers: &mut actix_web::http::header::HeaderMap, by: &http::HeaderMap) {
    headers.clear();
    for (name, value) in by {
        let name = ActixName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, ActixValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
}

/// The error of a session that a handler answered with.
fn own_error<B>(response: &ServiceResponse<B>) -> Option<&Error> {
    response.response().error()?.as_error()
}

/// Such a response gets the `Retry-After` of the policy.
fn is_outage<B>(response: &ServiceResponse<B>) -> bool {
    own_error(response).is_some_and(|error| error.status() == StatusCode::SERVICE_UNAVAILABLE)
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
