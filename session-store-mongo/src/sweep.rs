//! The sweep: a few expired records in one round trip, many in two.

use mongodb::bson::{Bson, Document, doc};
use session_core::{Error, Result};

use crate::document::{self, Stored};
use crate::error::{RefusedWith, is_outage_code};
use crate::store::MongoStore;

/// The most records that a sweep removes in its first round trip, and so the most that cost one only.
const SWEEP_FEW: u32 = 16;

/// The most records that a sweep removes with each two round trips after the first.
const SWEEP_STEP: u32 = 1000;

impl MongoStore {
    /// Removes at most `limit` expired records: a few in one round trip, which is enough where somebody sweeps often, and then
    /// many at a time.
    pub(crate) async fn sweep(&self, limit: u32) -> Result<u32> {
        let few = limit.min(SWEEP_FEW);
        let mut total = if few > 0 { self.sweep_few(few).await? } else { 0 };
        let mut is_full = total == few;
        while is_full && total < limit {
            let step = (limit - total).min(SWEEP_STEP);
            let (found, removed) = self.sweep_many(step).await?;
            total += removed;
            is_full = found == step;
        }
        Ok(total)
    }

    /// Removes up to `limit` expired records by as many deletes of one record each, in one command: a delete of many has no
    /// limit. Each finds its record by the index and decides again when it removes it (`SWEEP-03`).
    async fn sweep_few(&self, limit: u32) -> Result<u32> {
        let one = Bson::Document(doc! { "q": document::expired(self.now()), "limit": 1 });
        let deletes = vec![one; usize::try_from(limit).unwrap_or_default()];
        let command = doc! {
            "delete": self.collection.name(),
            "deletes": deletes,
            "writeConcern": { "w": "majority", "j": true },
        };
        removed(&self.within(self.database.run_command(command)).await?)
    }

    /// Removes up to `limit` expired records, and returns how many it found and how many it removed.
    ///
    /// Each of the deletes above searches anew, behind all that those before it have left to be cleared away; for many it is
    /// quicker to ask for their `_id`s first. The delete decides again: what was renewed in between has not expired.
    async fn sweep_many(&self, limit: u32) -> Result<(u32, u32)> {
        let find = self.collection.find(document::expired(self.now())).projection(doc! { "_id": 1 });
        let find = find.limit(i64::from(limit)).batch_size(limit.saturating_add(1));
        let found: Vec<Bson> = self.collect(find).await?.into_iter().filter_map(Stored::into_id).collect();
        let count = u32::try_from(found.len()).map_err(Error::backend)?;
        let filter = document::among(found, document::expired(self.now()));
        let removed = self.within(self.collection.delete_many(filter)).await?.deleted_count;
        Ok((count, u32::try_from(removed).map_err(Error::backend)?))
    }
}

/// Reads the answer to a command that deletes; the driver looks only at whether the command ran.
fn removed(answer: &Document) -> Result<u32> {
    let first = answer.get_array("writeErrors").ok().and_then(|errors| errors.first()).and_then(Bson::as_document);
    if let Some(error) = first.or_else(|| answer.get_document("writeConcernError").ok()) {
        let code = error.get_i32("code").unwrap_or_default();
        // Without the majority's word nothing is certain.
        let is_outage = first.is_none() || is_outage_code(code);
        return Err(if is_outage { Error::unavailable(RefusedWith(code)) } else { Error::backend(RefusedWith(code)) });
    }
    let count = answer.get_i32("n").map_err(Error::backend)?;
    u32::try_from(count).map_err(Error::backend)
}
