//! The layer as plain tower: requests that are paused in the middle, errors, panics, and requests that want no session.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use conformance_tests::traces;
use http::{Request, Response, StatusCode, header};
use session_core::{
    Clock, Error, Listing, OwnerId, Page, Record, Result, Revision, Scope, SessionIndex, SessionKey, SessionStore,
    SystemClock, Timestamp,
};
use session_store_memory::MemoryStore;
use session_tower::{FailurePolicy, Secrets, ServerErrors, Session, SessionBody, SessionLayer};
use tokio::sync::Notify;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

fn layer(store: &Arc<MemoryStore>) -> SessionLayer {
    traces::capture();
    let secrets = Secrets::new(["a secret of the tests, 32 bytes or more"]).expect("it is long enough");
    SessionLayer::new(store.clone(), secrets)
}

fn request(path: &str, cookie: &str) -> Request<String> {
    let request = Request::post(path).header(header::COOKIE, cookie);
    request.body(String::new()).expect("the test's request is valid")
}

/// Returns `name=value` of the response's cookie, as the browser sends it back.
fn cookie(response: &Response<String>) -> Option<String> {
    let line = response.headers().get(header::SET_COOKIE)?.to_str().expect("our cookies are text");
    let pair = line.split(';').next()?;
    pair.split(['=', '.']).skip(1).for_each(traces::keep_out);
    Some(pair.into())
}

/// An application that does what the path says, and stops in the middle of `/slow` until it is let go.
async fn application(request: Request<String>, gate: Arc<Gate>) -> std::result::Result<Response<String>, BoxError> {
    let answer = match Session::of(&request).await {
        Ok(session) => act(&session, request.uri().path(), &gate).await?,
        Err(error) => error.to_response(),
    };
    Ok(answer)
}

#[derive(Default)]
struct Gate {
    reached: Notify,
    open: Notify,
}

async fn act(session: &Session, path: &str, gate: &Gate) -> std::result::Result<Response<String>, BoxError> {
    let mut status = StatusCode::OK;
    match path {
        "/read" => {}
        "/login" => session.login("ada")?,
        "/logout" => session.logout(),
        _ => session.modify("n", |n: &mut u32| *n += 1)?,
    }
    match path {
        "/slow" => {
            gate.reached.notify_one();
            gate.open.notified().await;
        }
        "/not-found" => status = StatusCode::NOT_FOUND,
        "/error" => return Err("the application broke".into()),
        "/panic" => panic!("the application broke"),
        _ => {}
    }
    let mut response = Response::new(session.get::<u32>("n")?.unwrap_or_default().to_string());
    *response.status_mut() = status;
    Ok(response)
}

type Answer = std::result::Result<Response<String>, BoxError>;

async fn send(store: &Arc<MemoryStore>, gate: &Arc<Gate>, path: &str, cookie: &str) -> Answer {
    let gate = gate.clone();
    let service = layer(store).layer(service_fn(move |request| application(request, gate.clone())));
    service.oneshot(request(path, cookie)).await.map(plain)
}

/// Takes the body out of the layer's, whether it is the application's or that of a refusal.
fn plain(response: Response<SessionBody<String>>) -> Response<String> {
    response.map(|body| body.into_inner().unwrap_or_else(|refusal| refusal))
}

/// Runs `meanwhile` while `/slow` waits in its handler, and returns the answer of `/slow`.
async fn slow(store: &Arc<MemoryStore>, cookie: &str, meanwhile: impl AsyncFnOnce(&Arc<Gate>)) -> Response<String> {
    let gate = Arc::new(Gate::default());
    let (store, cookie, of_slow) = (store.clone(), cookie.to_owned(), gate.clone());
    let running = tokio::spawn(async move { send(&store, &of_slow, "/slow", &cookie).await });
    gate.reached.notified().await;
    meanwhile(&gate).await;
    gate.open.notify_one();
    running.await.expect("the handler does not panic").expect("the handler answers")
}

