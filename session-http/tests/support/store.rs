//! A memory store with trouble on demand, whose calls are listed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use conformance_tests::traces;
use session_core::{
    Error as StoreError, Listing, OwnerId, Page, Record, Result as StoreResult, Revision, Scope, SessionIndex,
    SessionKey, SessionStore, Timestamp,
};
use session_store_memory::MemoryStore;
use tokio::sync::Notify;

/// What is wrong with the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Trouble {
    #[default]
    None,
    /// It refuses every call.
    Down,
    /// It never answers.
    Hangs,
    /// It takes this long before it does anything.
    Slow(Duration),
    /// It does what it is asked and takes this long to say so.
    Late(Duration),
    /// It does what it is asked and the answer is lost, but for loads.
    LosesAnswers,
    /// It does what it is asked and the answer is lost, also of loads.
    LosesEveryAnswer,
    /// It holds the call until [`WatchedStore::release`], and does it then.
    Holds,
    /// It does what it is asked and holds its answer until [`WatchedStore::release`].
    HoldsAnswer,
    /// The connection breaks, and what was sent (a create) arrives with [`WatchedStore::arrive`].
    OnItsWay,
}

/// Trouble that begins after some calls that go well.
struct Later {
    calls: u64,
    trouble: Trouble,
    /// Whether the store works again after one call.
    is_once: bool,
}

/// The memory store, with its calls listed, trouble if wanted, and a pause before every call.
pub(crate) struct WatchedStore {
    pub(crate) inner: MemoryStore,
    calls: Mutex<Vec<&'static str>>,
    trouble: Mutex<Trouble>,
    /// What is wrong with one kind of call only.
    trouble_at: Mutex<Option<(&'static str, Trouble)>>,
    later: Mutex<Option<Later>>,
    yields: AtomicBool,
    reached: Notify,
    released: Notify,
    /// Creates on their way to the store, of which the caller has been told that there is no answer.
    on_their_way: Mutex<Vec<(SessionKey, Record)>>,
}

impl WatchedStore {
    pub(crate) fn new(inner: MemoryStore) -> Self {
        Self {
            inner,
            calls: Mutex::default(),
            trouble: Mutex::default(),
            trouble_at: Mutex::default(),
            later: Mutex::default(),
            yields: AtomicBool::new(false),
            reached: Notify::new(),
            released: Notify::new(),
            on_their_way: Mutex::default(),
        }
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.set_trouble(if is_down { Trouble::Down } else { Trouble::None });
    }

    /// Gives trouble to all calls; what was to come after some calls is forgotten.
    pub(crate) fn set_trouble(&self, trouble: Trouble) {
        *self.later.lock().expect("no test panics under this lock") = None;
        *self.trouble.lock().expect("no test panics under this lock") = trouble;
    }

    /// Gives trouble to one kind of call, and to no other; [`Trouble::None`] ends it.
    pub(crate) fn set_trouble_at(&self, name: &'static str, trouble: Trouble) {
        let at = (trouble != Trouble::None).then_some((name, trouble));
        *self.trouble_at.lock().expect("no test panics under this lock") = at;
    }

    /// Gives trouble to all calls after the next ones, which are so many.
    pub(crate) fn set_trouble_after(&self, calls: u64, trouble: Trouble) {
        let later = Later { calls, trouble, is_once: false };
        *self.later.lock().expect("no test panics under this lock") = Some(later);
    }

    /// Gives trouble to one call, after so many that go well.
    pub(crate) fn set_trouble_once_after(&self, calls: u64, trouble: Trouble) {
        let later = Later { calls, trouble, is_once: true };
        *self.later.lock().expect("no test panics under this lock") = Some(later);
    }

    /// Returns the trouble that has its time now.
    fn take_later(&self) -> Option<Trouble> {
        let mut later = self.later.lock().expect("no test panics under this lock");
        if let Some(due) = later.take_if(|later| later.is_once && later.calls == 0) {
            return Some(due.trouble);
        }
        let later = later.as_mut()?;
        if later.calls == 0 {
            return Some(later.trouble);
        }
        later.calls -= 1;
        None
    }

