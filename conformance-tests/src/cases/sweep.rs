use std::time::{Duration, Instant};

use session_core::SessionKey;

use crate::bench::{Bench, LONG, PASSING, SHORT, key, owner};
use crate::case::{Case, Level};
use crate::check::{Failure, Outcome, same, that};
use crate::hooks::Need;
use crate::together::together;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("SWEEP-01", Level::Time, &[], sweep_01),
        Case::new("SWEEP-02", Level::Time, &[], sweep_02),
        Case::new("SWEEP-03", Level::Time, &[Need::Time], sweep_03),
        Case::new("SWEEP-04", Level::Calls, &[], sweep_04),
        Case::new("SWEEP-05", Level::Time, &[Need::Time], sweep_05),
    ]
}

/// Stores records whose expiry has passed already.
async fn create_expired(b: &Bench, name: &str, count: usize) -> Result<Vec<SessionKey>, Failure> {
    let mut record = b.long(r#"{"a":1}"#).with_owner(owner("ada"));
    record.expires_at = b.now().saturating_sub(Duration::from_secs(1));
    let mut keys = Vec::new();
    for number in 0..count {
        let k = key(&format!("{name}-{number}"));
        b.store.create(&k, &record).await?;
        keys.push(k);
    }
    Ok(keys)
}

async fn sweep_01(b: Bench) -> Outcome {
    let before = b.raw_if_possible().await?;
    create_expired(&b, "k", 10).await?;
    for (limit, wanted) in [(0, 0), (4, 4), (0, 0), (5, 5), (5, 1), (5, 0)] {
        let removed = b.store.delete_expired(limit).await?;
        that(removed <= limit, format!("a sweep with limit {limit} removed {removed}"))?;
        b.swept(&format!("a sweep with limit {limit}"), removed, wanted)?;
    }
    b.raw_is(&before, "the sweeps").await
}

async fn sweep_02(b: Bench) -> Outcome {
    let record = b.long(r#"{"live":true}"#).with_owner(owner("ada"));
    for number in 0..10 {
        b.store.create(&key(&format!("live-{number}")), &record).await?;
    }
    let before = b.raw_if_possible().await?;
    create_expired(&b, "over", 10).await?;
    b.swept("the sweep", b.peer.delete_expired(1000).await?, 10)?;
    b.raw_is(&before, "the sweep").await?;
    for number in 0..10 {
        b.holds(&key(&format!("live-{number}")), &record).await?;
    }
    Ok(())
}

async fn sweep_03(b: Bench) -> Outcome {
    const KEYS: usize = 48;
    for round in 0..6 {
        let name = move |number: usize| key(&format!("k-{round}-{number}"));
        let names: Vec<SessionKey> = (0..KEYS).map(name).collect();
        for k in &names {
            b.store.create(k, &b.short(r#"{"old":1}"#)).await?;
        }
        b.expire_short(&names.iter().collect::<Vec<_>>()).await?;
        // Every other record is renewed, while four sweeps run.
        let renewed = b.long(r#"{"new":1}"#);
        let calls = (0..KEYS).step_by(2).map(Some).chain([None; 4]).collect::<Vec<_>>();
        let answers = together(calls.into_iter().map(|call| {
            let (store, sweeper, renewed) = (b.store.clone(), b.peer.clone(), renewed.clone());
            async move {
                match call {
                    Some(number) => store.create(&name(number), &renewed).await.map(|_| 0),
                    None => sweeper.delete_expired(1000).await,
                }
            }
        }))
        .await?;
        let mut swept = 0;
        for answer in answers {
            swept += answer?;
        }
        for number in (0..KEYS).step_by(2) {
            b.holds(&name(number), &renewed).await?;
        }
        swept += b.store.delete_expired(1000).await?;
        let most = u32::try_from(KEYS).unwrap_or(u32::MAX);
        let least = if b.collects_garbage() { 0 } else { most / 2 };
        that((least..=most).contains(&swept), format!("{swept} of {KEYS} expired records were swept"))?;
        same("what a last sweep finds", &b.store.delete_expired(1000).await?, &0)?;
        for k in names {
            b.store.delete(&k).await?;
        }
    }
    Ok(())
}

/// Compares two populations in one run, a hundredfold apart, and not with a clock's absolute figures: a scan
/// of all records makes the sweep of the larger one about a hundred times as slow, an index hardly slower.
async fn sweep_04(b: Bench) -> Outcome {
    const FEW: usize = 100;
    const MANY: usize = 10_000;
    const MOST_RATIO: f64 = 12.0;
    fill(&b, 0, FEW).await?;
    let with_few = sweep_time(&b, "few").await?;
    fill(&b, FEW, MANY).await?;
    let with_many = sweep_time(&b, "many").await?;
    let ratio = with_many.as_secs_f64() / with_few.as_secs_f64();
    that(
        ratio < MOST_RATIO,
        format!(
            "sweeping 5 records takes {with_few:?} among {FEW} live ones and {with_many:?} among {MANY}: {ratio:.0} times"
        ),
    )
}

async fn fill(b: &Bench, from: usize, to: usize) -> Outcome {
    const TASKS: usize = 16;
    let record = b.long("{}");
    let answers = together((0..TASKS).map(|task| {
        let (store, record) = (b.store.clone(), record.clone());
        async move {
            for number in (from..to).skip(task).step_by(TASKS) {
                store.create(&key(&format!("live-{number}")), &record).await?;
            }
            Ok::<(), session_core::Error>(())
        }
    }))
    .await?;
    for answer in answers {
        answer?;
    }
    Ok(())
}

/// The shortest of several sweeps of five expired records: what disturbs a sweep only makes it longer.
async fn sweep_time(b: &Bench, name: &str) -> Result<Duration, Failure> {
    let mut shortest = Duration::MAX;
    for round in 0..12 {
        create_expired(b, &format!("{name}-{round}"), 5).await?;
        let start = Instant::now();
        let swept = b.store.delete_expired(100).await?;
        shortest = shortest.min(start.elapsed());
        b.swept("the sweep", swept, 5)?;
    }
    Ok(shortest)
}

/// A store that files a record under its expiry has to file it anew when that moves, or to look at the record before it
/// believes the file; and must not lose it from the files when a sweep has met it.
async fn sweep_05(b: Bench) -> Outcome {
    let before = b.raw_if_possible().await?;
    let short = b.short(r#"{"old":1}"#).with_owner(owner("ada"));
    let long = b.long(r#"{"new":1}"#).with_owner(owner("ada"));
    let mut kept = Vec::new();
    for name in ["touched", "updated", "old", "touched-and-updated", "updated-and-touched"] {
        let k = key(name);
        let revision = b.store.create(&k, &short).await?;
        let mut wanted = long.clone();
        match name {
            "touched" => {
                wanted.data = short.data.clone();
                b.store.touch(&k, long.expires_at).await?;
            }
            "updated" => drop(b.store.update(&k, revision, &long).await?),
            "old" => drop(b.store.rotate(&k, revision, &key("rotated"), &long).await?),
            "touched-and-updated" => {
                b.store.touch(&k, long.expires_at).await?;
                b.peer.update(&k, revision, &long).await?;
            }
            _ => {
                b.store
                    .update(&k, revision, &b.lasting(r#"{"new":1}"#, SHORT * 3 / 2).with_owner(owner("ada")))
                    .await?;
                b.peer.touch(&k, long.expires_at).await?;
            }
        }
        kept.push((if name == "old" { key("rotated") } else { k }, wanted));
    }
    b.store.create(&key("over"), &short).await?;
    let keys: Vec<SessionKey> = kept.iter().map(|(k, _)| k.clone()).chain([key("over")]).collect();
    b.pass(PASSING, &keys).await?;
    // Aged, the kept ones have come nearer to their end.
    for (k, wanted) in &mut kept {
        wanted.expires_at = b.live(k).await?.0.expires_at;
    }
    for (round, expired) in [(1, 1), (2, 0)] {
        b.swept(&format!("sweep {round} after the first expiry"), b.store.delete_expired(100).await?, expired)?;
        for (k, wanted) in &kept {
            b.holds(k, wanted).await?;
        }
    }
    for index in b.indexes() {
        let count = index.count(session_core::Scope::Owner(&owner("ada"))).await?;
        same("the owner's sessions after the sweeps", &count, &(kept.len() as u64))?;
    }
    b.pass(LONG * 2, &keys).await?;
    let left = u32::try_from(kept.len()).unwrap_or_default();
    b.swept("the sweep after the last expiry", b.store.delete_expired(100).await?, left)?;
    b.raw_is(&before, "the last sweep").await
}
