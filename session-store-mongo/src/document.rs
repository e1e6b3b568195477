//! How a record is laid out in a document: the one place that knows the names of the fields.
//!
//! The session's key is a field with a unique index, and not the `_id`: a document keeps its `_id` for ever, so with the key in
//! it a rotation would be two writes, of which a standalone server makes one without the other. Like this it is one.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, RawBsonRef, RawDocumentBuf, doc};
use serde::Deserialize;
use session_core::{Data, Error, OwnerId, Record, Result, Revision, SessionInfo, SessionKey, Timestamp};

/// The version of what the fields mean that this crate writes and reads (`DATA-03`).
pub(crate) const FORMAT: i32 = 1;

/// How much later than its place in the index of sweeps a record may expire, in milliseconds.
const QUANTUM: i64 = 10_000;

/// A document as it is stored, in the bytes that the server sent: a look at a field copies nothing.
///
/// Any field may be missing or of another type: what that means is decided here, not by the driver.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Stored(RawDocumentBuf);

impl Stored {
    /// Says whether the record has expired. One whose expiry cannot be read has not.
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        matches!(self.field("expires_at"), Ok(Some(RawBsonRef::DateTime(end))) if end.timestamp_millis() <= now.unix_millis())
    }

    /// Reads the whole record.
    pub(crate) fn record(&self) -> Result<(Record, Revision)> {
        let revision = self.revision()?;
        let (created_at, expires_at, deadline, owner) = self.times_and_owner()?;
        let Some(RawBsonRef::String(text)) = self.field("data")? else {
            return Err(Error::corrupt("the data is not text"));
        };
        let mut record = Record::new(Data::parse(text).map_err(Error::corrupt)?, created_at, expires_at);
        record.deadline = deadline;
        record.owner = owner;
        Ok((record, revision))
    }

    /// Reads everything but the data, which a listing leaves out.
    pub(crate) fn info(&self) -> Result<SessionInfo> {
        self.check_format()?;
        let Some(RawBsonRef::String(key)) = self.field("key")? else {
            return Err(Error::corrupt("the key is not text"));
        };
        let key = SessionKey::parse(key).map_err(Error::corrupt)?;
        let (created_at, expires_at, deadline, owner) = self.times_and_owner()?;
        Ok(SessionInfo::new(key, created_at, expires_at, deadline, owner))
    }

    /// Reads the revision, of a document of the known format only.
    pub(crate) fn revision(&self) -> Result<Revision> {
        self.check_format()?;
        match self.field("revision")? {
            Some(RawBsonRef::Int64(number)) => u64::try_from(number).map(Revision::from_number).map_err(Error::corrupt),
            _ => Err(Error::corrupt("the revision is not a 64-bit integer")),
        }
    }

    /// Returns the place of the document in a listing.
    pub(crate) fn place(&self) -> Option<ObjectId> {
        if let Ok(Some(RawBsonRef::ObjectId(id))) = self.field("_id") { Some(id) } else { None }
    }

    /// Returns a field as it is, for a filter.
    pub(crate) fn value(&self, name: &str) -> Option<Bson> {
        self.field(name).ok()??.try_into().ok()
    }

    /// Says whether this is one of our documents, of whatever format, and not another program's.
    pub(crate) fn is_ours(&self) -> bool {
        let has = |name| matches!(self.field(name), Ok(Some(_)));
        matches!(self.field("key"), Ok(Some(RawBsonRef::String(_)))) && has("format") && has("revision")
    }

    /// Returns a field that is there and not null.
    fn field(&self, name: &str) -> Result<Option<RawBsonRef<'_>>> {
        let found = self.0.get(name).map_err(|_| Error::corrupt("the document cannot be read"))?;
        Ok(found.filter(|value| *value != RawBsonRef::Null))
    }

    fn check_format(&self) -> Result<()> {
        match self.field("format")? {
            Some(RawBsonRef::Int32(FORMAT)) => Ok(()),
            _ => Err(Error::corrupt("the format version is not known")),
        }
    }

    fn times_and_owner(&self) -> Result<(Timestamp, Timestamp, Option<Timestamp>, Option<OwnerId>)> {
        let owner = match self.field("owner")? {
            None => None,
            Some(RawBsonRef::String(owner)) => Some(OwnerId::parse(owner).map_err(Error::corrupt)?),
            Some(_) => return Err(Error::corrupt("the owner is not text")),
        };
        let required = |name| self.time(name)?.ok_or_else(|| Error::corrupt("a time is missing"));
        Ok((required("created_at")?, required("expires_at")?, self.time("deadline")?, owner))
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>> {
        match self.field(name)? {
            None => Ok(None),
            Some(RawBsonRef::DateTime(date)) => {
                Timestamp::from_unix_millis(date.timestamp_millis()).map(Some).map_err(Error::corrupt)
            }
            Some(_) => Err(Error::corrupt("a time is not a date")),
        }
    }
}

fn date(time: Timestamp) -> DateTime {
    DateTime::from_millis(time.unix_millis())
}

/// Returns when a sweep looks at a record: its expiry, rounded down to ten seconds, so that a write that moves the expiry by less
/// mostly moves nothing in the index.
fn sweep_at(expires_at: Timestamp) -> DateTime {
    let millis = expires_at.unix_millis();
    DateTime::from_millis(millis - millis % QUANTUM)
}

