use session_core::{Record, SessionKey};

use crate::bench::{Bench, LONG, key, owner};
use crate::case::{Case, Level};
use crate::check::{Outcome, Refusal, refused, same, that};
use crate::hooks::Need;
use crate::together::together;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("ROTATE-01", Level::Calls, &[], rotate_01),
        Case::new("ROTATE-02", Level::Calls, &[], rotate_02),
        Case::new("ROTATE-03", Level::Calls, &[], rotate_03),
        Case::new("ROTATE-04", Level::Calls, &[], rotate_04),
        Case::new("ROTATE-05", Level::Calls, &[], rotate_05),
        Case::new("ROTATE-06", Level::Calls, &[], rotate_06),
        Case::new("ROTATE-07", Level::Time, &[Need::Time], rotate_07),
        Case::new("ROTATE-08", Level::Time, &[Need::Time], rotate_08),
        Case::new("ROTATE-09", Level::Calls, &[], rotate_09),
    ]
}

async fn rotate_01(b: Bench) -> Outcome {
    let revision = b.store.create(&key("old"), &b.long(r#"{"cart":[1]}"#)).await?;
    let moved = b.lasting(r#"{"cart":[1],"user":"ada"}"#, LONG * 2).with_owner(owner("ada"));
    let rotated = b.store.rotate(&key("old"), revision, &key("new"), &moved).await?;
    b.is_gone(&key("old")).await?;
    same("the revision after the rotation", &b.holds(&key("new"), &moved).await?, &rotated)?;
    b.peer.update(&key("new"), rotated, &moved).await?;
    Ok(())
}

async fn rotate_02(b: Bench) -> Outcome {
    let (old, other) = (b.long(r#"{"old":1}"#).with_owner(owner("ada")), b.long(r#"{"other":1}"#));
    let revision = b.store.create(&key("old"), &old).await?;
    let other_revision = b.store.create(&key("other"), &other).await?;
    let write = b.lasting(r#"{"moved":1}"#, LONG * 2).with_owner(owner("bob"));
    for target in ["other", "old"] {
        let answer = b.store.rotate(&key("old"), revision, &key(target), &write).await;
        refused(&format!("a rotation to the live key «{target}»"), answer, Refusal::AlreadyExists)?;
        same("the old record's revision", &b.holds(&key("old"), &old).await?, &revision)?;
        same("the other record's revision", &b.holds(&key("other"), &other).await?, &other_revision)?;
    }
    b.store.rotate(&key("old"), revision, &key("new"), &write).await?;
    Ok(())
}

async fn rotate_03(b: Bench) -> Outcome {
    const WRITERS: usize = 16;
    for round in 0..8 {
        let (old, new) = (key(&format!("old-{round}")), |writer| key(&format!("new-{round}-{writer}")));
        let revision = b.store.create(&old, &b.long("{}")).await?;
        let records: Vec<Record> = (0..WRITERS).map(|writer| b.long(&format!(r#"{{"writer":{writer}}}"#))).collect();
        let answers = together(records.iter().cloned().enumerate().map(|(writer, record)| {
            let (store, old, new) =
                (if writer % 2 == 0 { b.store.clone() } else { b.peer.clone() }, old.clone(), new(writer));
            async move { store.rotate(&old, revision, &new, &record).await }
        }))
        .await?;
        let winners: Vec<usize> = (0..WRITERS).filter(|&writer| answers[writer].is_ok()).collect();
        that(winners.len() == 1, format!("{} of {WRITERS} rotations of one key succeeded", winners.len()))?;
        b.is_gone(&old).await?;
        for (writer, answer) in answers.into_iter().enumerate() {
            if writer == winners[0] {
                b.holds(&new(writer), &records[writer]).await?;
            } else {
                refused("a rotation that lost", answer, Refusal::NotFound)?;
                b.is_gone(&new(writer)).await?;
            }
        }
    }
    Ok(())
}

async fn rotate_04(b: Bench) -> Outcome {
    let (old, new) = (key("the-old-key"), key("the-new-key"));
    let record = b.long(r#"{"a":1}"#).with_owner(owner("ada"));
    let revision = b.store.create(&old, &record).await?;
    b.store.rotate(&old, revision, &new, &record).await?;
    let write = b.long(r#"{"back":1}"#);
    refused("an update under the old key", b.peer.update(&old, revision, &write).await, Refusal::NotFound)?;
    let later = b.now().saturating_add(LONG * 2);
    refused("a touch under the old key", b.peer.touch(&old, later).await, Refusal::NotFound)?;
    let again = b.peer.rotate(&old, revision, &key("third"), &write).await;
    refused("a rotation of the old key", again, Refusal::NotFound)?;
    keeps_nothing_of(&b, &old).await?;
    that(!b.peer.delete(&old).await?, "a delete of the old key said that a live record was there")?;
    b.is_gone(&old).await?;
    b.is_gone(&key("third")).await?;
    b.holds(&new, &record).await?;
    keeps_nothing_of(&b, &old).await
}

async fn keeps_nothing_of(b: &Bench, k: &SessionKey) -> Outcome {
    for entry in b.raw_if_possible().await?.unwrap_or_default() {
        that(!entry.contains(k.as_str()), format!("the backend still keeps the old key: {entry}"))?;
    }
    Ok(())
}

async fn rotate_05(b: Bench) -> Outcome {
    let deadline = b.now().saturating_add(LONG * 7);
    let mut with_deadline = b.long("{}").with_deadline(deadline);
    with_deadline.created_at = b.now().saturating_sub(LONG);
    for (name, stored) in [("with", with_deadline), ("without", b.long("{}"))] {
        let revision = b.store.create(&key(name), &stored).await?;
        let mut write = b.long(r#"{"n":1}"#);
        write.deadline = Some(deadline.saturating_add(LONG));
        let new = key(&format!("{name}-new"));
        let revision = b.store.rotate(&key(name), revision, &new, &write).await?;
        let mut wanted = stored.clone();
        wanted.data = write.data.clone();
        b.holds(&new, &wanted).await?;

        write.deadline = None;
        b.store.rotate(&new, revision, &key(&format!("{name}-newer")), &write).await?;
        b.holds(&key(&format!("{name}-newer")), &wanted).await?;
    }
    Ok(())
}

async fn rotate_06(b: Bench) -> Outcome {
    let stale = b.store.create(&key("old"), &b.long("{}")).await?;
    let record = b.long(r#"{"n":1}"#);
    let revision = b.peer.update(&key("old"), stale, &record).await?;
    let answer = b.store.rotate(&key("old"), stale, &key("new"), &b.long(r#"{"n":2}"#)).await;
    refused("a rotation with a stale revision", answer, Refusal::Conflict)?;
    same("the old record's revision", &b.holds(&key("old"), &record).await?, &revision)?;
    b.is_gone(&key("new")).await
}

async fn rotate_07(b: Bench) -> Outcome {
    let write = b.long(r#"{"back":true}"#);
    let not_live = "a rotation of a key that is not live";
    let empty = b.raw_if_possible().await?;
    let revision = b.store.create(&key("deleted"), &b.long("{}")).await?;
    let before = b.raw_if_possible().await?;
    let unknown = b.store.rotate(&key("unknown"), revision, &key("new-1"), &write).await;
    refused(not_live, unknown, Refusal::NotFound)?;
    b.raw_is(&before, not_live).await?;

    b.store.delete(&key("deleted")).await?;
    refused(not_live, b.peer.rotate(&key("deleted"), revision, &key("new-2"), &write).await, Refusal::NotFound)?;
    b.raw_is(&empty, not_live).await?;

    let revision = b.store.create(&key("expired"), &b.short("{}")).await?;
    b.expire_short(&[&key("expired")]).await?;
    refused(not_live, b.peer.rotate(&key("expired"), revision, &key("new-3"), &write).await, Refusal::NotFound)?;

    for name in ["unknown", "deleted", "expired", "new-1", "new-2", "new-3"] {
        b.is_gone(&key(name)).await?;
    }
    b.store.delete_expired(10).await?;
    b.raw_is(&empty, "a refused rotation and a sweep").await
}

async fn rotate_08(b: Bench) -> Outcome {
    let left = b.short(r#"{"left":"behind"}"#).with_owner(owner("bob")).with_deadline(b.now().saturating_add(LONG));
    b.store.create(&key("new"), &left).await?;
    b.expire_short(&[&key("new")]).await?;
    let record = b.long(r#"{"a":1}"#).with_owner(owner("ada"));
    let revision = b.store.create(&key("old"), &record).await?;
    b.store.rotate(&key("old"), revision, &key("new"), &record).await?;
    b.holds(&key("new"), &record).await?;
    b.is_gone(&key("old")).await?;
    for index in b.indexes() {
        let bobs = index.count(session_core::Scope::Owner(&owner("bob"))).await?;
        same("the sessions of the replaced record's owner", &bobs, &0)?;
    }
    Ok(())
}

async fn rotate_09(b: Bench) -> Outcome {
    let (old, other) = (b.long(r#"{"old":1}"#), b.long(r#"{"other":1}"#));
    let stale = b.store.create(&key("old"), &old).await?;
    b.store.update(&key("old"), stale, &old).await?;
    b.store.create(&key("other"), &other).await?;
    let write = b.long(r#"{"moved":1}"#);
    let answer = b.store.rotate(&key("old"), stale, &key("other"), &write).await;
    refused("a rotation with a stale revision to a live key", answer, Refusal::Conflict)?;
    let answer = b.store.rotate(&key("old"), stale, &key("old"), &write).await;
    refused("a rotation with a stale revision to its own key", answer, Refusal::Conflict)?;
    let answer = b.store.rotate(&key("unknown"), stale, &key("other"), &write).await;
    refused("a rotation of an unknown key to a live key", answer, Refusal::NotFound)?;
    b.holds(&key("old"), &old).await?;
    b.holds(&key("other"), &other).await?;
    Ok(())
}
