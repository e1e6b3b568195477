//! Removing many, a bounded number at a time: the sweep, the sessions of an owner, everything.
//!
//! A delete of many has no limit on this server, so each step first asks where it ends. Between the two anything may happen: the
//! delete decides again about every document. A step that fails leaves what the steps before it have removed, and the next call goes on there.

use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::options::Hint;
use session_core::{BoxError, Error, OwnerId, Result, SessionKey, Timestamp};

use crate::document::{self, Stored};
use crate::driver::Kind;
use crate::error::MongoCause;
use crate::setup::{KEY_INDEX, OWNER_INDEX};
use crate::store::MongoStore;

/// The most records that a step removes, give or take those that come or go meanwhile.
const STEP: u32 = 1000;

/// What [`MongoStore::end`] ends, and the index that has it in the order of a field.
struct Range {
    scope: Document,
    index: &'static str,
    field: &'static str,
}

impl MongoStore {
    /// Removes at most `limit` expired records.
    ///
    /// What was renewed meanwhile has not expired and stays (`SWEEP-03`). A delete for every single record, sent as one command, would
    /// be one round trip, but several times the work. Each step begins where the one before it ended, and not in front of all
    /// that has been removed and not yet cleared away.
    pub(crate) async fn sweep(&self, limit: u32) -> Result<u32> {
        let (mut total, mut from) = (0, Bson::DateTime(DateTime::MIN));
        while total < limit {
            let (step, begin) = ((limit - total).min(STEP), from.clone());
            let found: Vec<Stored> = self
                .ask(Kind::Any, move |sessions| async move {
                    let find = sessions.collection.find(document::over_from(&begin, sessions.now));
                    let find =
                        find.sort(doc! { "sweep_at": 1 }).projection(doc! { "sweep_at": 1 }).max_time(sessions.limit);
                    sessions.collect(find.limit(i64::from(step)).batch_size(step + 1)).await
                })
                .await?;
            let ids: Vec<Bson> = found.iter().filter_map(|stored| stored.value("_id")).collect();
            let is_last = ids.len() < usize::try_from(step).unwrap_or(usize::MAX);
            if !ids.is_empty() {
                let among = doc! { "_id": { "$in": ids } };
                let removed = self.remove("_id_", move |now| document::both(among, document::over(now))).await?;
                total += u32::try_from(removed).map_err(Error::backend)?;
            }
            if is_last {
                break;
            }
            from = found.last().and_then(|stored| stored.value("sweep_at")).unwrap_or(from);
        }
        Ok(total)
    }

    /// Ends the sessions of an owner, in the order of the `_id`s, which no rotation changes (`OWNER-04`).
    pub(crate) async fn end_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        let kept = except.map_or_else(Document::new, |key| doc! { "key": { "$ne": key.as_str() } });
        let range = Range { scope: document::owned_by(owner), index: OWNER_INDEX, field: "_id" };
        self.end(range, kept).await
    }

    /// Ends all sessions, in the order of their keys. One that is rotated out of the way meets the last step, which looks at all.
    pub(crate) async fn end_all(&self) -> Result<u64> {
        let range = Range { scope: document::ours(), index: KEY_INDEX, field: "key" };
        self.end(range, Document::new()).await
    }

    /// In each step first what is dead, then what is live: that is counted. The last step goes over the whole range, and what is created
    /// meanwhile is as if it had been there before.
    async fn end(&self, range: Range, also: Document) -> Result<u64> {
        let (mut ended, mut from): (u64, Option<Bson>) = (0, None);
        loop {
            let step = self.end_step(&range, &also, from.as_ref()).await;
            let (removed, next) = step.map_err(|error| after(ended, error))?;
            ended += removed;
            if next.is_none() {
                return Ok(ended);
            }
            from = next;
        }
    }

    /// Removes a step's worth behind a place; returns how many live ones that ended and where it stopped, if anything may follow.
    async fn end_step(&self, range: &Range, also: &Document, from: Option<&Bson>) -> Result<(u64, Option<Bson>)> {
        let (field, index) = (range.field, range.index);
        let behind = from.map_or_else(Document::new, |from| doc! { "$gt": from });
        let mut bounds = behind.clone();
        let filter = bounded(range, &bounds);
        let found = self
            .ask(Kind::Any, move |sessions| async move {
                let find = sessions.collection.find(filter).hint(Hint::Name(index.into())).max_time(sessions.limit);
                let projection = if field == "_id" {
                    doc! { "_id": 1 }
                } else {
                    doc! { "_id": 0, field: 1 }
                };
                let find = find.sort(doc! { field: 1 }).skip(u64::from(STEP)).limit(1).projection(projection);
                sessions.collect(find.batch_size(2)).await
            })
            .await?;
        let end = found.first().and_then(|stored| stored.value(field));
        match &end {
            Some(end) => drop(bounds.insert("$lte", end.clone())),
            None => bounds = Document::new(),
        }
        let mut removed = 0;
        for of in [document::dead, document::live] {
            let filter = document::both(bounded(range, &bounds), doc! { "$and": [also.clone()] });
            removed = self.remove(index, move |now| document::both(filter, of(now))).await?;
        }
        Ok((removed, end))
    }

    /// Removes what a filter finds. The driver's own delete of many takes no limit of time, so this one is put together here.
    async fn remove(
        &self,
        index: &'static str,
        filter: impl FnOnce(Timestamp) -> Document + Send + 'static,
    ) -> Result<u64> {
        let removed = self
            .ask(Kind::Any, move |sessions| async move {
                // With the index named, so that no plan goes through all that waits for other steps.
                let delete = doc! { "q": filter(sessions.now), "limit": 0, "hint": index };
                let limit = i64::try_from(sessions.limit.as_millis()).unwrap_or(i64::MAX);
                let command = doc! {
                    "delete": sessions.collection.name(), "deletes": [delete], "maxTimeMS": limit,
                    "writeConcern": { "w": "majority", "j": true, "wtimeout": limit },
                };
                let answer = sessions.database.run_command(command).await?;
                match refused(&answer) {
                    Some(code) => Err(MongoCause::code(code)),
                    None => Ok(answer.get_i32("n").unwrap_or_default()),
                }
            })
            .await?;
        u64::try_from(removed).map_err(Error::backend)
    }
}

fn bounded(range: &Range, bounds: &Document) -> Document {
    if bounds.is_empty() {
        return range.scope.clone();
    }
    document::both(range.scope.clone(), doc! { range.field: bounds.clone() })
}

/// Finds the code of a refusal in an answer that says «ok» all the same.
fn refused(answer: &Document) -> Option<i32> {
    let of_write = answer.get_array("writeErrors").ok().and_then(|errors| errors.first()?.as_document());
    let of_concern = answer.get_document("writeConcernError").ok();
    of_write.or(of_concern).map(|error| error.get_i32("code").unwrap_or_default())
}

/// Says how many sessions had ended when a later step was refused.
fn after(ended: u64, error: Error) -> Error {
    match error {
        Error::Unavailable(cause) if ended > 0 => Error::unavailable(Halfway { ended, cause }),
        other => other,
    }
}

/// Many sessions were to end, and the server stopped answering in the middle of it.
#[derive(Debug, thiserror::Error)]
#[error("{ended} sessions had ended; the same call goes on with the others")]
struct Halfway {
    ended: u64,
    #[source]
    cause: BoxError,
}
