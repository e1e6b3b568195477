//! The layer around services whose body has no default, as that of a layer which traces or compresses responses, and within those that need
//! one.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode, header};
use session_store_memory::MemoryStore;
use session_tower::{Error, Secrets, Session, SessionLayer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

/// A body around a body, without a default.
struct Traced<B>(B);

/// Puts it there, as `TraceLayer` does.
#[derive(Clone)]
struct Trace;

#[derive(Clone)]
struct TraceService<S>(S);

impl<S> Layer<S> for Trace {
    type Service = TraceService<S>;

    fn layer(&self, inner: S) -> TraceService<S> {
        TraceService(inner)
    }
}

impl<S, R, B: 'static> Service<R> for TraceService<S>
where
    S: Service<R, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<Traced<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move { Ok(answer.await?.map(Traced)) })
    }
}

async fn visit(request: Request<String>) -> Result<Response<String>, Infallible> {
    let counted = async {
        Session::of(&request).await?.set("n", &1)?;
        Ok::<_, Error>(())
    };
    Ok(match counted.await {
        Ok(()) => Response::new("hello".into()),
        Err(error) => error.to_response(),
    })
}

fn sessions(store: MemoryStore) -> SessionLayer {
    SessionLayer::new(Arc::new(store), Secrets::random_for_development().expect("the test machine has randomness"))
}

#[tokio::test]
async fn the_body_needs_no_default() {
    let service = ServiceBuilder::new().layer(sessions(MemoryStore::new())).layer(Trace).service(service_fn(visit));
    let Ok(response) = service.oneshot(Request::new(String::new())).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers().contains_key(header::SET_COOKIE));
}

#[tokio::test]
async fn a_refused_commit_is_answered_without_the_applications_headers() {
    let store = MemoryStore::new().with_max_data_bytes(2);
    let answer = service_fn(async |request: Request<String>| {
        let mut response = visit(request).await?;
        response.headers_mut().insert("x-secret", header::HeaderValue::from_static("of the application"));
        Ok::<_, Infallible>(response)
    });
    let service = ServiceBuilder::new().layer(sessions(store)).layer(Trace).service(answer);
    let Ok(response) = service.oneshot(Request::new(String::new())).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!response.headers().contains_key("x-secret"));
}

/// A layer that may answer by itself, with an empty body, as those of tower-http for time-outs and for CORS.
#[derive(Clone)]
struct Answers;

#[derive(Clone)]
struct AnswersService<S>(S);

impl<S> Layer<S> for Answers {
    type Service = AnswersService<S>;

    fn layer(&self, inner: S) -> AnswersService<S> {
        AnswersService(inner)
    }
}

impl<S, R, B> Service<R> for AnswersService<S>
where
    S: Service<R, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Default + Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, _: R) -> Self::Future {
        Box::pin(std::future::ready(Ok(Response::new(B::default()))))
    }
}

#[tokio::test]
async fn a_layer_around_it_may_answer_with_an_empty_body() {
    let service = ServiceBuilder::new().layer(Answers).layer(sessions(MemoryStore::new())).service(service_fn(visit));
    let Ok(response) = service.oneshot(Request::new(String::new())).await;
    assert_eq!(response.into_body().into_inner(), Ok(String::new()), "the application's own, which is empty");
}
