use std::time::Duration;

use session_core::Scope;

use crate::bench::{Bench, key, list_keys, owner};
use crate::case::{Case, Level};
use crate::check::{Outcome, Refusal, refused, same, that};
use crate::hooks::{Damage, Need};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("LOAD-01", Level::Calls, &[], load_01),
        Case::new("LOAD-02", Level::Time, &[Need::Time], load_02),
        Case::new("LOAD-03", Level::Calls, &[Need::Damage], load_03),
        Case::new("LOAD-04", Level::Calls, &[], load_04),
    ]
}

async fn load_01(b: Bench) -> Outcome {
    let before = b.raw_if_possible().await?;
    b.is_gone(&key("unknown")).await?;
    b.raw_is(&before, "loading an unknown key").await?;
    for index in b.indexes() {
        same("the number of sessions after loading an unknown key", &index.count(Scope::All).await?, &0)?;
    }
    b.store.create(&key("unknown"), &b.long("{}")).await?;
    Ok(())
}

async fn load_02(b: Bench) -> Outcome {
    let (ends, stays) = (key("ends"), key("stays"));
    b.store.create(&ends, &b.short(r#"{"a":1}"#)).await?;
    let record = b.long(r#"{"b":2}"#);
    b.store.create(&stays, &record).await?;
    b.expire_short(&[&ends]).await?;
    b.is_gone(&ends).await?;
    b.holds(&stays, &record).await?;
    Ok(())
}

async fn load_03(b: Bench) -> Outcome {
    let (broken, whole) = (key("broken"), key("whole"));
    let record = b.long(r#"{"whole":true}"#);
    for text in ["", "not json", "[1,2]", "null", r#"{"cut":"of"#, r#"{"a":{"b":1}"#, "{]}"] {
        b.store.create(&whole, &record).await?;
        b.store.create(&broken, &b.long(r#"{"a":1}"#)).await?;
        b.damage(&broken, Damage::Data(text)).await?;
        for store in [&b.store, &b.peer] {
            refused(&format!("a load of {text:?}"), store.load(&broken).await, Refusal::Corrupt)?;
        }
        let created = b.store.create(&broken, &b.long("{}")).await;
        that(created.is_err(), format!("a create replaced {text:?}, which is live and cannot be read"))?;
        refused("a load after the refused create", b.store.load(&broken).await, Refusal::Corrupt)?;
        b.holds(&whole, &record).await?;
        for k in [broken.clone(), whole.clone()] {
            b.store.delete(&k).await?;
            b.is_gone(&k).await?;
        }
        stops_nothing(&b, Damage::Data(text)).await?;
    }
    Ok(())
}

/// Fails if a damaged record stops a call that goes over many, or keeps it from others. Begins and ends with nothing stored.
pub(super) async fn stops_nothing(b: &Bench, damage: Damage) -> Outcome {
    let before = b.raw_if_possible().await?;
    let ada = owner("ada");
    let (broken, whole, over) = (key("broken"), key("whole"), key("over"));
    let record = b.long(r#"{"whole":true}"#).with_owner(ada.clone());
    let mut expired = record.clone();
    expired.expires_at = b.now().saturating_sub(Duration::from_secs(1));
    let create_broken = async || {
        b.store.create(&broken, &b.short(r#"{"a":1}"#).with_owner(ada.clone())).await?;
        b.damage(&broken, damage).await
    };

    b.store.create(&whole, &record).await?;
    create_broken().await?;
    for index in b.indexes() {
        for scope in [Scope::All, Scope::Owner(&ada)] {
            let listed = list_keys(&**index, scope).await?;
            that(listed.contains(&whole), format!("the list of {scope:?} beside {damage:?}: {listed:?}"))?;
            let count = index.count(scope).await?;
            // Whether the damaged one counts is the store's choice.
            that((1..=2).contains(&count), format!("the count of {scope:?} beside {damage:?}: {count}"))?;
        }
    }
    b.store.create(&over, &expired).await?;
    b.swept("a sweep beside a damaged record", b.store.delete_expired(10).await?, 1)?;
    refused("a load after the sweep", b.store.load(&broken).await, Refusal::Corrupt)?;
    if b.time_can_pass() {
        b.store.create(&over, &expired).await?;
        b.expire_short(&[&broken]).await?;
        let swept = b.store.delete_expired(10).await?;
        let is_right = swept == 2 || swept == 1 || b.collects_garbage() && swept == 0;
        that(is_right, format!("a sweep of a damaged record and one other removed {swept}"))?;
    }
    b.store.delete(&broken).await?;
    b.holds(&whole, &record).await?;
    if let Some(index) = b.indexes().next() {
        create_broken().await?;
        b.store.create(&over, &record).await?;
        index.delete_owned(&ada, Some(&whole)).await?;
        b.is_gone(&over).await?;
        b.holds(&whole, &record).await?;
        // Whose the damaged one is may be unreadable too.
        b.store.delete(&broken).await?;
        create_broken().await?;
        index.clear().await?;
        b.is_gone(&broken).await?;
        b.is_gone(&whole).await?;
    } else {
        b.store.delete(&whole).await?;
    }
    for index in b.indexes() {
        for scope in [Scope::All, Scope::Owner(&ada)] {
            same(&format!("the count of {scope:?} afterwards"), &index.count(scope).await?, &0)?;
        }
    }
    // Of an unknown format, not even the owner can be read: the index may keep the entry until it ends by itself.
    if damage == Damage::Format { Ok(()) } else { b.raw_is(&before, "ending damaged records").await }
}

async fn load_04(b: Bench) -> Outcome {
    let record = b.long(r#"{"a":1}"#);
    let revision = b.store.create(&key("k"), &record).await?;
    for _ in 0..3 {
        same("the revision after a load", &b.holds(&key("k"), &record).await?, &revision)?;
    }
    b.store.update(&key("k"), revision, &record).await?;
    Ok(())
}
