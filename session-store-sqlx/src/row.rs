//! From rows to records.

use session_core::{Data, Error, OwnerId, Record, Result, Revision, SessionInfo, SessionKey, Timestamp};

use crate::driver::Driver;
use crate::error::refusal;

/// The version of what the columns mean that this crate writes and reads (`DATA-03`).
const FORMAT: i64 = 1;

/// Reads the columns `format, revision, owner, created_at, expires_at, deadline, data`.
pub(crate) fn record<DB: Driver>(row: &DB::Row) -> Result<(Record, Revision)> {
    check_format::<DB>(row, 0)?;
    let revision = revision::<DB>(row, 1)?;
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
pub(crate) fn key<DB: Driver>(row: &DB::Row) -> Result<SessionKey> {
    SessionKey::parse(key_text::<DB>(row)?).map_err(Error::corrupt)
}

/// Reads the same as a place in the order of the keys, whether it is a key or not.
pub(crate) fn key_text<DB: Driver>(row: &DB::Row) -> Result<&str> {
    required(DB::text(row, 0).map_err(refusal::<DB>)?)
}

/// Reads a revision, as a conditional update found or left it.
pub(crate) fn revision<DB: Driver>(row: &DB::Row, column: usize) -> Result<Revision> {
    let number = integer::<DB>(row, column)?;
    u64::try_from(number).map(Revision::from_number).map_err(Error::corrupt)
}

/// Refuses a record of another version.
pub(crate) fn check_format<DB: Driver>(row: &DB::Row, column: usize) -> Result<()> {
    let format = integer::<DB>(row, column)?;
    if format == FORMAT { Ok(()) } else { Err(unknown_format()) }
}

pub(crate) fn unknown_format() -> Error {
    Error::corrupt("the format version is not known")
}

/// Says whether the record of a row that begins with `expires_at, format, revision` is removed already.
pub(crate) fn is_removed<DB: Driver>(row: &DB::Row) -> Result<bool> {
    Ok(integer::<DB>(row, 3)? != 0)
}

/// Says whether a row that begins with `expires_at, format` is that of a record that is live and of the known format.
pub(crate) fn is_live<DB: Driver>(row: &DB::Row, now: Timestamp) -> Result<bool> {
    Ok(now.unix_millis() < integer::<DB>(row, 0)? && integer::<DB>(row, 1)? == FORMAT)
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
