use std::collections::HashSet;

use session_core::Revision;

use crate::bench::{Bench, LONG, key};
use crate::case::{Case, Level};
use crate::check::{Outcome, Refusal, refused, same, that};
use crate::hooks::Need;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("REVISION-01", Level::Calls, &[], revision_01),
        Case::new("REVISION-02", Level::Calls, &[], revision_02),
        Case::new("REVISION-03", Level::Time, &[Need::Time], revision_03),
    ]
}

async fn revision_01(b: Bench) -> Outcome {
    let record = b.long(r#"{"same":true}"#);
    let mut seen: HashSet<Revision> = HashSet::new();
    let (mut k, mut revision) = (key("k-0"), b.store.create(&key("k-0"), &record).await?);
    for round in 1..=8 {
        that(seen.insert(revision), "a write returned a revision that the record had before")?;
        same("the revision that a load shows after the write", &b.holds(&k, &record).await?, &revision)?;
        if round % 4 == 0 {
            let new = key(&format!("k-{round}"));
            revision = b.store.rotate(&k, revision, &new, &record).await?;
            k = new;
        } else {
            revision = b.store.update(&k, revision, &record).await?;
        }
    }
    that(seen.insert(revision), "a write returned a revision that the record had before")
}

async fn revision_02(b: Bench) -> Outcome {
    let record = b.long(r#"{"n":1}"#);
    let revision = b.store.create(&key("k"), &record).await?;
    b.peer.touch(&key("k"), b.now().saturating_add(LONG * 2)).await?;
    same("the revision after a touch", &b.live(&key("k")).await?.1, &revision)?;
    b.store.update(&key("k"), revision, &record).await?;
    Ok(())
}

async fn revision_03(b: Bench) -> Outcome {
    let k = key("k");
    let mut earlier = Vec::new();
    for life in 0..4 {
        earlier.push(b.store.create(&k, &b.short("{}")).await?);
        if life % 2 == 0 {
            b.store.delete(&k).await?;
        } else {
            b.expire_short(&[&k]).await?;
        }
    }
    let now_stored = b.long(r#"{"life":"last"}"#);
    let revision = b.store.create(&k, &now_stored).await?;
    for stale in earlier {
        let late = b.store.update(&k, stale, &b.long("{}")).await;
        refused("an update with a revision of an earlier life", late, Refusal::Conflict)?;
        let late = b.store.rotate(&k, stale, &key("new"), &b.long("{}")).await;
        refused("a rotation with a revision of an earlier life", late, Refusal::Conflict)?;
    }
    same("the revision of the last life", &b.holds(&k, &now_stored).await?, &revision)
}
