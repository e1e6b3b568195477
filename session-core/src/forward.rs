//! Pointers to a store are stores: `Arc<dyn SessionIndex>` is as good as the store that it points to.
//!
//! The lint makes the compiler complain when a call is added to a trait and forgotten here.
#![deny(clippy::missing_trait_methods)]

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    Listing, OwnerId, Page, Record, Result, Revision, Scope, SessionIndex, SessionKey, SessionStore, Timestamp,
};

macro_rules! forward {
    ($pointer:ty) => {
        #[async_trait]
        impl<S: SessionStore + ?Sized> SessionStore for $pointer {
            async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
                (**self).create(key, record).await
            }

            async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
                (**self).load(key).await
            }

            async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
                (**self).update(key, expected, record).await
            }

            async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
                (**self).touch(key, expires_at).await
            }

            async fn rotate(
                &self,
                old: &SessionKey,
                expected: Revision,
                new: &SessionKey,
                record: &Record,
            ) -> Result<Revision> {
                (**self).rotate(old, expected, new, record).await
            }

            async fn delete(&self, key: &SessionKey) -> Result<bool> {
                (**self).delete(key).await
            }

            async fn delete_expired(&self, limit: u32) -> Result<u32> {
                (**self).delete_expired(limit).await
            }
        }

        #[async_trait]
        impl<S: SessionIndex + ?Sized> SessionIndex for $pointer {
            async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
                (**self).list(scope, page).await
            }

            async fn count(&self, scope: Scope<'_>) -> Result<u64> {
                (**self).count(scope).await
            }

            async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
                (**self).delete_owned(owner, except).await
            }

            async fn clear(&self) -> Result<u64> {
                (**self).clear().await
            }
        }
    };
}

forward!(Arc<S>);
forward!(Box<S>);
