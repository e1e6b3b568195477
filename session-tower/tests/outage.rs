//! Through the layer: a store that hangs or is slow holds no request up, and the policy decides what the client gets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::{Request, Response, header};
use session_core::{
    Listing, OwnerId, Page, Record, Result, Revision, Scope, SessionIndex, SessionKey, SessionStore, Timestamp,
};
use session_store_memory::MemoryStore;
use session_tower::{
    CommitFailure, Error, FailurePolicy, LoadFailure, LogoutFailure, Secrets, Session, SessionBody, SessionLayer,
};
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};

const LIMIT: Duration = Duration::from_secs(3);

/// The memory store behind a line that takes a while; for ever, if that is the most that there is.
#[derive(Default)]
struct Distant {
    inner: MemoryStore,
    seconds: AtomicU64,
}

impl Distant {
    async fn travel(&self) {
        match self.seconds.load(Ordering::Relaxed) {
            0 => {}
            u64::MAX => std::future::pending().await,
            seconds => tokio::time::sleep(Duration::from_secs(seconds)).await,
        }
    }
}

#[async_trait]
impl SessionStore for Distant {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        self.travel().await;
        self.inner.create(key, record).await
    }
    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        self.travel().await;
        self.inner.load(key).await
    }
    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.travel().await;
        self.inner.update(key, expected, record).await
    }
    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        self.travel().await;
        self.inner.touch(key, expires_at).await
    }
    async fn rotate(&self, old: &SessionKey, at: Revision, new: &SessionKey, record: &Record) -> Result<Revision> {
        self.travel().await;
        self.inner.rotate(old, at, new, record).await
    }
    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        self.travel().await;
        self.inner.delete(key).await
    }
    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        self.travel().await;
        self.inner.delete_expired(limit).await
    }
}

#[async_trait]
impl SessionIndex for Distant {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        self.travel().await;
        self.inner.list(scope, page).await
    }
    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        self.travel().await;
        self.inner.count(scope).await
    }
    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        self.travel().await;
        self.inner.delete_owned(owner, except).await
    }
    async fn clear(&self) -> Result<u64> {
        self.travel().await;
        self.inner.clear().await
    }
}

async fn application(request: Request<String>) -> std::result::Result<Response<String>, Error> {
    let session = match Session::of(&request).await {
        Ok(session) => session,
        Err(error) => return Ok(error.to_response()),
    };
    match request.uri().path() {
        "/login" => session.login("ada")?,
        "/logout" => session.logout(),
        "/write" => session.modify("n", |n: &mut u32| *n += 1)?,
        _ => {}
    }
    Ok(Response::new(session.owner().map_or("nobody".to_owned(), |owner| owner.to_string())))
}

fn layer(store: &Arc<Distant>, policy: FailurePolicy) -> SessionLayer {
    let secrets = Secrets::new(["a secret of the tests, 32 bytes or more"]).expect("it is long enough");
    SessionLayer::new(store.clone(), secrets).with_failure(policy).with_store_timeout(LIMIT)
}

/// Sends a request, and checks that it is answered in time: the limit for the load, and as much for the commit.
async fn send(layer: &SessionLayer, path: &str, cookie: &str) -> Response<String> {
    let request = Request::post(path).header(header::COOKIE, cookie).body(String::new());
    let start = Instant::now();
    let answer = layer.layer(service_fn(application)).oneshot(request.expect("the test's request is valid")).await;
    assert!(start.elapsed() <= 2 * LIMIT + Duration::from_millis(2), "{path} took {:?}", start.elapsed());
    plain(answer.expect("it answers"))
}

/// Takes the body out of the layer's, whether it is the application's or that of a refusal.
fn plain(response: Response<SessionBody<String>>) -> Response<String> {
    response.map(|body| body.into_inner().unwrap_or_else(|refusal| refusal))
}

async fn login(layer: &SessionLayer) -> String {
    let response = send(layer, "/login", "").await;
    let line = response.headers()[header::SET_COOKIE].to_str().expect("our cookies are text");
    line.split(';').next().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn s17_a_store_that_hangs_or_is_slow_holds_no_request_up_and_logs_nobody_out() {
    for seconds in [u64::MAX, 60] {
        let store = Arc::new(Distant::default());
        let layer = layer(&store, FailurePolicy::default().with_retry_after(Duration::from_secs(20)));
        let cookie = login(&layer).await;
        store.seconds.store(seconds, Ordering::Relaxed);
        for (path, cookie) in
            [("/", &*cookie), ("/write", &*cookie), ("/logout", &*cookie), ("/login", ""), ("/write", "")]
        {
            let response = send(&layer, path, cookie).await;
            assert_eq!(response.status(), 503, "{path}");
            assert_eq!(response.headers()[header::RETRY_AFTER], "20", "{path}");
            assert!(response.body().is_empty() && !response.headers().contains_key(header::SET_COOKIE));
        }
        assert_eq!(send(&layer, "/", "").await.body(), "nobody");
        store.seconds.store(0, Ordering::Relaxed);
        assert_eq!(send(&layer, "/", &cookie).await.body(), "ada");
    }
}

#[tokio::test(start_paused = true)]
async fn s18_the_policy_may_choose_anonymous_pages_and_nothing_is_lost_by_it() {
    let store = Arc::new(Distant::default());
    let lenient = FailurePolicy::default()
        .with_load(LoadFailure::Anonymous)
        .with_commit(CommitFailure::Deliver)
        .with_logout(LogoutFailure::Forget);
    let layer = layer(&store, lenient);
    let cookie = login(&layer).await;
    store.seconds.store(u64::MAX, Ordering::Relaxed);
    for (path, status) in [("/", 200), ("/write", 200), ("/login", 503)] {
        let response = send(&layer, path, &cookie).await;
        assert_eq!(response.status(), status, "{path}");
        assert!(!response.headers().contains_key(header::SET_COOKIE), "{path}");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store", "{path}");
    }
    let logout = send(&layer, "/logout", &cookie).await;
    assert_eq!(logout.status(), 200);
    assert!(logout.headers()[header::SET_COOKIE].to_str().expect("it is text").contains("Max-Age=0"));
    store.seconds.store(0, Ordering::Relaxed);
    assert_eq!(send(&layer, "/", &cookie).await.body(), "ada");
}

#[test]
fn where_no_tokio_runs_the_layer_works_as_ever() {
    let store = Arc::new(Distant::default());
    let layer = layer(&store, FailurePolicy::default());
    let answer = layer.layer(service_fn(application)).oneshot(Request::new(String::new()));
    let mut answer = std::pin::pin!(answer);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(answer.as_mut().poll(&mut context).is_ready());
}
