//! Many records that wait for a sweep, or that are others': what a call costs the backend, by the backend's own counters.

use session_core::{Page, Scope};

use crate::bench::{Bench, LONG, key, owner};
use crate::case::{Case, Level};
use crate::check::{Failure, Outcome, that};
use crate::hooks::Need;
use crate::together::together;

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("BACKLOG-01", Level::Calls, &[Need::Time, Need::Work], backlog_01)]
}

/// The environment variable that says how many records the backlog has.
const SIZE: &str = "SESSION_CONFORMANCE_BACKLOG";
/// What one sweep removes at most.
const BATCH: usize = 1000;
/// How much more the same call may cost with everything else there than without it: a tree grows, a table does not.
const MOST_RATIO: u64 = 3;
/// What a call may cost beside that: pages of the catalogue, the root of an index.
const BESIDE: u64 = 50;

async fn backlog_01(b: Bench) -> Outcome {
    let size = std::env::var(SIZE).ok().and_then(|size| size.parse().ok()).unwrap_or(10_000_usize).max(2 * BATCH);
    let alone = of_a_few(&b, "alone").await?;
    let renewed = b.lasting("{}", LONG).expires_at;
    // One in ten is renewed, so that a sweep comes upon what it must leave.
    const TASKS: usize = 16;
    let record = b.short("{}").with_owner(owner("many"));
    let answers = together((0..TASKS).map(|task| {
        let (store, record) = (b.store.clone(), record.clone());
        async move {
            for number in (task..size).step_by(TASKS) {
                let k = key(&format!("many-{number:07}"));
                store.create(&k, &record).await?;
                if number % 10 == 0 {
                    store.touch(&k, renewed).await?;
                }
            }
            Ok::<(), session_core::Error>(())
        }
    }))
    .await?;
    for answer in answers {
        answer?;
    }
    let beside = of_a_few(&b, "beside").await?;
    for ((call, alone), (_, beside)) in alone.iter().zip(&beside) {
        that(
            *beside <= alone * MOST_RATIO + BESIDE,
            format!(
                "{call} of five sessions reads {alone} rows when nothing else is stored, and {beside} beside {size} others"
            ),
        )?;
    }
    b.clock.advance(crate::bench::PASSING);
    let mut costs = Vec::new();
    loop {
        let (before, removed) = (b.work().await?, b.store.delete_expired(BATCH as u32).await?);
        costs.push((removed, b.work().await? - before));
        if (removed as usize) < BATCH {
            break;
        }
        that(costs.len() <= size / BATCH + 1, "the sweeps do not end")?;
    }
    let full = || costs.iter().filter(|(removed, _)| *removed as usize == BATCH).map(|(_, cost)| *cost);
    let (most, least) = (full().max().unwrap_or_default(), full().min().unwrap_or_default());
    that(
        most <= least * MOST_RATIO + BESIDE,
        format!(
            "of {} sweeps of {BATCH} among {size} expired records one reads {least} rows and another {most}",
            costs.len()
        ),
    )
}

/// Makes the calls about one owner's five sessions, and returns what each of them cost.
async fn of_a_few(b: &Bench, name: &str) -> Result<Vec<(&'static str, u64)>, Failure> {
    let Some(index) = b.indexes().next() else { return Ok(Vec::new()) };
    let few = owner(name);
    for number in 0..5 {
        b.store.create(&key(&format!("{name}-{number}")), &b.long("{}").with_owner(few.clone())).await?;
    }
    let mut costs = Vec::new();
    let mut at = b.work().await?;
    let mut cost = |call, now: u64| {
        costs.push((call, now - at));
        at = now;
    };
    index.list(Scope::Owner(&few), &Page::first(10)).await?;
    cost("a list", b.work().await?);
    index.list(Scope::All, &Page::first(5)).await?;
    cost("a page", b.work().await?);
    index.count(Scope::Owner(&few)).await?;
    cost("a count", b.work().await?);
    index.delete_owned(&few, None).await?;
    cost("delete_owned", b.work().await?);
    Ok(costs)
}