#[tokio::test]
async fn a20_the_next_request_sees_what_the_last_response_told() {
    let (store, gate) = (Arc::new(MemoryStore::new()), Arc::default());
    let first = send(&store, &gate, "/", "").await.expect("it answers");
    assert_eq!(first.body(), "1");
    let cookie = cookie(&first).expect("a session was created");
    for expected in 2..20 {
        let response = send(&store, &gate, "/", &cookie).await.expect("it answers");
        assert_eq!(*response.body(), expected.to_string());
        assert!(!response.headers().contains_key(header::SET_COOKIE));
    }
}

#[tokio::test]
async fn a_request_that_is_paused_neither_loses_nor_revives() {
    let (store, gate) = (Arc::new(MemoryStore::new()), Arc::default());
    let cookie = cookie(&send(&store, &gate, "/", "").await.expect("it answers")).expect("a session was created");
    slow(&store, &cookie, async |gate| {
        for _ in 0..20 {
            send(&store, gate, "/", &cookie).await.expect("it answers");
        }
    })
    .await;
    let read = send(&store, &gate, "/read", &cookie).await.expect("it answers");
    assert_eq!(read.body(), "22");

    for path in ["/login", "/logout"] {
        let paused = slow(&store, &cookie, async |gate| {
            assert!(send(&store, gate, path, &cookie).await.expect("it answers").headers().contains_key("set-cookie"));
        })
        .await;
        assert_eq!(paused.status(), 409, "what it added is not stored");
        if path == "/login" {
            assert!(!paused.headers().contains_key(header::SET_COOKIE));
            assert_eq!(store.count(Scope::All).await.expect("it counts"), 1);
        }
        store.clear().await.expect("it clears");
        let again = Record::new(session_core::Data::empty(), SystemClock.now(), Timestamp::MAX);
        let key = key_of(&cookie);
        store.create(&key, &again).await.expect("the key is free");
    }
}

fn key_of(cookie: &str) -> SessionKey {
    let value = cookie.split_once('=').expect("a name and a value").1;
    let id = session_core::SessionId::parse(&value[..32]).expect("it begins with the id");
    SessionKey::derive("session", &id)
}

#[tokio::test]
async fn an_error_status_is_stored_and_an_error_or_a_panic_is_not() {
    let (store, gate) = (Arc::new(MemoryStore::new()), Arc::<Gate>::default());
    let cookie = cookie(&send(&store, &gate, "/", "").await.expect("it answers")).expect("a session was created");
    let not_found = send(&store, &gate, "/not-found", &cookie).await.expect("it answers");
    assert_eq!((not_found.status(), not_found.body().as_str()), (StatusCode::NOT_FOUND, "2"));
    assert!(send(&store, &gate, "/error", &cookie).await.is_err());
    let panicking = tokio::spawn({
        let (store, gate, cookie) = (store.clone(), gate.clone(), cookie.clone());
        async move { send(&store, &gate, "/panic", &cookie).await }
    });
    assert!(panicking.await.is_err());
    assert_eq!(send(&store, &gate, "/read", &cookie).await.expect("it answers").body(), "2");
}

#[tokio::test]
async fn a_status_of_the_server_is_not_stored_if_the_policy_says_so() {
    let store = Arc::new(MemoryStore::new());
    let discard = FailurePolicy::default().with_server_errors(ServerErrors::Discard);
    let broken = service_fn(async |request: Request<String>| {
        Session::of(&request).await?.set("n", &1)?;
        let mut response = Response::new(String::new());
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        Ok::<_, BoxError>(response)
    });
    let response = layer(&store).with_failure(discard).layer(broken).oneshot(request("/", "")).await;
    assert_eq!(response.expect("it answers").status(), StatusCode::BAD_GATEWAY);
    assert_eq!(store.count(Scope::All).await.expect("it counts"), 0);
}

