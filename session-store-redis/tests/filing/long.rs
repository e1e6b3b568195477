//! Long records.

use std::time::Duration;

use session_core::{BoxError, Error, Record, Revision, Scope, SessionIndex, SessionStore, Timestamp};
use session_store_redis::RedisStore;

use crate::scores::Raw;
use crate::{BASE, QUANTUM, at, check, key, long, open, record};

/// Every call that writes data, onto a short record and onto a long one.
pub(crate) async fn kept(url: String) -> Result<(), BoxError> {
    let (store, _, prefix) = open(&url).await?;
    let mut raw = Raw::open(&url, prefix).await?;
    let expires = 6 * QUANTUM;

    let first = with_other_begin(long(expires, 'a')?)?;
    let revision = store.create(&key(0), &first).await?;
    is_there(&store, 0, &first, revision).await?;
    is_kept(&mut raw, 0, expires).await?;

    // The begin that is stored stays.
    let mut wanted = with_other_begin(long(expires + 1, 'b')?)?;
    let revision = store.update(&key(0), revision, &long(expires + 1, 'b')?).await?;
    is_there(&store, 0, &wanted, revision).await?;
    is_kept(&mut raw, 0, expires + 1).await?;

    // Another owner, and another quantum.
    wanted = with_other_begin(long(9 * QUANTUM, 'c')?)?.with_owner("grace".parse()?);
    let revision = store.update(&key(0), revision, &wanted).await?;
    is_there(&store, 0, &wanted, revision).await?;
    is_kept(&mut raw, 0, 9 * QUANTUM).await?;
    for (owner, count) in [("ada", 0), ("grace", 1)] {
        let counted = store.count(Scope::Owner(&owner.parse()?)).await?;
        check(counted == count, || format!("{owner} has {counted}"))?;
    }

    let mut rotated = long(9 * QUANTUM, 'd')?;
    let revision = store.rotate(&key(0), revision, &key(1), &rotated).await?;
    rotated.created_at = wanted.created_at;
    is_there(&store, 1, &rotated, revision).await?;
    is_kept(&mut raw, 1, 9 * QUANTUM).await?;
    check(store.load(&key(0)).await?.is_none(), || "the old key is still there".into())?;

    let revision = store.update(&key(1), revision, &record(9 * QUANTUM)?).await?;
    let revision = store.update(&key(1), revision, &long(9 * QUANTUM, 'e')?).await?;
    is_there(&store, 1, &with_other_begin(long(9 * QUANTUM, 'e')?)?, revision).await?;
    is_kept(&mut raw, 1, 9 * QUANTUM).await?;
    check(store.count(Scope::All).await? == 1, || "there is another one".into())?;
    nothing_else(&mut raw, 1).await
}

/// Every refusal that a script knows.
pub(crate) async fn refused(url: String) -> Result<(), BoxError> {
    let (store, clock, prefix) = open(&url).await?;
    let mut raw = Raw::open(&url, prefix).await?;
    let (kept, other) = (long(6 * QUANTUM, 'a')?, long(7 * QUANTUM, 'b')?);
    let revision = store.create(&key(0), &kept).await?;
    let taken = store.create(&key(1), &kept).await?;

    for (refused, wanted) in [
        (store.create(&key(0), &other).await, "AlreadyExists"),
        (store.update(&key(0), taken, &other).await, "Conflict"),
        (store.update(&key(2), revision, &other).await, "NotFound"),
        (store.rotate(&key(0), taken, &key(2), &other).await, "Conflict"),
        (store.rotate(&key(0), revision, &key(1), &other).await, "AlreadyExists"),
        (store.rotate(&key(2), revision, &key(3), &other).await, "NotFound"),
    ] {
        check(matches!(&refused, Err(error) if format!("{error:?}").starts_with(wanted)), || {
            format!("{refused:?} and not {wanted}")
        })?;
        nothing_else(&mut raw, 2).await?;
    }
    is_there(&store, 0, &kept, revision).await?;
    is_there(&store, 1, &kept, taken).await?;

    // Over when it comes: the key is free then.
    clock.set(at(6 * QUANTUM)?);
    let refused = store.update(&key(0), revision, &other).await;
    check(matches!(refused, Err(Error::NotFound)), || format!("{refused:?}"))?;
    let over = store.update(&key(1), taken, &long(6 * QUANTUM, 'c')?).await;
    check(matches!(over, Err(Error::NotFound)), || format!("{over:?}"))?;
    let revision = store.create(&key(0), &other).await?;
    is_there(&store, 0, &other, revision).await?;
    is_kept(&mut raw, 0, QUANTUM).await?;
    // Written as over: it is removed.
    store.update(&key(0), revision, &long(6 * QUANTUM, 'd')?).await?;
    store.create(&key(4), &long(6 * QUANTUM, 'd')?).await?;
    store.delete_expired(10).await?;
    nothing_else(&mut raw, 0).await
}

