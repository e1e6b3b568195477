//! The calls of a store, each as a value that the trouble between the application and its store decides about.

use async_trait::async_trait;
use session_core::{
    Error, Listing, OwnerId, Page, Record, Result, Revision, Scope, SessionIndex, SessionKey, SessionStore, Timestamp,
};

use crate::call::{Answer, Call};
use crate::trouble::TroubledStore;

/// What the store says to this call has only one shape.
fn odd() -> Error {
    Error::backend("an answer of another call")
}

#[async_trait]
impl SessionStore for TroubledStore {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        let Answer::Revision(revision) = self.call(Call::Create(key.clone(), record.clone())).await? else {
            return Err(odd());
        };
        Ok(revision)
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        let Answer::Loaded(loaded) = self.call(Call::Load(key.clone())).await? else { return Err(odd()) };
        Ok(loaded)
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        let call = Call::Update(key.clone(), expected, record.clone());
        let Answer::Revision(revision) = self.call(call).await? else { return Err(odd()) };
        Ok(revision)
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        self.call(Call::Touch(key.clone(), expires_at)).await.map(drop)
    }

    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Revision> {
        let call = Call::Rotate(old.clone(), expected, new.clone(), record.clone());
        let Answer::Revision(revision) = self.call(call).await? else { return Err(odd()) };
        Ok(revision)
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        let Answer::WasLive(was_live) = self.call(Call::Delete(key.clone())).await? else { return Err(odd()) };
        Ok(was_live)
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        let Answer::Number(number) = self.call(Call::DeleteExpired(limit)).await? else { return Err(odd()) };
        Ok(u32::try_from(number).unwrap_or(limit))
    }
}

#[async_trait]
impl SessionIndex for TroubledStore {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        let Answer::Listing(mut listing) = self.call(Call::List(owner(scope), page.clone())).await? else {
            return Err(odd());
        };
        // The order is the store's own; one that a seed repeats.
        let mut known = self.model.known();
        listing.sessions.sort_by_cached_key(|session| known.place(&session.key));
        Ok(listing)
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        let Answer::Number(number) = self.call(Call::Count(owner(scope))).await? else { return Err(odd()) };
        Ok(number)
    }

    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        let Answer::Number(number) = self.call(Call::DeleteOwned(owner.clone(), except.cloned())).await? else {
            return Err(odd());
        };
        Ok(number)
    }

    async fn clear(&self) -> Result<u64> {
        let Answer::Number(number) = self.call(Call::Clear).await? else { return Err(odd()) };
        Ok(number)
    }
}

fn owner(scope: Scope<'_>) -> Option<OwnerId> {
    match scope {
        Scope::Owner(owner) => Some(owner.clone()),
        _ => None,
    }
}