#[tokio::test]
async fn a_commit_that_failed_is_answered_with_the_applications_own_words() {
    let store = Arc::new(MemoryStore::new().with_max_data_bytes(2));
    let layer = layer(&store).with_refusal(|error| {
        let mut response = error.to_response::<String>();
        "too much".clone_into(response.body_mut());
        Some(response)
    });
    let service = layer.layer(service_fn(|request| application(request, Arc::default())));
    let response = plain(service.oneshot(request("/", "")).await.expect("it answers"));
    assert_eq!((response.status().as_u16(), response.body().as_str()), (500, "too much"));
}

#[tokio::test]
async fn without_the_layer_there_is_no_session() {
    let error = Session::of(&request("/", "")).await.expect_err("no layer is around");
    assert!(matches!(error, session_tower::Error::MissingLayer));
    assert_eq!(error.to_response::<()>().status(), 500);
}

/// Fails every call and counts them.
#[derive(Default)]
struct Absent(AtomicU32);

impl Absent {
    fn refuse<T>(&self) -> Result<T> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(Error::unavailable("it is not there"))
    }
}

#[async_trait]
impl SessionStore for Absent {
    async fn create(&self, _: &SessionKey, _: &Record) -> Result<Revision> {
        self.refuse()
    }
    async fn load(&self, _: &SessionKey) -> Result<Option<(Record, Revision)>> {
        self.refuse()
    }
    async fn update(&self, _: &SessionKey, _: Revision, _: &Record) -> Result<Revision> {
        self.refuse()
    }
    async fn touch(&self, _: &SessionKey, _: Timestamp) -> Result<()> {
        self.refuse()
    }
    async fn rotate(&self, _: &SessionKey, _: Revision, _: &SessionKey, _: &Record) -> Result<Revision> {
        self.refuse()
    }
    async fn delete(&self, _: &SessionKey) -> Result<bool> {
        self.refuse()
    }
    async fn delete_expired(&self, _: u32) -> Result<u32> {
        self.refuse()
    }
}

#[async_trait]
impl SessionIndex for Absent {
    async fn list(&self, _: Scope<'_>, _: &Page) -> Result<Listing> {
        self.refuse()
    }
    async fn count(&self, _: Scope<'_>) -> Result<u64> {
        self.refuse()
    }
    async fn delete_owned(&self, _: &OwnerId, _: Option<&SessionKey>) -> Result<u64> {
        self.refuse()
    }
    async fn clear(&self) -> Result<u64> {
        self.refuse()
    }
}

#[tokio::test]
async fn s18_an_outage_is_a_503_for_who_needs_the_session_and_nothing_for_others() {
    let (store, gate) = (Arc::new(MemoryStore::new()), Arc::default());
    let cookie = cookie(&send(&store, &gate, "/", "").await.expect("it answers")).expect("a session was created");
    let absent = Arc::new(Absent::default());
    let secrets = Secrets::new(["a secret of the tests, 32 bytes or more"]).expect("it is long enough");
    let layer = SessionLayer::new(absent.clone(), secrets);

    let quiet = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new("hello".to_owned())));
    let response = plain(layer.layer(quiet).oneshot(request("/", &cookie)).await.expect("it answers"));
    assert_eq!((response.body().as_str(), response.headers().len()), ("hello", 0));
    assert_eq!(absent.0.load(Ordering::Relaxed), 0);

    let mut service = layer.layer(service_fn(move |request| application(request, Arc::default())));
    for (path, cookie, status) in
        [("/read", &*cookie, 503), ("/", &*cookie, 503), ("/logout", &*cookie, 503), ("/", "", 503), ("/read", "", 200)]
    {
        let response =
            service.ready().await.expect("it is ready").call(request(path, cookie)).await.expect("it answers");
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers().contains_key(header::RETRY_AFTER), status == 503);
        assert!(!response.headers().contains_key(header::SET_COOKIE));
        let response = plain(response);
        assert!(status == 200 || response.body().is_empty(), "the application's answer was replaced");
    }
}