/// The record goes a second time, with the text of the script.
pub(crate) async fn forgotten(url: String) -> Result<(), BoxError> {
    let (store, _, prefix) = open(&url).await?;
    let mut raw = Raw::open(&url, prefix).await?;
    let (first, second) = (long(6 * QUANTUM, 'a')?, long(6 * QUANTUM, 'b')?);
    redis::cmd("SCRIPT").arg("FLUSH").exec_async(&mut raw.line).await?;
    let revision = store.create(&key(0), &first).await?;
    redis::cmd("SCRIPT").arg("FLUSH").exec_async(&mut raw.line).await?;
    let revision = store.update(&key(0), revision, &second).await?;
    is_there(&store, 0, &second, revision).await?;
    nothing_else(&mut raw, 1).await
}

/// The server has no replica.
pub(crate) async fn acknowledged(url: String) -> Result<(), BoxError> {
    let (store, _, _) = open(&url).await?;
    let patient = store.clone().with_replicas_acknowledging(1).with_timeout(Duration::from_secs(20));
    let created = patient.create(&key(0), &long(6 * QUANTUM, 'a')?).await;
    check(matches!(created, Err(Error::Unavailable(_))), || format!("{created:?}"))?;
    // As the option says, the master has carried it out.
    check(store.load(&key(0)).await?.is_some(), || "the master has it".into())
}

/// The same record with a begin that [`record`] does not have.
fn with_other_begin(mut record: Record) -> Result<Record, BoxError> {
    record.created_at = Timestamp::from_unix_millis(BASE - 120_000)?;
    Ok(record)
}

async fn is_there(store: &RedisStore, number: usize, wanted: &Record, revision: Revision) -> Result<(), BoxError> {
    let loaded = store.load(&key(number)).await?;
    check(loaded.as_ref() == Some(&(wanted.clone(), revision)), || format!("{number} is {loaded:?}"))
}

/// Says whether Redis keeps the record longer than it lives, and its sets longer than that.
async fn is_kept(raw: &mut Raw, number: usize, expires: i64) -> Result<(), BoxError> {
    let (record, sets) = raw.kept_for(key(number).as_str()).await?;
    // The test itself takes a while.
    let is_enough = record >= expires + 60_000 - 5_000 && sets.iter().all(|left| *left >= record);
    check(is_enough && sets.len() == 2, || format!("a record that expires in {expires} is kept for {record}, {sets:?}"))
}

/// Says whether there are so many records, and nothing that was on its way to be one.
async fn nothing_else(raw: &mut Raw, records: usize) -> Result<(), BoxError> {
    let names = raw.keys().await?;
    let is_record = |name: &&String| name.contains("}:key:");
    let rest: Vec<_> =
        names.iter().filter(|name| !["}:key:", "}:all:", "}:owner:"].iter().any(|kind| name.contains(kind))).collect();
    check(rest.is_empty() && names.iter().filter(is_record).count() == records, || format!("stored are {names:?}"))
}
