//! The sweep: one round trip that finds nothing, or two for every thousand records.

use mongodb::bson::{Bson, doc};
use session_core::{Error, Result};

use crate::document::{self, Stored};
use crate::store::MongoStore;

/// The most records that are removed at once.
const STEP: u32 = 1000;

impl MongoStore {
    /// Removes at most `limit` expired records.
    ///
    /// A delete of many has no limit on this server, so the `_id`s are asked for first. Between the two anything may happen:
    /// the delete decides again, and what was renewed meanwhile has not expired and stays (`SWEEP-03`). A delete for every
    /// single record, sent as one command, would be one round trip, but each would search anew, behind all that
    /// those before it have left to be cleared away: several times the work, and the most when nothing is left.
    pub(crate) async fn sweep(&self, limit: u32) -> Result<u32> {
        let mut total = 0;
        while total < limit {
            let step = (limit - total).min(STEP);
            let find = self.collection.find(document::expired(self.now())).projection(doc! { "_id": 1 });
            let find = find.limit(i64::from(step)).batch_size(step + 1);
            let found: Vec<Bson> = self.collect(find).await?.iter().filter_map(Stored::id).collect();
            let is_last = found.len() < usize::try_from(step).unwrap_or(usize::MAX);
            if !found.is_empty() {
                let filter = document::among(found, document::expired(self.now()));
                let removed = self.within(self.collection.delete_many(filter)).await?.deleted_count;
                total += u32::try_from(removed).map_err(Error::backend)?;
            }
            if is_last {
                break;
            }
        }
        Ok(total)
    }
}
