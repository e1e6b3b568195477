use std::time::{Duration, Instant};

use session_core::{Page, Result, Scope, SessionKey};

use crate::bench::{Bench, LONG, key, owner};
use crate::case::{Case, Level};
use crate::check::{Failure, Outcome, Refusal, refused, that};
use crate::hooks::Need;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("OUTAGE-01", Level::Gaps, &[Need::Outage], outage_01),
        Case::new("OUTAGE-02", Level::Gaps, &[Need::Outage], outage_02),
    ]
}

/// A store whose calls wait longer than this for a backend that is away has no time-out worth the name.
const MOST_WAITING: Duration = Duration::from_secs(30);

async fn outage_01(b: Bench) -> Outcome {
    for (round, absence) in b.absences().iter().enumerate() {
        let (k, other, new) = (key(&format!("k-{round}")), key("other"), key("new"));
        let record = b.long(r#"{"a":1}"#).with_owner(owner("ada"));
        let revision = b.store.create(&k, &record).await?;
        b.begin_outage(*absence).await?;
        let later = b.now().saturating_add(LONG * 2);
        let outcome: Outcome = async {
            away("create", b.store.create(&other, &record)).await?;
            away("load", b.store.load(&k)).await?;
            away("a load of nothing", b.store.load(&key("unknown"))).await?;
            away("update", b.store.update(&k, revision, &record)).await?;
            away("touch", b.store.touch(&k, later)).await?;
            away("rotate", b.store.rotate(&k, revision, &new, &record)).await?;
            away("delete", b.store.delete(&k)).await?;
            away("delete_expired", b.store.delete_expired(10)).await?;
            if let Some(index) = b.indexes().next() {
                for scope in [Scope::All, Scope::Owner(&owner("ada"))] {
                    away("list", index.list(scope, &Page::first(10))).await?;
                    away("count", index.count(scope)).await?;
                }
                away("clear", index.clear()).await?;
                away("delete_owned", index.delete_owned(&owner("ada"), None)).await?;
            }
            Ok(())
        }
        .await;
        // Whatever was found, other cases may need the backend.
        b.end_outage().await?;
        outcome?;
        if round + 1 < b.absences().len() {
            recovers(&b, &k).await?;
        }
    }
    Ok(())
}

async fn away<T: std::fmt::Debug>(call: &str, future: impl Future<Output = Result<T>>) -> Outcome {
    let answer = tokio::time::timeout(MOST_WAITING, future)
        .await
        .map_err(|_| Failure::new(format!("{call} waits for more than {} seconds", MOST_WAITING.as_secs())))?;
    refused(&format!("{call} while the backend is away"), answer, Refusal::Unavailable)
}

async fn outage_02(b: Bench) -> Outcome {
    for absence in b.absences() {
        let record = b.long(r#"{"a":1}"#).with_owner(owner("ada"));
        let revision = b.store.create(&key("k"), &record).await?;
        b.begin_outage(*absence).await?;
        let during = b.store.load(&key("k")).await;
        b.end_outage().await?;
        that(during.is_err(), "a load succeeded while the backend was away: the harness is wrong")?;
        recovers(&b, &key("k")).await?;
        b.holds(&key("k"), &record).await?;
        b.store.update(&key("k"), revision, &record).await?;
        that(b.store.delete(&key("k")).await?, "the session was not live after the outage")?;
    }
    Ok(())
}

async fn recovers(b: &Bench, key: &SessionKey) -> Outcome {
    for store in [&b.store, &b.peer] {
        let start = Instant::now();
        while let Err(error) = store.load(key).await {
            that(start.elapsed() < MOST_WAITING, format!("the handle does not recover: {error}"))?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}
