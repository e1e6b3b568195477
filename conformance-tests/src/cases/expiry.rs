use std::time::Duration;

use session_core::{Record, Scope, SessionKey, Timestamp};

use crate::bench::{Bench, LONG, SHORT, key, list_keys, owner};
use crate::case::{Case, Level};
use crate::check::{Outcome, Refusal, refused, same, that};
use crate::hooks::Need;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("EXPIRY-01", Level::Time, &[Need::Clock], expiry_01),
        Case::new("EXPIRY-02", Level::Time, &[], expiry_02),
        Case::new("EXPIRY-03", Level::Time, &[], expiry_03),
        Case::new("EXPIRY-04", Level::Calls, &[], expiry_04),
        Case::new("EXPIRY-05", Level::Time, &[Need::Clock], expiry_05),
        Case::new("EXPIRY-06", Level::Time, &[Need::Clock, Need::Collection], expiry_06),
    ]
}

const ONE: Duration = Duration::from_millis(1);

async fn expiry_01(b: Bench) -> Outcome {
    let start = b.now();
    for (moment, offset) in [("a millisecond before", -1), ("at", 0), ("a millisecond after", 1)] {
        b.clock.set(start);
        let end = start.saturating_add(SHORT);
        let name = |call: &str| key(&format!("{call}{offset}"));
        let mut revisions = Vec::new();
        for call in ["load", "update", "touch", "rotate", "delete", "create", "sweep"] {
            revisions.push(b.store.create(&name(call), &b.short("{}").with_owner(owner("ada"))).await?);
        }
        b.clock.set(match offset {
            -1 => end.saturating_sub(ONE),
            0 => end,
            _ => end.saturating_add(ONE),
        });
        let is_live = offset < 0;
        let what = |call: &str| format!("a {call} {moment} the expiry");
        let refusal = Refusal::NotFound;
        that(b.store.load(&name("load")).await?.is_some() == is_live, what("load"))?;
        for index in b.indexes() {
            let keys = list_keys(&**index, Scope::Owner(&owner("ada"))).await?;
            let wanted = if is_live { 7 } else { 0 };
            same(&what("list of the owner's sessions"), &keys.len(), &wanted)?;
            same(&what("count of all sessions"), &index.count(Scope::All).await?, &(wanted as u64))?;
        }
        let write = b.long(r#"{"n":1}"#);
        let update = b.store.update(&name("update"), revisions[1], &write).await;
        let touch = b.store.touch(&name("touch"), write.expires_at).await;
        let rotate = b.store.rotate(&name("rotate"), revisions[3], &name("rotated"), &write).await;
        let deleted = b.store.delete(&name("delete")).await?;
        let create = b.store.create(&name("create"), &write).await;
        same(&what("delete"), &deleted, &is_live)?;
        if is_live {
            update?;
            touch?;
            rotate?;
            refused(&what("create"), create, Refusal::AlreadyExists)?;
        } else {
            refused(&what("update"), update, refusal)?;
            refused(&what("touch"), touch, refusal)?;
            refused(&what("rotate"), rotate, refusal)?;
            create?;
        }
        let swept = b.store.delete_expired(1000).await?;
        // One of the seven is deleted, and one renewed.
        b.swept(&what("sweep"), swept, if is_live { 0 } else { 5 })?;
        that(b.store.load(&name("sweep")).await?.is_some() == is_live, what("load after a sweep"))?;
        for call in ["load", "update", "touch", "rotate", "rotated", "create", "sweep"] {
            b.store.delete(&name(call)).await?;
        }
    }
    Ok(())
}

async fn expiry_02(b: Bench) -> Outcome {
    let before = b.raw_if_possible().await?;
    let past = [b.now(), b.now().saturating_sub(ONE), b.now().saturating_sub(LONG * 400), Timestamp::MIN];
    for (number, expires_at) in past.into_iter().enumerate() {
        let k = key(&format!("k-{number}"));
        let mut record = Record::new(b.long(r#"{"a":1}"#).data, expires_at, expires_at);
        record.owner = Some(owner("ada"));
        b.store.create(&k, &record).await?;
        b.is_gone(&k).await?;
        for index in b.indexes() {
            same("the sessions of the owner", &index.count(Scope::Owner(&owner("ada"))).await?, &0)?;
        }
    }
    ends_up_empty(&b, &before).await
}

async fn expiry_03(b: Bench) -> Outcome {
    let before = b.raw_if_possible().await?;
    let mut over = b.long(r#"{"n":1}"#);
    over.expires_at = b.now().saturating_sub(ONE);
    let revision = b.store.create(&key("updated"), &b.long("{}")).await?;
    b.store.update(&key("updated"), revision, &over).await?;
    let revision = b.store.create(&key("old"), &b.long("{}")).await?;
    b.store.rotate(&key("old"), revision, &key("rotated"), &over).await?;
    for name in ["updated", "old", "rotated"] {
        b.is_gone(&key(name)).await?;
    }
    let later = b.now().saturating_add(LONG);
    refused("a touch of what an update ended", b.store.touch(&key("updated"), later).await, Refusal::NotFound)?;
    ends_up_empty(&b, &before).await
}

async fn expiry_04(b: Bench) -> Outcome {
    let year_2100 = Timestamp::from_unix_millis(4_102_444_800_123).unwrap_or(Timestamp::MAX);
    let lifetimes = [LONG, LONG * 400, year_2100.saturating_since(b.now())];
    for (number, lifetime) in lifetimes.into_iter().enumerate() {
        let k = key(&format!("k-{number}"));
        // An odd millisecond: stores that keep seconds or floats lose it.
        let mut record = b.lasting(r#"{"a":1}"#, lifetime).with_deadline(b.now().saturating_add(lifetime + ONE));
        let revision = b.store.create(&k, &record).await?;
        b.holds(&k, &record).await?;
        record.expires_at = record.expires_at.saturating_add(ONE * 7);
        b.store.touch(&k, record.expires_at).await?;
        b.holds(&k, &record).await?;
        record.expires_at = record.expires_at.saturating_add(ONE * 13);
        b.store.update(&k, revision, &record).await?;
        b.holds(&k, &record).await?;
    }
    Ok(())
}

async fn expiry_05(b: Bench) -> Outcome {
    let before = b.raw_if_possible().await?;
    let record = b.long(r#"{"a":1}"#).with_owner(owner("ada"));
    let last = b.now().saturating_add(LONG * 3);
    b.store.create(&key("created"), &record).await?;
    let revision = b.store.create(&key("updated"), &record).await?;
    b.store.update(&key("updated"), revision, &b.lasting("{}", LONG * 2)).await?;
    b.store.create(&key("touched"), &record).await?;
    b.store.touch(&key("touched"), last).await?;
    let revision = b.store.create(&key("old"), &record).await?;
    b.store.rotate(&key("old"), revision, &key("rotated"), &record).await?;
    b.clock.set(last);
    for name in ["created", "updated", "touched", "old", "rotated"] {
        b.is_gone(&key(name)).await?;
    }
    ends_up_empty(&b, &before).await
}

/// The clock goes so far that the backend has collected what it collects, however long it waits before it does.
async fn expiry_06(b: Bench) -> Outcome {
    const FAR: Duration = LONG.saturating_mul(30);
    let before = b.raw_if_possible().await?;
    let ada = owner("ada");
    let record = b.short(r#"{"a":1}"#).with_owner(ada.clone());
    let renewed = b.lasting(r#"{"a":1}"#, FAR * 2).with_owner(ada.clone());
    for name in ["over", "over-too", "touched"] {
        b.store.create(&key(name), &record).await?;
    }
    b.store.touch(&key("touched"), renewed.expires_at).await?;
    let updated = b.store.create(&key("updated"), &record).await?;
    b.store.update(&key("updated"), updated, &renewed).await?;
    let old = b.store.create(&key("old"), &record).await?;
    b.store.rotate(&key("old"), old, &key("rotated"), &renewed).await?;
    b.clock.advance(FAR);
    b.collect().await?;
    let names = ["rotated", "touched", "updated"].map(key);
    for k in &names {
        b.holds(k, &renewed).await?;
    }
    for index in b.indexes() {
        for scope in [Scope::All, Scope::Owner(&ada)] {
            same("the sessions that were renewed", &list_keys(&**index, scope).await?, &names.to_vec())?;
            same("the count of those that were renewed", &index.count(scope).await?, &3)?;
        }
    }
    // What expired may be gone or not: every call answers as it does for what has expired.
    let k = key("over");
    b.is_gone(&k).await?;
    let stale = session_core::Revision::fresh();
    refused("an update", b.store.update(&k, stale, &renewed).await, Refusal::NotFound)?;
    refused("a touch", b.store.touch(&k, renewed.expires_at).await, Refusal::NotFound)?;
    refused("a rotation", b.store.rotate(&k, stale, &key("new"), &renewed).await, Refusal::NotFound)?;
    that(!b.store.delete(&k).await?, "a delete of what expired said that a live record was there")?;
    b.store.create(&k, &renewed).await?;
    b.holds(&k, &renewed).await?;
    b.store.delete_expired(100).await?;
    b.holds(&k, &renewed).await?;
    if let Some(index) = b.indexes().next() {
        same("the sessions that delete_owned ends", &index.delete_owned(&ada, None).await?, &4)?;
    }
    for k in names.into_iter().chain([k]) {
        b.store.delete(&k).await?;
    }
    // And an owner all of whose sessions ended by time: nothing of it stays either.
    for round in 0..3 {
        b.store.create(&key(&format!("bobs-{round}")), &b.short("{}").with_owner(owner("bob"))).await?;
    }
    b.clock.advance(FAR);
    b.collect().await?;
    ends_up_empty(&b, &before).await
}

/// Sweeps until nothing is found, and fails if something stays in the backend or can be seen.
async fn ends_up_empty(b: &Bench, before: &Option<Vec<String>>) -> Outcome {
    let mut swept = 0;
    while b.store.delete_expired(100).await? > 0 {
        swept += 1;
        that(swept < 100, "sweeping does not end")?;
    }
    b.raw_is(before, "sweeping all that expired").await?;
    let none: Vec<SessionKey> = Vec::new();
    for index in b.indexes() {
        same("the sessions that are left", &list_keys(&**index, Scope::All).await?, &none)?;
    }
    Ok(())
}