fn number(revision: Revision) -> i64 {
    // A revision has 63 bits.
    i64::try_from(revision.number()).unwrap_or(i64::MAX)
}

/// Makes the document of a new record.
pub(crate) fn fresh(key: &SessionKey, revision: Revision, record: &Record) -> Document {
    let mut document = doc! { "key": key.as_str(), "format": FORMAT, "revision": number(revision) };
    if let Some(owner) = &record.owner {
        document.insert("owner", owner.as_str());
    }
    document.insert("created_at", date(record.created_at));
    document.insert("expires_at", date(record.expires_at));
    document.insert("sweep_at", sweep_at(record.expires_at));
    if let Some(deadline) = record.deadline {
        document.insert("deadline", date(deadline));
    }
    document.insert("data", record.data.as_str());
    document
}

/// Makes the change that puts `record` under `key`; `created_at` and `deadline` stay (`UPDATE-06`, `ROTATE-05`).
pub(crate) fn successor(key: &SessionKey, revision: Revision, record: &Record) -> Document {
    let mut fields = doc! {
        "key": key.as_str(), "revision": number(revision), "data": record.data.as_str(),
        "expires_at": date(record.expires_at), "sweep_at": sweep_at(record.expires_at),
    };
    let Some(owner) = &record.owner else { return doc! { "$set": fields, "$unset": { "owner": "" } } };
    fields.insert("owner", owner.as_str());
    doc! { "$set": fields }
}

/// Makes the change that moves the expiry later, and never back (`TOUCH-02`).
pub(crate) fn later(expires_at: Timestamp) -> Document {
    doc! { "$max": { "expires_at": date(expires_at), "sweep_at": sweep_at(expires_at) } }
}

/// Asks for whatever is stored under a key.
pub(crate) fn under(key: &SessionKey) -> Document {
    doc! { "key": key.as_str() }
}

/// Asks for what is under the key and has not expired.
pub(crate) fn unexpired_under(key: &SessionKey, now: Timestamp) -> Document {
    doc! { "key": key.as_str(), "expires_at": { "$gt": date(now) } }
}

/// Asks for what is under the key, has not expired, and is of the known format.
pub(crate) fn known_under(key: &SessionKey, now: Timestamp) -> Document {
    let mut filter = unexpired_under(key, now);
    filter.insert("format", FORMAT);
    filter
}

/// Asks for what is under the key, is live, and has the revision.
pub(crate) fn at_revision(key: &SessionKey, revision: Revision, now: Timestamp) -> Document {
    let mut filter = known_under(key, now);
    filter.insert("revision", number(revision));
    filter
}

/// Asks for what was written under the key with the revision.
pub(crate) fn written_as(key: &SessionKey, revision: Revision) -> Document {
    doc! { "key": key.as_str(), "revision": number(revision) }
}

/// Asks for what is under the key and lasts until then, or longer.
pub(crate) fn lasting(key: &SessionKey, expires_at: Timestamp) -> Document {
    doc! { "key": key.as_str(), "expires_at": { "$gte": date(expires_at) } }
}

/// Asks for what is under the key and has expired. The server compares dates with dates only: what has no date for an
/// expiry has not expired, and is not replaced (`LOAD-03`).
pub(crate) fn expired_under(key: &SessionKey, now: Timestamp) -> Document {
    doc! { "key": key.as_str(), "expires_at": { "$lte": date(now) } }
}

/// Asks for everything that has expired.
pub(crate) fn over(now: Timestamp) -> Document {
    doc! { "expires_at": { "$lte": date(now) } }
}

/// Asks for everything that has expired, in the index of sweeps from a place on.
pub(crate) fn over_from(place: &Bson, now: Timestamp) -> Document {
    both(over(now), doc! { "sweep_at": { "$gte": place, "$lte": date(now) } })
}

/// Asks for everything that has not expired, and for nothing that is not in the index of sweeps; only what ends within seconds is
/// looked at itself.
pub(crate) fn unexpired(now: Timestamp) -> Document {
    let soon = DateTime::from_millis(now.unix_millis().saturating_sub(QUANTUM));
    let ends_soon = doc! { "sweep_at": { "$gt": soon, "$lte": date(now) }, "expires_at": { "$gt": date(now) } };
    doc! { "$or": [{ "sweep_at": { "$gt": date(now) } }, ends_soon] }
}

/// Asks for everything that is live.
pub(crate) fn live(now: Timestamp) -> Document {
    doc! { "expires_at": { "$gt": date(now) }, "format": FORMAT }
}

/// Asks for everything that is not live: expired, of another format, without an expiry.
pub(crate) fn dead(now: Timestamp) -> Document {
    doc! { "$nor": [live(now)] }
}

/// Asks for all records. What others have put there has no key.
pub(crate) fn ours() -> Document {
    doc! { "key": { "$gte": "" } }
}

/// Asks for the records of an owner.
pub(crate) fn owned_by(owner: &OwnerId) -> Document {
    doc! { "owner": owner.as_str() }
}

/// Asks for both.
pub(crate) fn both(mut filter: Document, other: Document) -> Document {
    filter.extend(other);
    filter
}
