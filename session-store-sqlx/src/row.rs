//! From rows to records.

use session_core::{BoxError, Data, Error, OwnerId, Record, Result, Revision, SessionInfo, SessionKey, Timestamp};

use crate::database::{Answer, Driver};
use crate::error::refusal;
use crate::sql::Value;

/// The version of what the columns mean that this crate writes and reads (`DATA-03`).
pub(crate) const FORMAT: i64 = 1;

/// Reads the columns `format, revision, owner, created_at, expires_at, deadline, data`.
pub(crate) fn record<DB: Driver>(row: &DB::Row) -> Result<(Record, Revision)> {
    check_format::<DB>(row, 0)?;
    let revision = integer::<DB>(row, 1)?;
    let revision = u64::try_from(revision).map(Revision::from_number).map_err(Error::corrupt)?;
    let (owner, [created_at, expires_at], deadline) = owner_and_times::<DB>(row, 2)?;
    let data = Data::parse(required(DB::text(row, 6).map_err(refusal::<DB>)?)?).map_err(Error::corrupt)?;
    let mut record = Record::new(data, created_at, expires_at);
    record.deadline = deadline;
    record.owner = owner;
    Ok((record, revision))
}

/// Reads the columns `session_key, owner, created_at, expires_at, deadline`.
pub(crate) fn info<DB: Driver>(row: &DB::Row) -> Result<SessionInfo> {
    let key = key::<DB>(row)?;
    let (owner, [created_at, expires_at], deadline) = owner_and_times::<DB>(row, 1)?;
    Ok(SessionInfo::new(key, created_at, expires_at, deadline, owner))
}

/// Reads the first column of a listing.
fn key<DB: Driver>(row: &DB::Row) -> Result<SessionKey> {
    SessionKey::parse(key_text::<DB>(row)?).map_err(Error::corrupt)
}

/// Reads the same as a place in the order of the keys, whether it is a key or not.
pub(crate) fn key_text<DB: Driver>(row: &DB::Row) -> Result<&str> {
    required(DB::text(row, 0).map_err(refusal::<DB>)?)
}

/// Refuses a record of another version.
fn check_format<DB: Driver>(row: &DB::Row, column: usize) -> Result<()> {
    let format = integer::<DB>(row, column)?;
    if format == FORMAT { Ok(()) } else { Err(unknown_format()) }
}

pub(crate) fn unknown_format() -> Error {
    Error::corrupt("the format version is not known")
}

/// Reads the number that a statement returns.
pub(crate) fn number<DB: Driver>(answer: &Answer<DB::Row>) -> sqlx::Result<Option<i64>> {
    answer.rows.first().map_or(Ok(None), |row| DB::integer(row, 0))
}

/// Adds up the rows of a statement that says of each how many live records it was.
pub(crate) fn live<DB: Driver>(answer: &Answer<DB::Row>) -> sqlx::Result<i64> {
    answer.rows.iter().map(|row| Ok(DB::integer(row, 0)?.unwrap_or(0))).sum()
}

/// Reads the place of a row in the order of the keys, if its key is one.
pub(crate) fn place<DB: Driver>(row: &DB::Row) -> Option<String> {
    key::<DB>(row).ok().map(|key| key.to_string())
}

/// Reads a place in the order of the keys. Every key comes after the empty text.
pub(crate) fn after(place: Option<&str>) -> Result<Value, BoxError> {
    Ok(Value::Text(place.map(SessionKey::parse).transpose()?.map_or_else(String::new, |key| key.to_string())))
}

/// Reads a count.
pub(crate) fn count<DB: Driver>(row: &DB::Row) -> Result<u64> {
    u64::try_from(integer::<DB>(row, 0)?).map_err(Error::backend)
}

type OwnerAndTimes = (Option<OwnerId>, [Timestamp; 2], Option<Timestamp>);

/// Reads the columns `owner, created_at, expires_at, deadline`.
fn owner_and_times<DB: Driver>(row: &DB::Row, first: usize) -> Result<OwnerAndTimes> {
    let owner = DB::text(row, first).map_err(refusal::<DB>)?.map(OwnerId::parse).transpose().map_err(Error::corrupt)?;
    let time = |millis| Timestamp::from_unix_millis(millis).map_err(Error::corrupt);
    let created_at = time(integer::<DB>(row, first + 1)?)?;
    let expires_at = time(integer::<DB>(row, first + 2)?)?;
    let deadline = DB::integer(row, first + 3).map_err(refusal::<DB>)?.map(time).transpose()?;
    Ok((owner, [created_at, expires_at], deadline))
}

/// Reads a number, whatever it means.
pub(crate) fn integer<DB: Driver>(row: &DB::Row, column: usize) -> Result<i64> {
    required(DB::integer(row, column).map_err(refusal::<DB>)?)
}

fn required<T>(value: Option<T>) -> Result<T> {
    value.ok_or_else(|| Error::corrupt("a column is null"))
}
