//! The index: list, count, end by owner, clear.

use async_trait::async_trait;
use mongodb::bson::doc;
use mongodb::bson::oid::ObjectId;
use mongodb::options::Hint;
use session_core::{Cursor, Error, Listing, OwnerId, Page, Result, Scope, SessionIndex, SessionKey};

use crate::document::{self, Stored};
use crate::setup::OWNER_INDEX;
use crate::store::{MongoStore, key_index};

/// A listing is in the order of the `_id`s, which a rotation does not change; a cursor is the `_id` of the last one that was shown.
///
/// The index reads no data. A record whose format is not known is neither listed nor counted; one whose data was damaged by
/// hand is, until somebody loads it.
#[async_trait]
impl SessionIndex for MongoStore {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        let place = match page.cursor() {
            None => ObjectId::from_bytes([0; 12]),
            Some(cursor) => {
                ObjectId::parse_str(cursor.as_str()).map_err(|_| Error::backend("the cursor is not one"))?
            }
        };
        let filter = document::after(place, self.live_in(scope));
        let limit = page.limit();
        let find = self
            .collection
            .find(filter)
            .sort(doc! { "_id": 1 })
            .projection(doc! { "data": 0 })
            .limit(i64::from(limit))
            // One more than there can be, so that the first answer is the whole one.
            .batch_size(limit.saturating_add(1));
        let found = self.collect(find).await?;
        let is_full = found.len() as u64 >= u64::from(limit);
        let last = found.last().and_then(Stored::place);
        // One damaged document must not hide the others.
        let sessions = found.iter().filter_map(|stored| stored.info().ok()).collect();
        Ok(Listing::new(sessions, last.filter(|_| is_full).map(|place| Cursor::new(place.to_hex()))))
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        self.within(self.collection.count_documents(self.live_in(scope))).await
    }

    /// First what is dead, then what is live: the second count is the answer. What is created in between is as if it had been
    /// there before.
    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        let now = self.now();
        let mut ended = 0;
        for filter in [document::dead(now), document::live(now)] {
            let filter = document::owned_by(owner, filter);
            let filter = if let Some(key) = except { document::except(key, filter) } else { filter };
            let delete = self.collection.delete_many(filter).hint(Hint::Name(OWNER_INDEX.into()));
            ended = self.within(delete).await?.deleted_count;
        }
        Ok(ended)
    }

    async fn clear(&self) -> Result<u64> {
        let now = self.now();
        self.within(self.collection.delete_many(document::dead(now)).hint(key_index())).await?;
        Ok(self.within(self.collection.delete_many(document::live(now)).hint(key_index())).await?.deleted_count)
    }
}

impl MongoStore {
    fn live_in(&self, scope: Scope<'_>) -> mongodb::bson::Document {
        let live = document::live(self.now());
        if let Scope::Owner(owner) = scope { document::owned_by(owner, live) } else { live }
    }
}
