//! The index: list, count, end by owner, clear.

use async_trait::async_trait;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use session_core::{Cursor, Listing, OwnerId, Page, Result, Scope, SessionIndex, SessionKey, Timestamp};

use crate::document::{self, Stored};
use crate::driver::Kind;
use crate::error::MongoCause;
use crate::store::MongoStore;

/// A listing is in the order of the `_id`s, which a rotation does not change; a cursor is the `_id` of the last one that was shown.
///
/// The index reads no data. A record whose format is not known is not listed; one whose data was damaged by hand is, until
/// somebody loads it. The count of all reads no documents, only the index of sweeps: it counts what it cannot read too.
#[async_trait]
impl SessionIndex for MongoStore {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        let place = match page.cursor() {
            None => ObjectId::from_bytes([0; 12]),
            Some(cursor) => ObjectId::parse_str(cursor.as_str()).map_err(|_| MongoCause::cursor())?,
        };
        let (filter, limit) = (live_in(scope), page.limit());
        let found = self
            .ask(Kind::Any, move |sessions| async move {
                let filter = document::both(filter(sessions.now), doc! { "_id": { "$gt": place } });
                let find = sessions.collection.find(filter).sort(doc! { "_id": 1 }).projection(doc! { "data": 0 });
                // One more than there can be, so that the first answer is the whole one.
                let find = find.limit(i64::from(limit)).batch_size(limit.saturating_add(1)).max_time(sessions.limit);
                sessions.collect(find).await
            })
            .await?;
        let is_full = found.len() as u64 >= u64::from(limit);
        let last = found.last().and_then(Stored::place);
        // One damaged document must not hide the others.
        let sessions = found.iter().filter_map(|stored| stored.info().ok()).collect();
        Ok(Listing::new(sessions, last.filter(|_| is_full).map(|place| Cursor::new(place.to_hex()))))
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        let owned = if let Scope::Owner(owner) = scope { Some(document::owned_by(owner)) } else { None };
        let count = self.ask(Kind::Any, move |sessions| async move {
            let filter = match owned {
                Some(owned) => document::both(owned, document::live(sessions.now)),
                None => document::unexpired(sessions.now),
            };
            Ok(sessions.collection.count_documents(filter).max_time(sessions.limit).await?)
        });
        Ok(count.await?)
    }

    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        self.end_owned(owner, except).await
    }

    async fn clear(&self) -> Result<u64> {
        self.end_all().await
    }
}

fn live_in(scope: Scope<'_>) -> impl FnOnce(Timestamp) -> Document + Send + 'static {
    let owned = if let Scope::Owner(owner) = scope { document::owned_by(owner) } else { Document::new() };
    move |now| document::both(owned, document::live(now))
}
