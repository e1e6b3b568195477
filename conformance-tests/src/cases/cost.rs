use std::time::Duration;

use session_core::{Page, Scope, SessionKey};

use crate::bench::{Bench, LONG, key, owner};
use crate::case::{Case, Level};
use crate::check::{Failure, Outcome, that};
use crate::hooks::Need;

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("COST-01", Level::Gaps, &[Need::RoundTrips], cost_01)]
}

async fn cost_01(b: Bench) -> Outcome {
    let costs = measured(&b).await?;
    let wrong: Vec<String> = costs
        .iter()
        .map(|(call, trips)| (call, trips, b.declared_cost(call)))
        .filter(|(_, trips, declared)| !declared.contains(trips))
        .map(|(call, trips, declared)| match (declared.start(), declared.end()) {
            (1, 1) => format!("{call} makes {trips} round trips"),
            (fewest, most) => format!("{call} makes {trips} round trips, and not {fewest} to {most} as declared"),
        })
        .collect();
    that(wrong.is_empty(), wrong.join("; "))?;
    match b.declared().find(|name| !costs.iter().any(|(call, _)| call == name)) {
        Some(name) => Err(Failure::new(format!("a cost is declared for «{name}», and there is no such call"))),
        None => Ok(()),
    }
}

/// Makes every call and returns how many round trips each of them took.
async fn measured(b: &Bench) -> Result<Vec<(&'static str, u64)>, Failure> {
    let record = b.long(r#"{"a":1}"#).with_owner(owner("ada"));
    // The first calls may prepare statements and load scripts, on every server that has to do with these keys.
    for _ in 0..2 {
        life(b, &mut Meter::off(), &record).await?;
    }
    let mut meter = Meter { costs: Vec::new(), is_on: true };
    life(b, &mut meter, &record).await?;
    Ok(meter.costs)
}

/// Runs every call, and on the way those that are refused.
async fn life(b: &Bench, meter: &mut Meter, record: &session_core::Record) -> Outcome {
    let (k, new) = (key("measured"), key("measured-new"));
    let stale = session_core::Revision::fresh();
    let later = b.now().saturating_add(LONG * 2);
    // What the calls answer is the concern of other rules.
    let revision = meter.cost(b, "create", b.store.create(&k, record)).await?.unwrap_or(stale);
    drop(meter.cost(b, "a create that is refused", b.store.create(&k, record)).await?);
    drop(meter.cost(b, "load", b.store.load(&k)).await?);
    drop(meter.cost(b, "a load of nothing", b.store.load(&new)).await?);
    let revision = meter.cost(b, "update", b.store.update(&k, revision, record)).await?.unwrap_or(stale);
    drop(meter.cost(b, "an update that conflicts", b.store.update(&k, stale, record)).await?);
    drop(meter.cost(b, "an update of nothing", b.store.update(&new, stale, record)).await?);
    drop(meter.cost(b, "touch", b.store.touch(&k, later)).await?);
    drop(meter.cost(b, "a touch of nothing", b.store.touch(&new, later)).await?);
    drop(meter.cost(b, "a rotation that conflicts", b.store.rotate(&k, stale, &new, record)).await?);
    drop(meter.cost(b, "rotate", b.store.rotate(&k, revision, &new, record)).await?);
    if let Some(index) = b.indexes().next() {
        drop(meter.cost(b, "list", index.list(Scope::Owner(&owner("ada")), &Page::first(10))).await?);
        drop(meter.cost(b, "count", index.count(Scope::Owner(&owner("ada")))).await?);
    }
    drop(meter.cost(b, "delete", b.store.delete(&new)).await?);
    drop(meter.cost(b, "a delete of nothing", b.store.delete(&k)).await?);
    let mut over = record.clone();
    over.expires_at = b.now().saturating_sub(Duration::from_secs(1));
    create_some(b, &over).await?;
    drop(meter.cost(b, "a create over an expired record", b.store.create(&some(0), record)).await?);
    b.store.delete(&some(0)).await?;
    b.store.create(&some(0), &over).await?;
    drop(meter.cost(b, "delete_expired", b.store.delete_expired(10)).await?);
    if let Some(index) = b.indexes().next() {
        create_some(b, record).await?;
        drop(meter.cost(b, "delete_owned", index.delete_owned(&owner("ada"), None)).await?);
        create_some(b, record).await?;
        drop(meter.cost(b, "clear", index.clear()).await?);
    }
    Ok(())
}

/// Stores a few records, so that a call that makes a round trip for each of them shows.
async fn create_some(b: &Bench, record: &session_core::Record) -> Outcome {
    for number in 0..3 {
        b.store.create(&some(number), record).await?;
    }
    Ok(())
}

fn some(number: usize) -> SessionKey {
    key(&format!("some-{number}"))
}

struct Meter {
    costs: Vec<(&'static str, u64)>,
    is_on: bool,
}

impl Meter {
    fn off() -> Self {
        Self { costs: Vec::new(), is_on: false }
    }

    async fn cost<T>(&mut self, b: &Bench, call: &'static str, future: impl Future<Output = T>) -> Result<T, Failure> {
        if !self.is_on {
            return Ok(future.await);
        }
        let before = b.round_trips().await?;
        let answer = future.await;
        self.costs.push((call, b.round_trips().await? - before));
        Ok(answer)
    }
}
