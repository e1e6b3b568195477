//! All sessions of a listing, over the memory store and over one whose pages are odd.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use futures_core::Stream;
use session_core::{
    Clock, Cursor, Data, Error, Listing, OwnerId, Page, Record, Result, Revision, Scope, SessionIndex, SessionKey,
    SessionStore, SessionStream, SystemClock, Timestamp,
};
use session_store_memory::MemoryStore;

/// A cursor that leads back to the beginning.
const BEGINNING: &str = "beginning";

/// The memory store, with an answer of its own to some calls of `list`; they are counted.
#[derive(Clone)]
struct Odd {
    store: MemoryStore,
    calls: Arc<AtomicU32>,
    answer: fn(u32) -> Option<Result<Listing>>,
}

impl Odd {
    async fn new(count: u32, answer: fn(u32) -> Option<Result<Listing>>) -> Self {
        Self { store: store_of(count).await, calls: Arc::default(), answer }
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl SessionStore for Odd {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        self.store.create(key, record).await
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        self.store.load(key).await
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.store.update(key, expected, record).await
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        self.store.touch(key, expires_at).await
    }

    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Revision> {
        self.store.rotate(old, expected, new, record).await
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        self.store.delete(key).await
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        self.store.delete_expired(limit).await
    }
}

#[async_trait]
impl SessionIndex for Odd {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        match (self.answer)(self.calls.fetch_add(1, Ordering::SeqCst)) {
            Some(answer) => answer,
            None if page.cursor().is_some_and(|cursor| cursor.as_str() == BEGINNING) => {
                self.store.list(scope, &Page::first(page.limit())).await
            }
            None => self.store.list(scope, page).await,
        }
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        self.store.count(scope).await
    }

    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        self.store.delete_owned(owner, except).await
    }

    async fn clear(&self) -> Result<u64> {
        self.store.clear().await
    }
}

/// Every third session is that of user 0, and so on.
async fn store_of(count: u32) -> MemoryStore {
    let (store, now) = (MemoryStore::new(), SystemClock.now());
    let record = Record::new(Data::empty(), now, now.saturating_add(Duration::from_secs(600)));
    for number in 0..count {
        let key = SessionKey::parse(&format!("k-{number}")).expect("the test's key is a key");
        let record = record.clone().with_owner(OwnerId::from(number % 3));
        store.create(&key, &record).await.expect("the key is new");
    }
    store
}

async fn keys(mut sessions: SessionStream) -> Vec<String> {
    let mut keys = Vec::new();
    while let Some(session) = sessions.next().await {
        keys.push(session.expect("memory does not fail").key.to_string());
    }
    assert!(sessions.next().await.is_none(), "it was over");
    keys.sort();
    keys
}

#[tokio::test]
async fn every_session_comes_once_whatever_the_limit_of_a_page() {
    let store = store_of(25).await;
    let mut expected: Vec<_> = (0..25).map(|number| format!("k-{number}")).collect();
    expected.sort();
    for limit in [0, 1, 5, 24, 25, 26, u32::MAX] {
        let sessions = SessionStream::of(store.clone(), Scope::All).with_page_limit(limit);
        assert_eq!(keys(sessions).await, expected, "pages of {limit}");
    }
    assert!(keys(SessionStream::of(MemoryStore::new(), Scope::All)).await.is_empty());
}

#[tokio::test]
async fn those_of_a_user_are_those_of_nobody_else() {
    let store: Arc<dyn SessionIndex> = Arc::new(store_of(10).await);
    let sessions = SessionStream::of(store, Scope::Owner(&OwnerId::from(1))).with_page_limit(2);
    assert_eq!(keys(sessions).await, ["k-1", "k-4", "k-7"]);
}

#[tokio::test]
async fn a_page_is_asked_for_when_the_one_before_is_used_up() {
    let store = Odd::new(5, |_| None).await;
    let mut sessions = SessionStream::of(store.clone(), Scope::All).with_page_limit(2);
    assert_eq!(store.calls(), 0, "nobody wanted a session yet");
    for calls in [1, 1, 2, 2, 3] {
        assert!(matches!(sessions.next().await, Some(Ok(_))));
        assert_eq!(store.calls(), calls);
    }
}

#[tokio::test]
async fn an_error_is_the_last_that_comes() {
    let store = Odd::new(5, |call| (call == 1).then(|| Err(Error::unavailable("the test says so")))).await;
    let mut sessions = SessionStream::of(store.clone(), Scope::All).with_page_limit(2);
    assert!(matches!(sessions.next().await, Some(Ok(_))));
    assert!(matches!(sessions.next().await, Some(Ok(_))));
    assert!(matches!(sessions.next().await, Some(Err(Error::Unavailable(_)))));
    assert!(sessions.next().await.is_none());
    assert_eq!(store.calls(), 2);
}

#[tokio::test]
async fn an_empty_page_ends_nothing_and_others_have_their_turn_behind_it() {
    let store =
        Odd::new(5, |call| (call < 1000).then(|| Ok(Listing::new(Vec::new(), Some(Cursor::new(BEGINNING)))))).await;
    let mut sessions = pin!(SessionStream::of(store.clone(), Scope::All));
    let mut context = Context::from_waker(Waker::noop());
    for calls in 1..=3 {
        assert!(sessions.as_mut().poll_next(&mut context).is_pending());
        assert_eq!(store.calls(), calls, "one page in one turn");
    }
    assert!(matches!(poll_fn(|context| sessions.as_mut().poll_next(context)).await, Some(Ok(_))));
}

#[tokio::test]
async fn a_call_for_the_next_that_is_given_up_loses_none() {
    let store =
        Odd::new(1, |call| (call == 0).then(|| Ok(Listing::new(Vec::new(), Some(Cursor::new(BEGINNING)))))).await;
    let mut sessions = SessionStream::of(store, Scope::All);
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(pin!(sessions.next()).poll(&mut context), Poll::Pending));
    let session = sessions.next().await.expect("there is one").expect("memory does not fail");
    assert_eq!(session.key.as_str(), "k-0");
}

/// A body that is written while it is read has to be sent between threads and to own what it reads from.
#[test]
fn it_can_be_the_body_of_a_response() {
    fn body(_: impl Stream<Item = Result<session_core::SessionInfo>> + Send + Unpin + 'static) {}
    body(SessionStream::of(MemoryStore::new(), Scope::Owner(&OwnerId::from(1))));
}