    /// Waits until a call is held.
    pub(crate) async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets one call go that is held.
    pub(crate) fn release(&self) {
        self.released.notify_one();
    }

    /// Has the creates arrive that were on their way, and returns their keys.
    pub(crate) async fn arrive(&self) -> Vec<SessionKey> {
        let creates = std::mem::take(&mut *self.on_their_way.lock().expect("no test panics under this lock"));
        for (key, record) in &creates {
            drop(self.inner.create(key, record).await);
        }
        creates.into_iter().map(|(key, _)| key).collect()
    }

    /// Lets other tasks run before every call.
    pub(crate) fn yield_before_calls(&self) {
        self.yields.store(true, Ordering::Relaxed);
    }

    /// Returns the calls since the last time that this was asked.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().expect("no test panics under this lock"))
    }

    async fn call<T>(&self, name: &'static str, work: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
        self.calls.lock().expect("no test panics under this lock").push(name);
        if self.yields.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        let at = *self.trouble_at.lock().expect("no test panics under this lock");
        let of_all = *self.trouble.lock().expect("no test panics under this lock");
        let trouble = at.filter(|(kind, _)| *kind == name).map_or(of_all, |(_, trouble)| trouble);
        match self.take_later().unwrap_or(trouble) {
            Trouble::None => work.await,
            Trouble::Down => Err(StoreError::unavailable("switched off")),
            Trouble::OnItsWay => Err(StoreError::unavailable("the connection broke")),
            Trouble::Hangs => std::future::pending().await,
            Trouble::Slow(wait) => {
                tokio::time::sleep(wait).await;
                work.await
            }
            Trouble::Late(wait) => {
                let answer = work.await;
                tokio::time::sleep(wait).await;
                answer
            }
            Trouble::Holds => {
                self.reached.notify_one();
                self.released.notified().await;
                work.await
            }
            Trouble::HoldsAnswer => {
                let answer = work.await;
                self.reached.notify_one();
                self.released.notified().await;
                answer
            }
            Trouble::LosesAnswers if name == "load" => work.await,
            Trouble::LosesAnswers | Trouble::LosesEveryAnswer => {
                work.await.and(Err(StoreError::unavailable("the connection broke")))
            }
        }
    }
}

#[async_trait]
impl SessionStore for WatchedStore {
    async fn create(&self, key: &SessionKey, record: &Record) -> StoreResult<Revision> {
        traces::keep_data_out(&record.data);
        let is_on_its_way =
            *self.trouble_at.lock().expect("no test panics under this lock") == Some(("create", Trouble::OnItsWay));
        if is_on_its_way {
            let sent = (key.clone(), record.clone());
            self.on_their_way.lock().expect("no test panics under this lock").push(sent);
        }
        self.call("create", self.inner.create(key, record)).await
    }

    async fn load(&self, key: &SessionKey) -> StoreResult<Option<(Record, Revision)>> {
        self.call("load", self.inner.load(key)).await
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> StoreResult<Revision> {
        traces::keep_data_out(&record.data);
        self.call("update", self.inner.update(key, expected, record)).await
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> StoreResult<()> {
        self.call("touch", self.inner.touch(key, expires_at)).await
    }

    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> StoreResult<Revision> {
        traces::keep_data_out(&record.data);
        self.call("rotate", self.inner.rotate(old, expected, new, record)).await
    }

    async fn delete(&self, key: &SessionKey) -> StoreResult<bool> {
        self.call("delete", self.inner.delete(key)).await
    }

    async fn delete_expired(&self, limit: u32) -> StoreResult<u32> {
        self.call("delete_expired", self.inner.delete_expired(limit)).await
    }
}

#[async_trait]
impl SessionIndex for WatchedStore {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> StoreResult<Listing> {
        self.call("list", self.inner.list(scope, page)).await
    }

    async fn count(&self, scope: Scope<'_>) -> StoreResult<u64> {
        self.call("count", self.inner.count(scope)).await
    }

    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> StoreResult<u64> {
        self.call("delete_owned", self.inner.delete_owned(owner, except)).await
    }

    async fn clear(&self) -> StoreResult<u64> {
        self.call("clear", self.inner.clear()).await
    }
}
