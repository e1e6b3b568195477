use session_core::{Page, Scope};

use crate::bench::{Bench, LONG, key, owner};
use crate::case::{Case, Level};
use crate::check::{Failure, Outcome, that};
use crate::hooks::Need;

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("COST-01", Level::Gaps, &[Need::RoundTrips], cost_01)]
}

async fn cost_01(b: Bench) -> Outcome {
    let record = b.long(r#"{"a":1}"#).with_owner(owner("ada"));
    // The first calls may prepare statements and load scripts.
    for warm_up in ["warm-up-1", "warm-up-2"] {
        life(&b, warm_up, &mut Meter::off(), &record).await?;
    }
    let mut meter = Meter { costs: Vec::new(), is_on: true };
    life(&b, "measured", &mut meter, &record).await?;
    let costly: Vec<String> = meter
        .costs
        .iter()
        .filter(|(_, trips)| *trips != 1)
        .map(|(call, trips)| format!("{call} makes {trips} round trips"))
        .collect();
    that(costly.is_empty(), costly.join("; "))
}

/// Runs every call, and on the way those that are refused.
async fn life(b: &Bench, name: &str, meter: &mut Meter, record: &session_core::Record) -> Outcome {
    let (k, new) = (key(name), key(&format!("{name}-new")));
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
    drop(meter.cost(b, "delete_expired", b.store.delete_expired(10)).await?);
    Ok(())
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
