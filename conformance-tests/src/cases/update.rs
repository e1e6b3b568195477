use session_core::Record;

use crate::bench::{Bench, LONG, key, owner};
use crate::case::{Case, Level};
use crate::check::{Outcome, Refusal, refused, same, that};
use crate::hooks::Need;
use crate::together::together;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("UPDATE-01", Level::Calls, &[], update_01),
        Case::new("UPDATE-02", Level::Calls, &[], update_02),
        Case::new("UPDATE-03", Level::Time, &[Need::Time], update_03),
        Case::new("UPDATE-04", Level::Calls, &[], update_04),
        Case::new("UPDATE-05", Level::Calls, &[], update_05),
        Case::new("UPDATE-06", Level::Calls, &[], update_06),
    ]
}

async fn update_01(b: Bench) -> Outcome {
    let mut record = b.long(r#"{"a":1,"b":2}"#).with_owner(owner("ada"));
    let mut revision = b.store.create(&key("k"), &record).await?;
    let changes: [fn(&mut Record, &Bench); 4] = [
        |record, _| record.data = crate::bench::json(r#"{"b":3}"#),
        |record, _| record.owner = Some(owner("bob")),
        |record, b| record.expires_at = b.now().saturating_add(LONG * 2),
        // An update may shorten a session; only a touch may not.
        |record, b| {
            record.owner = None;
            record.expires_at = b.now().saturating_add(LONG / 2);
        },
    ];
    for change in changes {
        change(&mut record, &b);
        revision = b.store.update(&key("k"), revision, &record).await?;
        same("the revision after an update", &b.holds(&key("k"), &record).await?, &revision)?;
    }
    Ok(())
}

async fn update_02(b: Bench) -> Outcome {
    let k = key("k");
    let stale = b.store.create(&k, &b.long(r#"{"n":0}"#).with_owner(owner("ada"))).await?;
    let record = b.long(r#"{"n":1}"#).with_owner(owner("ada"));
    let revision = b.peer.update(&k, stale, &record).await?;
    let late = b.lasting(r#"{"n":2}"#, LONG * 2).with_owner(owner("bob"));
    for store in [&b.store, &b.peer] {
        refused("an update with a stale revision", store.update(&k, stale, &late).await, Refusal::Conflict)?;
    }
    same("the revision after a conflict", &b.holds(&k, &record).await?, &revision)
}

async fn update_03(b: Bench) -> Outcome {
    let write = b.long(r#"{"back":true}"#).with_owner(owner("ada"));
    let not_live = "an update of a key that is not live";
    let empty = b.raw_if_possible().await?;
    let revision = b.store.create(&key("deleted"), &b.long("{}")).await?;
    let before = b.raw_if_possible().await?;
    refused(not_live, b.store.update(&key("never-there"), revision, &write).await, Refusal::NotFound)?;
    b.raw_is(&before, not_live).await?;

    b.store.delete(&key("deleted")).await?;
    refused(not_live, b.peer.update(&key("deleted"), revision, &write).await, Refusal::NotFound)?;
    b.raw_is(&empty, not_live).await?;

    let revision = b.store.create(&key("rotated"), &b.long("{}")).await?;
    b.store.rotate(&key("rotated"), revision, &key("moved"), &b.long("{}")).await?;
    let before = b.raw_if_possible().await?;
    refused(not_live, b.peer.update(&key("rotated"), revision, &write).await, Refusal::NotFound)?;
    b.raw_is(&before, not_live).await?;

    let revision = b.store.create(&key("expired"), &b.short("{}")).await?;
    b.expire_short(&[&key("expired")]).await?;
    refused(not_live, b.peer.update(&key("expired"), revision, &write).await, Refusal::NotFound)?;

    for name in ["never-there", "deleted", "rotated", "expired"] {
        b.is_gone(&key(name)).await?;
    }
    for index in b.indexes() {
        let owned = index.count(session_core::Scope::Owner(&owner("ada"))).await?;
        same("the sessions of the owner whose updates were refused", &owned, &0)?;
    }
    b.store.delete_expired(10).await?;
    b.raw_is(&before, "a refused update and a sweep").await
}

async fn update_04(b: Bench) -> Outcome {
    let revision = b.store.create(&key("k"), &b.long(r#"{"last":1}"#)).await?;
    let empty = b.long("{}");
    let emptied = b.store.update(&key("k"), revision, &empty).await?;
    same("the revision after storing the empty object", &b.holds(&key("k"), &empty).await?, &emptied)?;
    let late = b.store.update(&key("k"), revision, &b.long(r#"{"last":1}"#)).await;
    refused("an update with the revision before", late, Refusal::Conflict)
}

async fn update_05(b: Bench) -> Outcome {
    const WRITERS: usize = 16;
    for round in 0..8 {
        let k = key(&format!("k-{round}"));
        let revision = b.store.create(&k, &b.long("{}")).await?;
        let records: Vec<Record> = (0..WRITERS).map(|writer| b.long(&format!(r#"{{"writer":{writer}}}"#))).collect();
        let answers = together(records.iter().cloned().enumerate().map(|(writer, record)| {
            let (store, k) = (if writer % 2 == 0 { b.store.clone() } else { b.peer.clone() }, k.clone());
            async move { store.update(&k, revision, &record).await }
        }))
        .await?;
        let winners: Vec<usize> = (0..WRITERS).filter(|&writer| answers[writer].is_ok()).collect();
        that(winners.len() == 1, format!("{} of {WRITERS} updates with one revision succeeded", winners.len()))?;
        for answer in answers.into_iter().filter(Result::is_err) {
            refused("an update that lost", answer, Refusal::Conflict)?;
        }
        b.holds(&k, &records[winners[0]]).await?;
    }
    Ok(())
}

async fn update_06(b: Bench) -> Outcome {
    let deadline = b.now().saturating_add(LONG * 7);
    let with_deadline = b.long("{}").with_deadline(deadline);
    for (name, stored) in [("with", with_deadline), ("without", b.long("{}"))] {
        let mut revision = b.store.create(&key(name), &stored).await?;
        for other_deadline in [None, Some(deadline.saturating_add(LONG))] {
            let mut write = b.long(r#"{"n":1}"#);
            write.created_at = b.now().saturating_sub(LONG);
            write.deadline = other_deadline;
            revision = b.store.update(&key(name), revision, &write).await?;
            let mut wanted = stored.clone();
            wanted.data = write.data;
            b.holds(&key(name), &wanted).await?;
        }
    }
    Ok(())
}
