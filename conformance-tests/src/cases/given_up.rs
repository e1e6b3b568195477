//! Calls that wait for a record that somebody else has locked, and callers that give them up.

use std::time::{Duration, Instant};

use session_core::Revision;

use crate::bench::{Bench, LONG, key, owner};
use crate::case::{Case, Level, TIMEOUT};
use crate::check::{Failure, Outcome, describe, that};
use crate::crowd::{RECOVERY, SLACK};
use crate::hooks::Need;
use crate::stretch::stretched;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("GIVEN-UP-02", Level::Gaps, &[Need::RecordLock], given_up_02),
        Case::new("SETUP-01", Level::Gaps, &[Need::Opening, Need::Lock], setup_01),
    ]
}

/// How many callers want the locked record, half of which leave.
const CALLERS: usize = 60;
/// How long those wait that leave.
const IMPATIENCE: Duration = Duration::from_millis(100);

async fn given_up_02(b: Bench) -> Outcome {
    let (k, record) = (key("locked"), b.long(r#"{"a":1}"#).with_owner(owner("ada")));
    let revision = b.store.create(&k, &record).await?;
    let later = b.now().saturating_add(LONG * 2);
    let lock = b.lock(&k).await?;
    let start = Instant::now();
    let waiting: Vec<_> = (0..CALLERS)
        .map(|number| {
            let (store, k, record) = (b.store.clone(), k.clone(), record.clone());
            tokio::spawn(async move {
                let call = async {
                    match number % 3 {
                        0 => store.touch(&k, later).await,
                        1 => store.update(&k, revision, &record).await.map(drop),
                        _ => store.delete(&k).await.map(drop),
                    }
                };
                if number % 2 == 0 {
                    drop(tokio::time::timeout(IMPATIENCE, call).await);
                } else {
                    drop(call.await);
                }
                start.elapsed()
            })
        })
        .collect();
    for caller in waiting {
        let waited = caller.await.map_err(|error| Failure::new(format!("the store panicked: {error}")))?;
        let limit = stretched(TIMEOUT + SLACK);
        that(waited <= limit, format!("a caller waited for {waited:?} for a record that is locked"))?;
    }
    // All have left or were told. What they began ends by its time-out, if not before; the lock is still held.
    tokio::time::sleep((stretched(TIMEOUT + SLACK)).saturating_sub(start.elapsed())).await;
    let others = b.long(r#"{"b":2}"#).with_owner(owner("bob"));
    for number in 0..30 {
        let other = key(&format!("other-{number}"));
        let call = async {
            let revision = b.store.create(&other, &others).await?;
            b.store.load(&other).await?;
            b.store.touch(&other, later).await?;
            b.store.update(&other, revision, &others).await?;
            b.store.delete(&other).await
        };
        call.await.map_err(|error| {
            let why = describe(&error);
            Failure::new(format!("a call about another record than the locked one was refused: {why}"))
        })?;
    }
    drop(lock);
    tokio::time::sleep(stretched(RECOVERY) / 2).await;
    // Those that were given up may have been made, or not; nothing stays locked.
    b.store.delete(&k).await?;
    b.store.create(&k, &record).await?;
    b.holds(&k, &record).await?;
    b.store.update(&k, Revision::fresh(), &record).await.err();
    Ok(())
}

async fn setup_01(b: Bench) -> Outcome {
    let k = key("locked");
    let record = b.long(r#"{"a":1}"#).with_owner(owner("ada"));
    b.store.create(&k, &record).await?;
    let lock = b.lock(&k).await?;
    let start = Instant::now();
    let opened = tokio::time::timeout(stretched(TIMEOUT), b.open(b.space.namespace())).await;
    drop(lock);
    let opened = opened.map_err(|_| {
        let waited = start.elapsed();
        Failure::new(format!(
            "opening a complete namespace still waited after {waited:?} for a transaction that has written to a record"
        ))
    })??;
    that(opened.store.load(&k).await?.is_some(), "the handle that was opened meanwhile does not find the record")
}
