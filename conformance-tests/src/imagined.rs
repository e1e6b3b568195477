//! The model behind the traits of a store, so that one piece of code asks both.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use session_core::{
    Clock, Error, Listing, ManualClock, OwnerId, Page, Record, Result, Revision, Scope, SessionIndex, SessionInfo,
    SessionKey, SessionStore, Timestamp,
};

use crate::check::Refusal;
use crate::model::Model;

/// A store that answers as the model does. Its revisions are the numbers of the writes.
#[derive(Debug)]
pub(crate) struct Imagined {
    model: Mutex<Model>,
    clock: ManualClock,
}

impl Imagined {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { model: Mutex::default(), clock: ManualClock::new(now) }
    }

    /// Lets time pass by moving the clock.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Lets time pass by ageing what is stored.
    pub(crate) fn age(&self, by: Duration) {
        self.model().age(by);
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answered<T>(answer: std::result::Result<T, Refusal>) -> Result<T> {
    answer.map_err(|refusal| match refusal {
        Refusal::AlreadyExists => Error::AlreadyExists,
        Refusal::NotFound => Error::NotFound,
        Refusal::Conflict => Error::Conflict,
        _ => Error::backend("the model refuses in no other way"),
    })
}

#[async_trait]
impl SessionStore for Imagined {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        answered(self.model().create(self.clock.now(), key, record)).map(Revision::from_number)
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        let model = self.model();
        let loaded = model.load(self.clock.now(), key);
        Ok(loaded.map(|(record, write)| (record.clone(), Revision::from_number(write))))
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        let write = self.model().update(self.clock.now(), key, expected.number(), record);
        answered(write).map(Revision::from_number)
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        answered(self.model().touch(self.clock.now(), key, expires_at))
    }

    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Revision> {
        let write = self.model().rotate(self.clock.now(), old, expected.number(), new, record);
        answered(write).map(Revision::from_number)
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        Ok(self.model().delete(self.clock.now(), key))
    }

    async fn delete_expired(&self, _: u32) -> Result<u32> {
        Ok(u32::try_from(self.model().delete_expired(self.clock.now())).unwrap_or(u32::MAX))
    }
}

/// For one owner: nothing else is asked of the model.
#[async_trait]
impl SessionIndex for Imagined {
    async fn list(&self, scope: Scope<'_>, _: &Page) -> Result<Listing> {
        let (model, now) = (self.model(), self.clock.now());
        let Scope::Owner(owner) = scope else { return Err(Error::backend("the model lists by owner")) };
        let owned = model.owned(now, owner).into_iter();
        let infos = owned.filter_map(|key| model.load(now, &key).map(|(record, _)| SessionInfo::of(&key, record)));
        Ok(Listing::new(infos.collect(), None))
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        let Scope::Owner(owner) = scope else { return Err(Error::backend("the model counts by owner")) };
        Ok(self.model().owned(self.clock.now(), owner).len() as u64)
    }

    async fn delete_owned(&self, owner: &OwnerId, _: Option<&SessionKey>) -> Result<u64> {
        Ok(self.model().delete_owned(self.clock.now(), owner) as u64)
    }

    async fn clear(&self) -> Result<u64> {
        Err(Error::backend("the model is not cleared"))
    }
}
