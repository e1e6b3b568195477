//! A runtime of tokio without timers: nothing is timed, and nothing panics.

use std::cell::Cell;
use std::sync::{Arc, Once};

use async_trait::async_trait;
use http::{Request, Response, header};
use session_core::{
    Listing, OwnerId, Page, Record, Result, Revision, Scope, SessionIndex, SessionKey, SessionStore, Timestamp,
};
use session_store_memory::MemoryStore;
use session_tower::{Error, Secrets, Session, SessionLayer};
use tokio::task::yield_now;
use tower::{Layer, ServiceExt, service_fn};

/// A memory store that does not answer at once, so that it has to be waited for.
struct Unhurried(MemoryStore);

#[async_trait]
impl SessionStore for Unhurried {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        yield_now().await;
        self.0.create(key, record).await
    }
    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        yield_now().await;
        self.0.load(key).await
    }
    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.0.update(key, expected, record).await
    }
    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        self.0.touch(key, expires_at).await
    }
    async fn rotate(&self, old: &SessionKey, at: Revision, new: &SessionKey, record: &Record) -> Result<Revision> {
        self.0.rotate(old, at, new, record).await
    }
    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        self.0.delete(key).await
    }
    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        self.0.delete_expired(limit).await
    }
}

#[async_trait]
impl SessionIndex for Unhurried {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        self.0.list(scope, page).await
    }
    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        self.0.count(scope).await
    }
    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        self.0.delete_owned(owner, except).await
    }
    async fn clear(&self) -> Result<u64> {
        self.0.clear().await
    }
}

thread_local! {
    /// How many panics this thread had.
    static PANICS: Cell<u32> = const { Cell::new(0) };
}

/// Makes a session for each of so many requests, one after the other, where there are no timers; says how many panics were seen.
fn serve(requests: u32) -> u32 {
    static COUNTING: Once = Once::new();
    COUNTING.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            tell(panic);
        }));
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("the test machine has a runtime");
    let secrets = Secrets::new(["a secret of the tests, 32 bytes or more"]).expect("it is long enough");
    let layer = SessionLayer::new(Arc::new(Unhurried(MemoryStore::new())), secrets);
    for _ in 0..requests {
        let service = layer.layer(service_fn(async |request: Request<()>| {
            Session::of(&request).await?.set("n", &1)?;
            Ok::<_, Error>(Response::new(String::new()))
        }));
        let response = runtime.block_on(service.oneshot(Request::new(()))).expect("there is a session");
        assert_eq!(response.status(), 200);
        assert!(response.headers().contains_key(header::SET_COOKIE));
    }
    PANICS.get()
}

#[test]
fn a_runtime_without_timers_serves_sessions() {
    serve(1);
}

#[test]
fn that_it_has_none_is_found_out_once() {
    assert_eq!(serve(3), 1);
}
